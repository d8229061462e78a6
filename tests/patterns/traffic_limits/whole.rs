//! Both limits in the pipeline of a handle: what retry, breaker, budget and metrics make of a refusal.

use std::{sync::Arc, time::Duration};

use futures_util::{future::join_all, poll};
use tekton_sdk::{
    ErrorKind, Peer, Result, Tekton,
    patterns::breaker::BreakerState,
    policy::{BulkheadConfig, RateConfig, Rules},
    tekton::Parts,
    testing::EventLog,
    time::SharedClock,
    transport::{CallInfo, Request, Response, Safety},
};

use super::{Callee, MILLI, SECOND, rules, under};

struct Mesh {
    tekton: Tekton,
    peer: Peer,
    callee: Callee,
    log: EventLog,
}

impl Mesh {
    fn new(callee: Callee) -> Self {
        let log = EventLog::default();
        let builder = Tekton::builder().named("tester").transport(callee.clone()).observer(log.clone());
        let tekton = builder.build().unwrap();
        let peer = tekton.peer_at("http://engram:8005").unwrap();
        Self { tekton, peer, callee, log }
    }

    async fn read(&self, rules: &Arc<Rules>) -> Result<Response> {
        let call = CallInfo::new("engram:8005", "op", Safety::Read);
        let mut request = Request::new(http::Method::POST, "/op", call);
        request.call.collect = Some(1 << 20);
        self.peer.send(under(request, rules)).await
    }

    fn retries_left(&self) -> f64 {
        self.tekton.introspect()["retry_budgets"]["left"]["engram:8005"].as_f64().unwrap()
    }

    fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.tekton.registry().gather()).unwrap()
    }
}

