//! A component stays registered, and leaves nothing behind.

use tekton_sdk::{
    directory::{Directory, Lease, Presence, Standing},
    testing::{Fault, Route},
    time::ManualClock,
    wire::hermes::{COMPONENTS, HEARTBEAT, REGISTER, UNREGISTER},
};

use super::{Mesh, registration, seconds};

const A: &str = "http://127.0.0.1:7001";
const B: &str = "http://127.0.0.1:7002";

#[tokio::test]
async fn a_component_registers_beats_renews_and_unregisters() {
    let mesh = Mesh::new().await;
    let registered = mesh.keep("engram-1", A).await;
    assert_eq!((registered.presence(), mesh.endpoints()), (Presence::Registered, vec![A.to_owned()]));
    mesh.pass(seconds(30)).await;
    mesh.pass(seconds(30)).await;
    assert_eq!(mesh.statuses(HEARTBEAT), [200, 200]);
    assert!(mesh.hub.entry("engram-1").unwrap().last_heartbeat.is_some());
    mesh.pass(seconds(2700)).await;
    assert_eq!(mesh.statuses(REGISTER), [200, 200]);
    // The first token has ended by now, the second has not.
    mesh.pass(seconds(900)).await;
    assert_eq!(mesh.statuses(HEARTBEAT), [200; 4]);
    assert!(registered.shutdown().await.unwrap());
    assert_eq!((mesh.hub.entries(), mesh.statuses(UNREGISTER)), (vec![], vec![200]));
    assert!(
        mesh.hub.log().iter().all(|request| request.token == (request.path == HEARTBEAT || request.path == UNREGISTER))
    );
}

#[tokio::test]
async fn a_hub_that_forgot_us_says_yes_and_is_told_again() {
    let mesh = Mesh::new().await;
    let registered = mesh.keep("engram-1", A).await;
    mesh.pass(seconds(30)).await;
    mesh.hub.forget_everybody();
    mesh.pass(seconds(30)).await;
    assert_eq!((mesh.statuses(REGISTER), mesh.endpoints()), (vec![200, 200], vec![A.to_owned()]));
    assert!(mesh.statuses(HEARTBEAT).iter().all(|status| *status == 200));
    assert_eq!(registered.presence(), Presence::Registered);
    mesh.hub.fault_next(1, Fault::Forget.at(Route::Heartbeat));
    mesh.pass(seconds(30)).await;
    assert_eq!(mesh.statuses(REGISTER).len(), 3);
    assert!(registered.shutdown().await.unwrap());
}

#[tokio::test]
async fn a_hub_that_died_and_came_back_empty_is_told_again() {
    let mesh = Mesh::new().await;
    let registered = mesh.keep("engram-1", A).await;
    mesh.hub.stop().await;
    mesh.pass(seconds(30)).await;
    assert_eq!(registered.presence(), Presence::Registered, "as far as anybody said");
    mesh.hub.restart_empty().await.unwrap();
    mesh.pass(seconds(30)).await;
    assert_eq!((mesh.endpoints(), registered.presence()), (vec![A.to_owned()], Presence::Registered));
}

