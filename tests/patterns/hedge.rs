//! A second attempt beside a slow one: when, how often, and whose answer counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tekton_sdk::{
    ErrorKind, Peer, Tekton, Verdict,
    policy::{Hedge, HedgeConfig, Pipeline, Policy, Rules},
    random::Random,
    time::SharedClock,
    transport::{CallInfo, Endpoint, Request, Safety},
};

use crate::timed::{Seen, Timed, mesh, metrics, ms, status};

fn config() -> HedgeConfig {
    HedgeConfig::default()
}

/// A handle that hedges, over answers of 10 ms until the test begins to play `then`.
fn warm(
    mut then: impl FnMut(usize, &Request) -> (Duration, tekton_sdk::Result<tekton_sdk::transport::Response>)
    + Send
    + 'static,
) -> (Tekton, Seen, tekton_sdk::testing::EventLog) {
    let (timed, seen) = Timed::new(move |number, request| match number.checked_sub(WARM) {
        Some(number) => then(number, request),
        None => (ms(10), status(200, "1")),
    });
    let (tekton, log) =
        mesh(timed, |builder| builder.hedge(config()).configure(|config| config.retry.base_delay = Duration::ZERO));
    (tekton, seen, log)
}

/// So many calls pay for two hedges; a third is in the reserve.
const WARM: usize = 40;

async fn warm_up(peer: &Peer) {
    for _ in 0..WARM {
        read(peer).await.unwrap();
    }
}

