//! What is seen of a breaker: its stream, its last changes, events, metrics, introspection.

use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use tekton_sdk::{
    patterns::breaker::{BreakerConfig, BreakerState, Heard, Reason},
    time::Clock,
};

use super::{Bad, SECOND, breaker, counted, fail, in_a_row};

#[tokio::test]
async fn a_stream_tells_of_every_change_and_ends_with_the_breaker() {
    let (breaker, clock) = breaker(in_a_row(1));
    fail(&breaker, 1);
    let mut changes = breaker.subscribe();
    assert!(changes.next().now_or_never().is_none(), "what was before is not told");
    clock.advance(2 * SECOND);
    let listening = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(Heard::Changed(change)) = changes.next().await {
            told.push((change.from, change.to, change.reason, change.at));
        }
        told
    });
    tokio::task::yield_now().await;
    breaker.acquire().unwrap().success();
    let closed = clock.wall();
    drop(breaker);
    let told = listening.await.unwrap();
    assert_eq!(
        told,
        [
            (BreakerState::Open, BreakerState::HalfOpen, Reason::WaitOver, closed),
            (BreakerState::HalfOpen, BreakerState::Closed, Reason::ProbesSucceeded, closed),
        ]
    );
}

#[tokio::test]
async fn who_does_not_listen_is_told_how_much_was_missed_and_the_last_are_kept() {
    let (breaker, _clock) = breaker(in_a_row(1));
    let (mut late, mut idle) = (breaker.subscribe(), breaker.subscribe());
    for _ in 0..50 {
        breaker.open();
        breaker.close();
    }
    let (first, mut changes) = (late.next().await, 0);
    assert_eq!(first, Some(Heard::Missed(36)), "100 came, 64 are kept");
    while let Some(Some(Heard::Changed(change))) = late.next().now_or_never() {
        changes += 1;
        let to = if changes % 2 == 1 { BreakerState::Open } else { BreakerState::Closed };
        assert_eq!(change.to, to, "in order");
    }
    assert_eq!(changes, 64);
    breaker.open();
    assert!(matches!(late.next().await, Some(Heard::Changed(change)) if change.to == BreakerState::Open));

    let recent = breaker.recent();
    assert_eq!((recent.len(), recent[31].to, recent[30].to), (32, BreakerState::Open, BreakerState::Closed));
    drop(breaker);
    assert_eq!(idle.by_ref().count().await, 1 + 64, "what was told before the end is still heard");
    assert_eq!(idle.next().await, None);
}

#[tokio::test]
async fn a_listener_that_is_gone_costs_nothing() {
    let (breaker, _clock) = breaker(in_a_row(1));
    for _ in 0..10_000 {
        drop(breaker.subscribe());
    }
    let mut kept = breaker.subscribe();
    breaker.open();
    assert!(matches!(kept.next().await, Some(Heard::Changed(_))));
}

#[test]
fn a_snapshot_shows_what_the_state_is_about() {
    let (breaker, clock) = breaker(BreakerConfig::default().with_open_jitter(0.0));
    breaker.acquire().unwrap().success();
    fail(&breaker, 5);
    clock.advance(2 * SECOND);
    let _ = breaker.acquire().unwrap_err();
    let shown = json!(breaker.snapshot());
    assert_eq!(
        shown,
        json!({
            "name": "billing", "state": "open", "state_for_ms": 2000, "calls": 6, "failed": 5, "slow": 0,
            "failure_rate": null, "slow_rate": null, "refused": 1, "retry_after_ms": 3000,
        })
    );
    clock.advance(4 * SECOND);
    let probe = breaker.acquire().unwrap();
    fail(&breaker, 1);
    let shown = breaker.snapshot();
    assert_eq!((shown.state, counted(&breaker), shown.refused), (BreakerState::HalfOpen, (1, 1, 0), 0));
    assert_eq!((shown.failure_rate, shown.retry_after), (None, None));
    fail(&breaker, 1);
    probe.failure();
    let shown = breaker.snapshot();
    assert_eq!((shown.state, counted(&breaker)), (BreakerState::Open, (3, 3, 0)), "its probes opened it");
    assert_eq!((shown.failure_rate, shown.retry_after), (Some(1.0), Some(10 * SECOND)));
}

