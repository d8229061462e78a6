//! A hub that misbehaves is told of in a sentence, and a memory of it lasts longer than it does.

use std::sync::Arc;

use tekton_sdk::{
    ErrorKind,
    directory::{CachedDirectory, Directory, DirectoryConfig, Lease, Query},
    testing::{Fault, Route},
    time::{ManualClock, SharedClock},
    wire::hermes::COMPONENTS,
};

use super::{Mesh, registration, seconds};

const A: &str = "http://127.0.0.1:7001";

#[tokio::test]
async fn what_the_hub_answers_instead_is_said() {
    let mesh = Mesh::new().await;
    for (fault, kind, instead) in [
        (Fault::Html, ErrorKind::Codec, "expected {}, got HTML"),
        (Fault::Garbage, ErrorKind::Codec, "expected {}, got bytes that are not text"),
        (Fault::Truncated, ErrorKind::Codec, "expected {}, got truncated JSON"),
        (Fault::Status(500), ErrorKind::Remote, "answered 500 Internal Server Error"),
        (Fault::Status(503), ErrorKind::Remote, "answered 503 Service Unavailable"),
        (Fault::Detail(502), ErrorKind::Remote, "answered 502 Bad Gateway: Bad Gateway"),
        (Fault::Status(429), ErrorKind::Remote, "answered 429 Too Many Requests"),
    ] {
        let check = |error: tekton_sdk::Error, expected: &str| {
            assert_eq!((error.kind(), error.to_string()), (kind, instead.replace("{}", expected)), "{fault:?}");
            assert_eq!(error.target(), Some("hermes"), "{fault:?}");
        };
        mesh.hub.fault_next(3, fault);
        let lease = Lease::new("engram-1", A).with_token(tekton_sdk::Secret::new("any".to_owned()));
        check(mesh.directory.find(&Query::everybody()).await.unwrap_err(), "a list of components");
        check(mesh.directory.register(&registration("engram-1", A)).await.unwrap_err(), "a registration's reply");
        // Half of a refusal is a refusal all the same, and this token is refused.
        if fault != Fault::Truncated {
            check(mesh.directory.heartbeat(&lease).await.unwrap_err(), "an acknowledgement");
        }
        mesh.hub.clear_faults();
    }
}

#[tokio::test]
async fn a_connection_that_breaks_or_is_refused_is_said() {
    let mesh = Mesh::new().await;
    mesh.hub.fault_next(1, Fault::Broken);
    let error = mesh.directory.find(&Query::everybody()).await.unwrap_err();
    assert_eq!((error.kind(), error.target()), (ErrorKind::Interrupted, Some("hermes")));
    assert!(error.to_string().contains("broke before"), "{error}");
    mesh.hub.stop().await;
    let error = mesh.directory.find(&Query::everybody()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.to_string(), format!("no connection to {} could be made", mesh.hub.url()));
    mesh.hub.restart().await.unwrap();
    assert!(mesh.directory.find(&Query::everybody()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_under_way_breaks_when_the_hub_dies() {
    let mesh = Mesh::new().await;
    mesh.hub.fault(Fault::Hang);
    let query = Query::everybody();
    let (found, ()) = tokio::join!(mesh.directory.find(&query), async {
        mesh.hub.until(|log| !log.is_empty()).await;
        mesh.hub.stop().await;
    });
    assert_eq!(found.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn a_hub_that_hangs_is_given_up_after_the_timeout() {
    let mesh = Mesh::new().await;
    mesh.hub.fault(Fault::Hang.at(Route::Components));
    let query = Query::everybody();
    let (found, ()) = tokio::join!(mesh.directory.find(&query), async {
        mesh.hub.until(|log| log.len() == 1).await;
        mesh.patience.until_sleeping(1).await;
        mesh.patience.advance(seconds(5));
    });
    let error = found.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Timeout, "no answer of the hub within 5s"));
    assert_eq!(mesh.hub.log()[0].status, None);
    // Other routes answer.
    mesh.directory.register(&registration("engram-1", A)).await.unwrap();
}

#[tokio::test]
async fn a_hub_that_is_slow_is_waited_for() {
    let mesh = Mesh::new().await;
    mesh.hub.fault_next(1, Fault::Delay(seconds(3)));
    let query = Query::everybody();
    let (found, ()) = tokio::join!(mesh.directory.find(&query), async {
        mesh.clock.until_sleeping(1).await;
        mesh.clock.advance(seconds(3));
    });
    assert!(found.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_found_is_remembered_longer_than_the_hub_lives() {
    let mesh = Mesh::new().await;
    let clock = ManualClock::new();
    let behind: Arc<dyn Directory> = Arc::new(mesh.directory.clone());
    let cached = CachedDirectory::new(behind, DirectoryConfig::default(), SharedClock::new(clock.clone()));
    let query = Query::name("engram");
    mesh.directory.register(&registration("engram-1", A)).await.unwrap();
    let known = cached.lookup(&query).await.unwrap();
    for fault in [Fault::Html, Fault::Garbage, Fault::Status(500), Fault::Truncated, Fault::Broken] {
        mesh.hub.fault_next(1, fault);
        // Older than it may be stale: the hub is asked, and fails.
        clock.advance(seconds(3600));
        let asked = mesh.hub.requests(COMPONENTS).len();
        assert_eq!(cached.lookup(&query).await.unwrap(), known, "{fault:?}");
        assert_eq!(mesh.hub.requests(COMPONENTS).len(), asked + 1, "{fault:?}");
    }
    mesh.hub.stop().await;
    clock.advance(seconds(3600));
    assert_eq!(cached.lookup(&query).await.unwrap(), known);
    let error = cached.lookup(&Query::name("apollo")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.report().contains("no connection to"), "{}", error.report());
    mesh.hub.restart_empty().await.unwrap();
    clock.advance(seconds(3600));
    assert!(cached.lookup(&query).await.unwrap().is_empty(), "it has come back and says otherwise");
}

#[tokio::test]
async fn many_who_look_for_the_same_ask_once() {
    let mesh = Mesh::new().await;
    let behind: Arc<dyn Directory> = Arc::new(mesh.directory.clone());
    let cached = CachedDirectory::new(behind, DirectoryConfig::default(), SharedClock::new(ManualClock::new()));
    let query = Query::everybody();
    mesh.hub.fault_next(1, Fault::Delay(seconds(1)));
    let lookups = futures_util::future::join_all((0..20).map(|_| cached.lookup(&query)));
    let (found, ()) = tokio::join!(lookups, async {
        mesh.clock.until_sleeping(1).await;
        mesh.clock.advance(seconds(1));
    });
    assert!(found.into_iter().all(|found| found.is_ok()));
    assert_eq!(mesh.hub.requests(COMPONENTS).len(), 1);
}