#[test]
fn both_stand_at_their_place_of_the_pipeline() {
    let tekton = Tekton::builder().build().unwrap();
    let stages: Vec<_> = tekton.pipeline().stages().collect();
    let at = stages.iter().position(|stage| *stage == "rate").unwrap();
    assert_eq!(stages[at - 1..=at + 3], ["attempt", "rate", "breaker", "bulkhead", "attempt-timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_this_side_is_not_tried_again_and_costs_no_retry() {
    let mesh = Mesh::new(Callee::taking(SECOND));
    let narrow = rules("narrow", |rules| {
        rules.bulkhead = Some(BulkheadConfig::default().with_max_concurrency(1).with_max_waiting(0));
    });
    let seldom = rules("seldom", |rules| rules.rate = Some(RateConfig::default().with_per_second(1).with_burst(1)));
    let before = mesh.retries_left();
    for (policy, rules) in [("bulkhead", &narrow), ("rate", &seldom)] {
        let mut first = Box::pin(mesh.read(rules));
        assert!(poll!(&mut first).is_pending());
        let outcomes = join_all((0..1000).map(|_| mesh.read(rules))).await;
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.attempts(), error.target()), (ErrorKind::Rejected, 1, Some("engram:8005")));
            assert!(error.to_string().starts_with(policy), "{error}");
        }
        first.await.unwrap();
        let refusals = format!(r#"integration_policy_refusals_total{{policy="{policy}",target="engram:8005"}} 1000"#);
        assert!(mesh.metrics().contains(&refusals), "{refusals}\n{}", mesh.metrics());
    }
    assert_eq!(mesh.callee.calls(), 2);
    // Two calls were sent and pay in; the thousands that were not neither pay nor spend.
    assert!((mesh.retries_left() - before - 0.2).abs() < 1e-6, "{}", mesh.retries_left());
    assert!(mesh.log.named("retrying").is_empty() && mesh.log.named("not_retried").is_empty());
    let breaker = mesh.tekton.breakers().unwrap().of("engram:8005");
    assert_eq!((breaker.state(), breaker.snapshot().failed), (BreakerState::Closed, 0));
    assert!(mesh.log.named("breaker_refused").is_empty());
    let metrics = mesh.metrics();
    for line in [
        r#"integration_attempts_total{endpoint="op",source="tester",target="engram:8005",verdict="ignored"} 2000"#,
        r#"integration_bulkhead_running{target="engram:8005"} 0"#,
        r#"integration_bulkhead_waiting{target="engram:8005"} 0"#,
        r#"integration_rate_allowed{target="engram:8005"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_takes_no_place_and_is_counted_once() {
    let mesh = Mesh::new(Callee::saying(Duration::ZERO, |_| (500, None)));
    let narrow = rules("narrow", |rules| {
        rules.bulkhead = Some(BulkheadConfig::default().with_max_concurrency(1).with_max_waiting(0));
    });
    while mesh.log.named("breaker_refused").is_empty() {
        mesh.read(&narrow).await.unwrap_err();
    }
    assert!(mesh.log.named("policy_refused").is_empty());
    assert!(!mesh.metrics().contains("integration_policy_refusals_total{"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_needs_a_turn_and_a_place_of_its_own_and_gives_both_back_while_it_waits() {
    let mesh = Mesh::new(Callee::saying(MILLI, |nth| if nth == 1 { (503, Some(2)) } else { (200, None) }));
    let careful = rules("careful", |rules| {
        rules.rate = Some(RateConfig::default().with_per_second(10).with_burst(10).with_max_wait(SECOND));
        rules.bulkhead = Some(BulkheadConfig::default().with_max_concurrency(1).with_max_waiting(0));
    });
    let clock = SharedClock::default();
    let began = clock.now();
    let mut retried = Box::pin(mesh.read(&careful));
    assert!(poll!(&mut retried).is_pending());
    clock.sleep(10 * MILLI).await;
    assert!(poll!(&mut retried).is_pending());
    let shown = mesh.tekton.introspect();
    assert_eq!(shown["bulkheads"]["shown"][0]["running"], 0, "{shown}");
    assert_eq!(shown["rates"]["shown"][0]["allowed"], 0.0);
    let error = mesh.read(&careful).await.unwrap_err();
    assert!(error.to_string().starts_with("rate: engram:8005 asked to be left alone"), "{error}");
    let answer = retried.await.unwrap();
    assert_eq!((answer.attempt, mesh.callee.calls()), (2, 2));
    assert!(clock.now() - began >= 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_place_ends_with_the_calls_deadline_and_names_the_bulkhead() {
    let mesh = Mesh::new(Callee::taking(3600 * SECOND));
    let narrow = rules("narrow", |rules| {
        rules.bulkhead = Some(BulkheadConfig::default().with_max_concurrency(1).with_max_waiting(100));
    });
    let mut running = Box::pin(mesh.read(&narrow));
    assert!(poll!(&mut running).is_pending());
    let outcomes = join_all((0..50).map(|_| mesh.read(&narrow))).await;
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().starts_with("bulkhead: engram:8005 had no place before the deadline"), "{error}");
    }
    assert_eq!(mesh.callee.calls(), 1);
    running.await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn parts_have_limits_of_their_own_for_calls_without_rules() {
    let callee = Callee::taking(SECOND);
    let directory = tekton_sdk::directory::MemoryDirectory::new(SharedClock::default());
    let mut parts = Parts::new(Arc::new(callee.clone()), Arc::new(directory));
    parts.bulkhead = Some(BulkheadConfig::default().with_max_concurrency(2).with_max_waiting(1));
    parts.rate = Some(RateConfig::default().with_per_second(1).with_burst(4));
    let peer = parts.build().unwrap().peer_at("http://engram:8005").unwrap();
    let calls = join_all((0..6).map(|_| async { peer.request::<serde_json::Value>("op").await })).await;
    let said: Vec<_> = calls.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    assert_eq!((callee.calls(), callee.most(), said.len()), (3, 2, 3));
    assert!(
        said[0].starts_with("bulkhead: ") && said[1].starts_with("rate: ") && said[2].starts_with("rate: "),
        "{said:?}"
    );
}