#[tokio::test]
async fn a_hub_that_is_down_at_first_is_tried_until_it_is_there() {
    let mesh = Mesh::new().await;
    mesh.hub.stop().await;
    let mut registered = mesh.keep("engram-1", A).await;
    assert_eq!(registered.presence(), Presence::Absent);
    mesh.pass(seconds(1)).await;
    mesh.hub.restart().await.unwrap();
    mesh.pass(seconds(2)).await;
    registered.until(Presence::Registered).await;
    assert_eq!(mesh.endpoints(), [A]);
    mesh.hub.stop().await;
    let down = mesh.keep_by(&ManualClock::new(), "engram-2", B).await;
    assert!(!down.shutdown().await.unwrap(), "nothing was sent, so nothing is to be removed");
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_by_a_registration() {
    let mesh = Mesh::new().await;
    let registered = mesh.keep("engram-1", A).await;
    mesh.hub.revoke_tokens();
    mesh.pass(seconds(30)).await;
    assert_eq!((mesh.statuses(HEARTBEAT)[0], mesh.statuses(REGISTER)), (401, vec![200, 200]));
    mesh.pass(seconds(30)).await;
    assert_eq!(mesh.statuses(HEARTBEAT).last(), Some(&200));
    assert!(registered.shutdown().await.unwrap());
}

#[tokio::test]
async fn the_old_process_of_a_rolling_restart_leaves_the_new_entry_alone() {
    let mesh = Mesh::new().await;
    let old = mesh.keep_by(&ManualClock::new(), "engram-1", A).await;
    let new = mesh.keep("engram-1", B).await;
    assert!(!old.shutdown().await.unwrap());
    assert_eq!((mesh.endpoints(), mesh.statuses(UNREGISTER)), (vec![B.to_owned()], vec![]));
    assert!(new.shutdown().await.unwrap());
    assert!(mesh.hub.entries().is_empty());
}

#[tokio::test]
async fn the_old_keeper_rests_once_it_is_replaced() {
    let mesh = Mesh::new().await;
    let clock = ManualClock::new();
    let mut old = mesh.keep_by(&clock, "engram-1", A).await;
    let new = mesh.keep("engram-1", B).await;
    clock.until_sleeping(1).await;
    clock.advance(seconds(30));
    old.until(Presence::Replaced).await;
    let asked = mesh.hub.log().len();
    assert_eq!(clock.sleepers(), 0);
    clock.advance(seconds(86_400));
    assert!(!old.shutdown().await.unwrap());
    let last: Vec<_> = mesh.hub.log().split_off(asked).into_iter().map(|request| request.path).collect();
    assert_eq!(last, [COMPONENTS], "it looked once more, at its end");
    assert_eq!((new.presence(), mesh.endpoints()), (Presence::Registered, vec![B.to_owned()]));
}

#[tokio::test]
async fn a_renewal_does_not_take_the_entry_of_a_newer_process() {
    let mesh = Mesh::new().await;
    let mut old = mesh.keep("engram-1", A).await;
    mesh.clock.until_sleeping(1).await;
    mesh.directory.register(&registration("engram-1", B)).await.unwrap();
    mesh.clock.advance(seconds(2700));
    old.until(Presence::Replaced).await;
    assert_eq!((mesh.endpoints(), mesh.statuses(REGISTER)), (vec![B.to_owned()], vec![200, 200]));
}

#[tokio::test]
async fn an_ended_token_does_not_keep_an_entry_listed() {
    let mesh = Mesh::new().await;
    let mut told = registration("engram-1", A);
    told.kind = "memory".to_owned();
    told.capabilities = vec!["remember".to_owned()];
    told.metadata.scores.insert("remember".to_owned(), 0.5);
    let lease = mesh.directory.register(&told).await.unwrap();
    let before = mesh.hub.entry("engram-1").unwrap();
    mesh.clock.advance(seconds(3601));
    assert!(mesh.directory.unregister(&lease).await.unwrap());
    assert_eq!((mesh.hub.entries(), mesh.statuses(UNREGISTER)), (vec![], vec![401, 200]));
    // Registered again for its token, it said of itself what it had said before.
    let bodies: Vec<_> = mesh.hub.requests(REGISTER).into_iter().map(|request| request.body).collect();
    let read = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
    let (first, mut again) = (read(&bodies[0]), read(&bodies[1]));
    // Where the hub keeps the type.
    again["metadata"].as_object_mut().unwrap().remove("type");
    assert_eq!((first, before.component_type.as_deref()), (again, Some("memory")));
}

#[tokio::test]
async fn an_ended_token_gives_no_right_to_another_processes_entry() {
    let mesh = Mesh::new().await;
    let lease = mesh.directory.register(&registration("engram-1", A)).await.unwrap();
    mesh.clock.advance(seconds(3601));
    mesh.directory.register(&registration("engram-1", B)).await.unwrap();
    assert!(!mesh.directory.unregister(&lease).await.unwrap());
    assert_eq!(mesh.directory.heartbeat(&lease).await.unwrap(), Standing::Replaced);
    mesh.hub.forget_everybody();
    assert!(!mesh.directory.unregister(&lease).await.unwrap());
    assert_eq!(mesh.directory.heartbeat(&lease).await.unwrap(), Standing::Forgotten);
    assert_eq!((mesh.statuses(UNREGISTER), mesh.statuses(REGISTER)), (vec![], vec![200, 200]));
}

#[tokio::test]
async fn a_renewal_that_failed_and_a_token_that_ended_still_end_in_an_unregistration() {
    let mesh = Mesh::new().await;
    let registered = mesh.keep("engram-1", A).await;
    mesh.hub.stop().await;
    mesh.pass(seconds(2700)).await;
    mesh.pass(seconds(1200)).await;
    mesh.hub.restart().await.unwrap();
    assert!(registered.shutdown().await.unwrap());
    assert!(mesh.hub.entries().is_empty());
    assert_eq!(mesh.statuses(UNREGISTER), [401, 200]);
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_removed_all_the_same() {
    for fault in [Fault::Broken, Fault::Truncated] {
        let mesh = Mesh::new().await;
        mesh.hub.fault_next(1, fault.at(Route::Register));
        let registered = mesh.keep("engram-1", A).await;
        assert_eq!((registered.presence(), mesh.hub.entries().len()), (Presence::Absent, 1), "{fault:?}");
        assert!(registered.shutdown().await.unwrap(), "{fault:?}");
        assert!(mesh.hub.entries().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lease_without_a_token_removes_its_entry_too() {
    let mesh = Mesh::new().await;
    let id = mesh.hub.register_python("apollo", 7001);
    assert!(!mesh.directory.unregister(&Lease::new(&*id, A)).await.unwrap());
    assert!(mesh.directory.unregister(&Lease::new(&*id, "http://localhost:7001")).await.unwrap());
    assert!(mesh.hub.entries().is_empty());
}

#[tokio::test]
async fn dropping_the_keeper_leaves_the_entry() {
    let mesh = Mesh::new().await;
    drop(mesh.keep("engram-1", A).await);
    assert_eq!(mesh.endpoints(), [A]);
}
