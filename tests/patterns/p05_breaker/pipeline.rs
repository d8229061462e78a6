//! The breaker of the default pipeline, over real sockets and in memory.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tekton_sdk::{
    Component, Error, ErrorKind, Result, Sent, Tekton,
    patterns::breaker::{BreakerState, Reason},
    testing::{FakeComponent, TestBed},
    time::{BoxFuture, ManualClock},
};

use super::{Bad, SECOND, counted};

/// Answers as long as it is well. `other` always answers.
fn ailing(well: &Arc<AtomicBool>) -> FakeComponent {
    let well = Arc::clone(well);
    FakeComponent::new("notes").answers("other", json!(1)).answers_with("list", move |_, _| {
        if well.load(Ordering::SeqCst) { Ok(json!([])) } else { Err(Error::internal("it is ill")) }
    })
}

async fn ask(tekton: &Tekton, operation: &str) -> Result<Value> {
    Ok(tekton.peer("notes").request::<Value>(operation).json(&json!({})).await?.into_inner())
}

#[tokio::test]
async fn a_component_that_fails_is_left_alone_until_it_is_well_again() {
    let (clock, well) = (ManualClock::new(), Arc::new(AtomicBool::new(true)));
    let tekton = Tekton::builder().named("caller").clock(clock.clone()).build().unwrap();
    let component = ailing(&well);
    let calls = component.calls();
    let served = component.serve(&tekton).start().await.unwrap();
    ask(&tekton, "list").await.unwrap();

    well.store(false, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(ask(&tekton, "list").await.unwrap_err().remote().unwrap().status(), 500);
    }
    let breaker = tekton.breakers().unwrap().of("notes");
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Open, (6, 5, 0)));
    for operation in ["list", "other", "unknown"] {
        let error = ask(&tekton, operation).await.unwrap_err();
        assert_eq!((error.kind(), error.sent(), error.target()), (ErrorKind::Rejected, Sent::No, Some("notes")));
        let wait = error.retry_after().unwrap();
        assert!((5 * SECOND..=SECOND * 11 / 2).contains(&wait), "five seconds and a tenth of jitter: {wait:?}");
    }
    assert_eq!(calls.count(), 6, "nothing was sent");

    // It stays ill: the probes fail, and the wait is doubled.
    clock.advance(6 * SECOND);
    for _ in 0..3 {
        ask(&tekton, "list").await.unwrap_err();
    }
    assert_eq!(breaker.recent().last().unwrap().reason, Reason::ProbesFailed);
    let wait = ask(&tekton, "list").await.unwrap_err().retry_after().unwrap();
    assert!((10 * SECOND..=11 * SECOND).contains(&wait), "{wait:?}");

    well.store(true, Ordering::SeqCst);
    clock.advance(12 * SECOND);
    for _ in 0..3 {
        ask(&tekton, "list").await.unwrap();
    }
    assert_eq!((breaker.state(), counted(&breaker), calls.count()), (BreakerState::Closed, (0, 0, 0), 12));
    served.shutdown().await;
}

#[tokio::test]
async fn each_operation_can_have_a_breaker_of_its_own() {
    for per_operation in [true, false] {
        let bed = TestBed::new().unwrap();
        let well = Arc::new(AtomicBool::new(false));
        bed.serve(ailing(&well)).await.unwrap();
        let tekton = bed
            .tekton_with(|builder| builder.configure(|config| config.breaker.per_operation = per_operation))
            .unwrap();
        for _ in 0..5 {
            ask(&tekton, "list").await.unwrap_err();
        }
        assert_eq!(ask(&tekton, "list").await.unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(ask(&tekton, "other").await.is_ok(), per_operation);
        let names: Vec<_> = tekton.breakers().unwrap().all().iter().map(|one| one.name().to_owned()).collect();
        let open = if per_operation { "notes/list" } else { "notes" };
        assert!(names.iter().any(|name| name == open) && names.len() == 1 + usize::from(per_operation), "{names:?}");
        drop(tekton);
        bed.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_shadow_refuses_nothing_and_tells_when_it_would_have() {
    let day = Bad::day(|builder| builder.configure(|config| config.breaker.shadow = true));
    for _ in 0..10 {
        day.script.answer(503, "");
        assert_eq!(day.write().await.unwrap_err().kind(), ErrorKind::Remote);
    }
    assert_eq!((day.breaker().state(), counted(&day.breaker())), (BreakerState::MetricsOnly, (10, 10, 0)));
    let told: Vec<_> = day.log.named("breaker_changed");
    let last = told.last().unwrap();
    assert_eq!((last.field("from"), last.field("to")), (Some("metrics_only"), Some("metrics_only")));
    assert_eq!(last.field("reason"), Some("failures_in_a_row"));
}

#[tokio::test]
async fn changing_the_settings_of_shadows_tells_of_no_breaker_that_is_not_there() {
    let day = Bad::day(|builder| builder.configure(|config| config.breaker.shadow = true));
    let breaker = day.breaker();
    let told = day.log.all().len();
    let breakers = day.tekton.breakers().unwrap();
    breakers.reconfigure(breaker.config().with_failure_threshold(Some(9))).unwrap();
    assert_eq!((breaker.config().failure_threshold, day.log.all().len()), (Some(9), told));
}

#[tokio::test]
async fn without_it_every_call_goes_out() {
    let day = Bad::day(|builder| builder.configure(|config| config.breaker.enabled = false));
    for _ in 0..20 {
        day.script.answer(503, "");
        assert_eq!(day.write().await.unwrap_err().kind(), ErrorKind::Remote);
    }
    assert!(day.tekton.breakers().is_none());
    assert!(day.tekton.pipeline().stages().all(|stage| stage != "breaker"));
    assert!(day.tekton.introspect().get("breakers").is_none());
}

#[tokio::test]
async fn clients_of_one_handle_share_its_breakers() {
    let day = Bad::day(|builder| builder);
    let other = day.tekton.calling_as("other").peer_at("http://engram:8005").unwrap();
    day.script.answer(503, "").answer(503, "");
    day.write().await.unwrap_err();
    other.request::<Value>("op").await.unwrap_err();
    for peer in [&other, &day.peer] {
        assert_eq!(peer.request::<Value>("op").await.unwrap_err().kind(), ErrorKind::Rejected);
    }
    let elsewhere = day.tekton.peer_at("http://athena:8005").unwrap();
    day.script.answer(200, "7");
    assert_eq!(*elsewhere.request::<Value>("op").await.unwrap(), json!(7));
}

#[tokio::test]
async fn a_half_open_breaker_lets_its_probes_through_at_once_and_no_more() {
    let day = Bad::day(|builder| builder);
    day.script.answer(503, "").answer(503, "");
    for _ in 0..2 {
        day.write().await.unwrap_err();
    }
    day.clock.advance(6 * SECOND);
    day.script.hang().hang().hang();
    let mut probes: Vec<BoxFuture<'_, Result<Value>>> = (0..3).map(|_| Box::pin(day.write()) as _).collect();
    for probe in &mut probes {
        assert!(futures_util::poll!(probe).is_pending());
    }
    let error = day.write().await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after(), error.sent()), (ErrorKind::Rejected, None, Sent::No));
    assert!(error.report().contains("is half-open and its probes are under way"), "{}", error.report());
    drop(probes);
    day.script.answer(200, "7").answer(200, "7").answer(200, "7");
    for _ in 0..3 {
        day.write().await.unwrap();
    }
    assert_eq!(day.breaker().state(), BreakerState::Closed);
}