async fn read(peer: &Peer) -> tekton_sdk::Result<tekton_sdk::patterns::request::Reply<Value>> {
    peer.request::<Value>("list").safety(Safety::Read).json(&json!({})).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_slower_than_most_is_overtaken_and_given_up() {
    let (tekton, seen, log) = warm(|number, _| match number {
        0 => (ms(20_000), status(200, "\"slow\"")),
        _ => (ms(10), status(200, "\"quick\"")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let began = tekton.clock().now();
    let reply = read(&peer).await.unwrap();
    let took = tekton.clock().now() - began;
    assert_eq!((reply.as_str(), reply.attempts()), (Some("quick"), 2));
    assert!((20..=23).contains(&took.as_millis()), "ten for the usual answer, an eighth, ten for this one: {took:?}");
    assert_eq!((seen.count(), seen.dropped()), (WARM + 2, 1));
    assert_eq!(seen.attempts(WARM), ["1", "2"]);
    let told = log.named("hedged");
    assert_eq!((told.len(), told[0].field("outcome"), told[0].field("attempt")), (1, Some("won"), Some("2")));
    let abandoned = log.named("attempt_ended").iter().filter(|event| event.field("verdict").is_none()).count();
    assert_eq!(abandoned, 1, "the loser");
    assert_eq!(log.named("call_ended").last().unwrap().field("attempts"), Some("2"));
    let line = r#"integration_hedges_total{endpoint="list",outcome="won",source="tester",target="notes"} 1"#;
    assert!(metrics(&tekton).contains(line), "{}", metrics(&tekton));
    assert!(tekton.introspect()["hedges"]["left"]["notes"].is_number());
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_comes_second_is_given_up() {
    let (tekton, seen, log) = warm(|number, _| match number {
        0 => (ms(30), status(200, "\"first\"")),
        _ => (ms(10_000), status(200, "\"second\"")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let reply = read(&peer).await.unwrap();
    assert_eq!((reply.as_str(), reply.attempts(), seen.dropped()), (Some("first"), 2, 1));
    assert_eq!(log.named("hedged")[0].field("outcome"), Some("lost"));
}

#[tokio::test(start_paused = true)]
async fn while_little_is_known_it_waits_as_long_as_it_may() {
    let (timed, seen) = Timed::new(|_, _| (ms(1_999), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    read(&tekton.peer("notes")).await.unwrap();
    assert_eq!(seen.count(), 1);
    let (timed, seen) = Timed::new(|_, _| (ms(2_001), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    read(&tekton.peer("notes")).await.unwrap();
    assert_eq!(seen.count(), 2, "the reserve of one");
}

#[tokio::test(start_paused = true)]
async fn only_what_may_run_twice_at_once_is_hedged() {
    for (safety, key, hedged) in [
        (Safety::Read, None, true),
        (Safety::Write, None, false),
        (Safety::Idempotent, Some("k1"), true),
        (Safety::Write, Some("k2"), true),
    ] {
        let (timed, seen) = Timed::new(|_, _| (ms(5_000), status(200, "1")));
        let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
        let call = tekton.peer("notes");
        let mut call = call.request::<Value>("op").safety(safety).json(&json!({}));
        if let Some(key) = key {
            call = call.idempotency_key(key);
        }
        call.await.unwrap();
        assert_eq!(seen.count(), 1 + usize::from(hedged), "{safety:?} {key:?}");
        assert!(seen.all().iter().all(|sent| sent.header("idempotency-key") == key), "every attempt repeats it");
    }
    let (timed, seen) = Timed::new(|_, _| (ms(5_000), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    let body = tekton_sdk::transport::Body::stream(futures_util::stream::empty());
    let json = http::HeaderValue::from_static("application/json");
    tekton.peer("notes").request::<Value>("op").method(Method::PUT).body(json, body).await.unwrap();
    assert_eq!(seen.count(), 1, "a stream can be sent only once");
    let (timed, seen) = Timed::new(|_, _| (ms(5_000), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    let peer = tekton.peer("notes");
    let call = peer.request::<Value>("op").safety(Safety::Read);
    call.header(tekton_sdk::wire::headers::LAST_EVENT_ID, http::HeaderValue::from_static("x-1")).await.unwrap();
    assert_eq!(seen.count(), 1, "of two that take a stream up again the callee keeps the last");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_with_the_other_attempt_does_not_win_over_it() {
    let (tekton, seen, _) = warm(|number, _| match number {
        0 => (ms(100), status(200, "\"done\"")),
        _ => (ms(10), status(409, "")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let reply = peer.request::<Value>("list").json(&json!({})).idempotency_key("k").await.unwrap();
    assert_eq!((reply.as_str(), seen.count()), (Some("done"), WARM + 2));
    // A read has nothing that could be under way: it is the answer.
    let error = read(&peer).await.unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 409);
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_the_attempt_beside_it() {
    let (tekton, seen, log) = warm(|number, _| match number {
        0 => (ms(15), status(500, "")),
        _ => (ms(30), status(200, "\"good\"")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let reply = read(&peer).await.unwrap();
    assert_eq!((reply.as_str(), reply.attempts(), seen.count()), (Some("good"), 2, WARM + 2));
    assert!(log.named("retrying").is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_all_fail_the_retry_judges_the_first_failure_and_counts_every_attempt() {
    let (tekton, seen, log) = warm(|number, _| match number {
        0 => (ms(30), status(500, "\"late\"")),
        1 => (ms(10), status(502, "\"soon\"")),
        _ => (ms(1), status(500, "")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let error = read(&peer).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Remote, 4));
    assert_eq!(seen.attempts(WARM), ["1", "2", "3", "4"], "four attempts, the hedge among them");
    let told = log.named("retrying");
    assert_eq!((told[0].field("attempt"), told[0].field("reason")), (Some("3"), Some("status_502")));
    assert_eq!(log.named("hedged")[0].field("outcome"), Some("failed"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_hedge_is_the_retrys_business() {
    let (tekton, seen, log) = warm(|number, _| match number {
        0 => (ms(5), status(503, "")),
        _ => (ms(10), status(200, "1")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    assert_eq!(read(&peer).await.unwrap().attempts(), 2);
    assert_eq!((seen.count(), log.named("hedged").len(), log.named("retrying").len()), (WARM + 2, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_beside_to_a_callee_that_asks_to_be_left_alone() {
    for (code, header, left_alone) in [(503, None, ms(1_000)), (429, Some("7"), ms(7_000)), (500, None, ms(0))] {
        let (tekton, seen, _) = warm(move |number, _| match number {
            0 => {
                let mut answer = status(code, "").unwrap();
                if let Some(wait) = header {
                    answer.headers.insert("retry-after", http::HeaderValue::from_static(wait));
                }
                (ms(1), Ok(answer))
            }
            _ => (ms(50), status(200, "1")),
        });
        let peer = tekton.peer("notes");
        warm_up(&peer).await;
        // Inside another's attempt nothing is tried again.
        let inside = tekton_sdk::Context::new().with_attempt(1);
        inside.scope(read(&peer)).await.unwrap_err();
        read(&peer).await.unwrap();
        let expected = usize::from(left_alone.is_zero());
        assert_eq!(seen.count(), WARM + 2 + expected, "{code}");
        tekton.clock().sleep(left_alone).await;
        let before = seen.count();
        read(&peer).await.unwrap();
        assert_eq!(seen.count(), before + 2, "{code}: the wait is over");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_beside_while_the_breaker_is_not_closed() {
    let (tekton, seen, _) = warm(|number, _| match number {
        0..5 => (ms(1), status(500, "")),
        _ => (ms(50), status(200, "1")),
    });
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    for _ in 0..5 {
        peer.request::<Value>("list").json(&json!({})).await.unwrap_err();
    }
    let breaker = tekton.breakers().unwrap().of("notes");
    assert_eq!(breaker.state().name(), "open");
    tekton.clock().sleep(ms(6_000)).await;
    for _ in 0..3 {
        let before = seen.count();
        assert_ne!(breaker.state().name(), "closed");
        read(&peer).await.unwrap();
        assert_eq!(seen.count(), before + 1, "a probe is not doubled");
    }
    assert_eq!(breaker.state().name(), "closed");
    let before = seen.count();
    read(&peer).await.unwrap();
    assert_eq!(seen.count(), before + 2);
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_held_by_the_budget() {
    const CALLS: usize = 1_000;
    let slow = Arc::new(AtomicBool::new(false));
    let is_slow = Arc::clone(&slow);
    let (timed, seen) =
        Timed::new(move |_, _| (if is_slow.load(Ordering::SeqCst) { ms(1_000) } else { ms(10) }, status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    let peer = tekton.peer("notes");
    for _ in 0..100 {
        read(&peer).await.unwrap();
    }
    slow.store(true, Ordering::SeqCst);
    let sent_for = async |calls: usize| {
        let before = seen.count();
        assert!(join_all((0..calls).map(|_| read(&peer))).await.iter().all(Result::is_ok));
        seen.count() - before - calls
    };
    // What the hundred calls before had paid for, and the reserve.
    assert_eq!(sent_for(CALLS).await, 5 + 1);
    slow.store(false, Ordering::SeqCst);
    for _ in 0..5 {
        sent_for(CALLS).await;
    }
    // The calls of the last ten seconds pay, and no more is sent for however many are slow at once.
    slow.store(true, Ordering::SeqCst);
    let hedges = sent_for(8 * CALLS).await;
    assert!((1..=6 * CALLS * 5 / 100 + 1).contains(&hedges), "{hedges}");
}

#[tokio::test(start_paused = true)]
async fn retries_and_hedges_together_stay_within_their_budgets() {
    for seed in 0..20 {
        let random = Random::seeded(seed);
        let (timed, seen) = Timed::new(move |_, _| {
            let draw = random.next_u64() % 100;
            let wait = if draw < 30 { 400 } else { 5 + draw };
            (ms(wait), status(if random.next_u64().is_multiple_of(3) { 500 } else { 200 }, "1"))
        });
        let (tekton, _) = mesh(timed, |builder| {
            builder.hedge(config().with_percentile(50)).configure(|config| {
                (config.breaker.enabled, config.retry.base_delay) = (false, Duration::ZERO);
            })
        });
        let (peer, began) = (tekton.peer("notes"), tekton.clock().now());
        const CALLS: usize = 1_000;
        for _ in 0..CALLS / 50 {
            join_all((0..50).map(|_| read(&peer))).await;
        }
        let windows = 1 + (tekton.clock().now() - began).as_secs() as usize / 10;
        let most = CALLS + CALLS * 15 / 100 + windows * (3 + 1);
        assert!(seen.count() <= most && seen.count() > CALLS, "seed {seed}: {} of {most}", seen.count());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_gives_up_all_its_attempts() {
    let (tekton, seen, log) = warm(|_, _| (ms(60_000), status(200, "1")));
    let peer = tekton.peer("notes");
    warm_up(&peer).await;
    let error = peer.request::<Value>("list").safety(Safety::Read).json(&json!({})).timeout(ms(500)).await.unwrap_err();
    assert_eq!((error.kind(), seen.count(), seen.dropped()), (ErrorKind::Timeout, WARM + 2, 2));
    assert_eq!(log.named("hedged")[0].field("outcome"), Some("abandoned"));
    // What was given up counts as slow all the same: the next wait is not shorter for it.
    let mut call = Box::pin(read(&peer));
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    assert_eq!((seen.count(), seen.dropped()), (WARM + 3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_call_replace_the_settings() {
    let (timed, seen) = Timed::new(|_, _| (ms(500), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| builder.hedge(config()));
    let peer = tekton.peer("notes");
    let send = |rules: Option<Rules>| {
        let mut call = CallInfo::new("notes", "list", Safety::Read);
        (call.collect, call.rules) = (Some(1024), rules.map(Arc::new));
        let peer = peer.clone();
        async move { peer.send(Request::new(Method::GET, "/api/v1/list", call)).await.unwrap() }
    };
    send(Some(Rules::standard())).await;
    assert_eq!(seen.count(), 1, "its rules say nothing of hedges");
    let mut eager = Rules::standard();
    eager.hedge = Some(config().with_max_delay(ms(100)).with_max_hedges(3).with_budget_percent(100));
    send(Some(eager.clone())).await;
    assert_eq!(seen.count(), 1 + 2, "the call before paid for nothing: there is the reserve, and no more");
}

#[tokio::test(start_paused = true)]
async fn several_hedges_follow_each_other_by_the_same_wait() {
    let (timed, seen) = Timed::new(|number, _| (if number < 3 { ms(1) } else { ms(1_000) }, status(200, "1")));
    let eager = config().with_max_delay(ms(100)).with_max_hedges(3).with_budget_percent(100);
    let (tekton, _) = mesh(timed, |builder| builder.hedge(eager));
    let peer = tekton.peer("notes");
    for _ in 0..3 {
        read(&peer).await.unwrap();
    }
    let before = seen.count();
    let reply = read(&peer).await.unwrap();
    assert_eq!((reply.attempts(), seen.count()), (4, before + 4));
    assert_eq!(seen.attempts(before), ["1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn it_works_alone_in_a_pipeline() {
    let (timed, seen) = Timed::new(|number, _| (if number == 0 { ms(60_000) } else { ms(1) }, status(200, "1")));
    let clock = SharedClock::default();
    let hedge: Arc<dyn Policy> = Arc::new(Hedge::new(Some(config().with_max_delay(ms(20))), clock.clone()));
    let pipeline = Pipeline::new(vec![hedge], Arc::new(timed), clock.clone());
    let began = clock.now();
    let request = Request::new(Method::GET, "/", CallInfo::new("a", "b", Safety::Read));
    let response = pipeline.send(request.with_endpoint(Endpoint::parse("http://a:1").unwrap())).await.unwrap();
    assert_eq!((response.attempt, response.verdict), (2, Some(Verdict::Success)));
    assert_eq!((clock.now() - began, seen.dropped()), (ms(21), 1));
}