#[tokio::test]
async fn observers_metrics_and_introspection_tell_the_same() {
    let day = Bad::day(|builder| builder);
    day.script.answer(503, "").answer(503, "");
    for _ in 0..4 {
        day.write().await.unwrap_err();
    }
    let changed = &day.log.named("breaker_changed")[0];
    for (field, value) in
        [("breaker", "engram:8005"), ("from", "closed"), ("to", "open"), ("reason", "failures_in_a_row")]
    {
        assert_eq!(changed.field(field), Some(value), "{field}");
    }
    assert_eq!(day.log.named("breaker_refused")[0].field("breaker"), Some("engram:8005"));
    let metrics = day.metrics();
    for line in [
        r#"integration_breaker_state{breaker="engram:8005"} 2"#,
        r#"integration_breaker_transitions_total{breaker="engram:8005",from="closed",to="open"} 1"#,
        r#"integration_breaker_refusals_total{breaker="engram:8005"} 2"#,
    ] {
        assert!(metrics.contains(&format!("{line}\n")), "{line}\n{metrics}");
    }
    let shown = &day.tekton.introspect()["breakers"];
    assert_eq!((&shown["count"], &shown["max_keys"]), (&json!(1), &json!(1024)));
    let one = &shown["breakers"][0];
    assert_eq!((&one["name"], &one["state"], &one["refused"]), (&json!("engram:8005"), &json!("open"), &json!(2)));
    assert!(one["retry_after_ms"].as_u64().is_some_and(|ms| ms >= 5_000), "{one}");
    assert_eq!(one["recent"], json!([{"from": "closed", "to": "open", "reason": "failures_in_a_row"}]));

    day.clock.advance(6 * SECOND);
    day.script.answer(200, "7").answer(200, "7").answer(200, "7");
    for _ in 0..3 {
        day.write().await.unwrap();
    }
    let metrics = day.metrics();
    assert!(metrics.contains("integration_breaker_state{breaker=\"engram:8005\"} 0\n"), "{metrics}");
    let closed = r#"{breaker="engram:8005",from="half_open",to="closed"} 1"#;
    assert!(metrics.contains(closed), "{metrics}");
}

#[tokio::test]
async fn open_breakers_are_shown_first_and_the_rest_is_counted() {
    let day = Bad::day(|builder| builder);
    let breakers = day.tekton.breakers().unwrap();
    for number in 0..1_000 {
        let _ = breakers.of(&format!("target-{number:04}"));
    }
    fail(&breakers.of("target-0999"), 2);
    let shown = &day.tekton.introspect()["breakers"];
    let all = shown["breakers"].as_array().unwrap();
    assert_eq!((&shown["count"], all.len()), (&json!(1_000), 256));
    assert_eq!((&all[0]["name"], &all[0]["state"]), (&json!("target-0999"), &json!("open")));
}

#[tokio::test]
async fn ten_thousand_keys_end_in_a_bounded_number_of_series_and_hide_no_open_one() {
    let day = Bad::day(|builder| builder.configure(|config| config.breaker.max_keys = 20_000));
    let breakers = day.tekton.breakers().unwrap();
    for number in 0..10_000 {
        let breaker = breakers.of(&format!("target-{number}"));
        fail(&breaker, 2);
        let _ = breaker.acquire().unwrap_err();
    }
    let metrics = day.metrics();
    for metric in
        ["integration_breaker_state", "integration_breaker_transitions_total", "integration_breaker_refusals_total"]
    {
        let series = metrics.lines().filter(|line| line.starts_with(&format!("{metric}{{"))).count();
        assert!((100..=514).contains(&series), "{metric}: {series}");
    }
    assert!(metrics.contains("integration_breaker_state{breaker=\"other\"} 2\n"));
    let refusals = |line: &&str| line.starts_with("integration_breaker_refusals_total{");
    let sum: u64 =
        metrics.lines().filter(refusals).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 10_000, "nothing is lost");
}

#[tokio::test]
async fn an_open_breaker_that_others_share_is_not_hidden_by_a_closed_one() {
    let day = Bad::day(|builder| builder.configure(|config| config.breaker.max_keys = 1));
    let breakers = day.tekton.breakers().unwrap();
    fail(&breakers.of("first"), 2);
    for number in 0..100 {
        let _ = breakers.of(&format!("target-{number}"));
    }
    fail(&breakers.of("target-0"), 2);
    let metrics = day.metrics();
    assert!(metrics.contains("integration_breaker_state{breaker=\"other\"} 2\n"), "{metrics}");
}
