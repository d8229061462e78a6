//! What counts as a failure: one classification for breaker, retry and metrics, and refusals that feed none of them.

use std::time::Duration;

use http::{HeaderValue, header::RETRY_AFTER};
use tekton_sdk::{
    ErrorKind, Result, Verdict,
    patterns::breaker::{BreakerState, ByResult, CircuitBreaker},
    policy::Classify,
    testing::RecordedEvent,
    transport::{Response, Safety},
};

use super::{Bad, SECOND, breaker, counted, in_a_row};

#[tokio::test]
async fn answers_of_4xx_are_no_failures_but_408_and_429_are() {
    for status in [400, 401, 403, 404, 405, 409, 410, 412, 422] {
        let day = Bad::day(|builder| builder);
        for _ in 0..30 {
            day.script.answer(status, "");
            day.write().await.unwrap_err();
        }
        assert_eq!((day.breaker().state(), counted(&day.breaker())), (BreakerState::Closed, (30, 0, 0)), "{status}");
    }
    for status in [408, 429, 500, 502, 503, 504, 507] {
        let day = Bad::day(|builder| builder);
        day.script.answer(status, "").answer(status, "");
        day.write().await.unwrap_err();
        // The other way to call judges the same, although its outcome is no error.
        assert_eq!(day.peer.request::<()>("op").send().await.unwrap().status, status);
        assert_eq!(day.breaker().state(), BreakerState::Open, "{status}");
    }
}

#[tokio::test]
async fn failures_of_the_road_open_it_and_those_of_this_side_do_not() {
    for kind in [ErrorKind::Connect, ErrorKind::Interrupted, ErrorKind::Timeout] {
        let day = Bad::day(|builder| builder.configure(|config| config.retry.max_attempts = 1));
        day.script.fail(kind).fail(kind);
        for _ in 0..2 {
            assert_eq!(day.write().await.unwrap_err().kind(), kind);
        }
        assert_eq!(day.breaker().state(), BreakerState::Open, "{kind}");
    }
    for kind in [ErrorKind::Rejected, ErrorKind::Invalid, ErrorKind::Closed, ErrorKind::Cancelled, ErrorKind::NotFound]
    {
        let day = Bad::day(|builder| builder);
        for _ in 0..5 {
            day.script.fail(kind);
            assert_eq!(day.write().await.unwrap_err().kind(), kind);
        }
        assert_eq!((day.breaker().state(), counted(&day.breaker())), (BreakerState::Closed, (0, 0, 0)), "{kind}");
    }
}

#[tokio::test]
async fn refusals_feed_neither_the_breaker_nor_the_retry_nor_the_budget() {
    let day = Bad::day(|builder| builder);
    day.script.answer(503, "").answer(503, "");
    for _ in 0..2 {
        day.write().await.unwrap_err();
    }
    let budget = |day: &Bad| day.tekton.introspect()["retry_budgets"]["left"]["engram:8005"].clone();
    let (before, window) = (budget(&day), counted(&day.breaker()));
    for _ in 0..100 {
        let error = day.peer.request::<()>("op").safety(Safety::Read).await.unwrap_err();
        assert_eq!((error.kind(), error.verdict(), error.attempts()), (ErrorKind::Rejected, Some(Verdict::Ignored), 1));
        assert!(error.retry_after().is_some_and(|wait| wait >= 5 * SECOND), "{error:?}");
    }
    assert_eq!(day.script.requests().len(), 2, "nothing was sent");
    assert_eq!((budget(&day), counted(&day.breaker())), (before, window));
    assert!(day.log.named("retrying").is_empty());
    assert_eq!((day.breaker().snapshot().refused, day.log.named("breaker_refused").len()), (100, 100));
    let ignored = |event: &&RecordedEvent| event.field("verdict") == Some("ignored");
    assert_eq!(day.log.named("attempt_ended").iter().filter(ignored).count(), 100);
    let sum = r#"integration_attempts_total{endpoint="op",source="tester",target="engram:8005",verdict="ignored"} 100"#;
    assert!(day.metrics().contains(sum), "{}", day.metrics());
}

#[tokio::test]
async fn a_retry_ends_where_the_breaker_opens() {
    let day = Bad::day(|builder| {
        builder
            .configure(|config| config.retry.base_delay = Duration::ZERO)
            .backoff(tekton_sdk::policy::Backoff::new(|| std::iter::repeat(Duration::ZERO)))
    });
    day.script.answer(503, "").answer(503, "");
    let error = day.peer.request::<()>("op").safety(Safety::Read).await.unwrap_err();
    assert_eq!((error.kind(), day.script.requests().len()), (ErrorKind::Rejected, 2));
    assert_eq!(day.breaker().state(), BreakerState::Open);
}

#[tokio::test]
async fn one_classification_is_read_by_breaker_retry_and_metrics() {
    let empty_is_bad = |outcome: &Result<Response>| match outcome {
        Ok(response) if response.body.as_bytes().is_none_or(|body| body.is_empty()) => Verdict::Failure,
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Ignored,
    };
    let day = Bad::day(|builder| builder.classify(empty_is_bad));
    for _ in 0..10 {
        day.script.answer(503, "");
        day.write().await.unwrap_err();
    }
    assert_eq!(counted(&day.breaker()), (0, 0, 0), "errors say nothing, says this one");

    day.script.answer(200, "").answer(200, "full");
    let call = day.peer.request::<()>("op").safety(Safety::Read).send();
    let moving = async {
        day.clock.until_sleeping(2).await;
        day.clock.advance(10 * SECOND);
    };
    let (response, ()) = tokio::join!(call, moving);
    assert_eq!(response.unwrap().attempt, 2, "the retry takes an empty answer for a failure");
    assert_eq!(counted(&day.breaker()), (2, 1, 0), "and so does the breaker");
    for (verdict, count) in [("failure", 1), ("success", 1), ("ignored", 10)] {
        let line = format!("target=\"engram:8005\",verdict=\"{verdict}\"}} {count}\n");
        assert!(day.metrics().contains(&line), "{line}");
    }
    day.script.answer(200, "").answer(200, "");
    for _ in 0..2 {
        day.peer.request::<()>("op").send().await.unwrap();
    }
    assert_eq!(day.breaker().state(), BreakerState::Open);
}

#[tokio::test]
async fn what_the_opening_failure_asks_for_becomes_the_wait() {
    for (value, wait) in [
        ("30", Some(30)),
        ("Thu, 01 Jan 2026 00:00:40 GMT", Some(40)),
        ("86400", Some(300)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(300)),
        ("1", None),
        ("soon", None),
        ("-5", None),
    ] {
        for collected in [true, false] {
            let day = Bad::day(|builder| builder);
            day.script.answer(503, "").header(RETRY_AFTER, HeaderValue::from_static("200"));
            day.script.answer(503, "").header(RETRY_AFTER, HeaderValue::from_static(value));
            for _ in 0..2 {
                if collected {
                    day.write().await.unwrap_err();
                } else {
                    day.peer.request::<()>("op").send().await.unwrap();
                }
            }
            let told = day.write().await.unwrap_err().retry_after().unwrap();
            match wait {
                Some(wait) => assert_eq!(told, wait * SECOND, "{value}"),
                None => assert!((5 * SECOND..=SECOND * 11 / 2).contains(&told), "{value}: {told:?}, the settings' own"),
            }
        }
    }
}

#[tokio::test]
async fn a_breaker_alone_can_judge_results_as_well_as_errors() {
    let (alone, _clock) = breaker(in_a_row(2));
    let empty_is_bad = |outcome: &Result<Vec<u8>>| match outcome {
        Ok(bytes) if bytes.is_empty() => Verdict::Failure,
        other => ByResult::default().classify(other),
    };
    for outcome in [Ok(vec![1]), Err(tekton_sdk::Error::invalid("a wrong argument")), Ok(vec![2])] {
        let _ = alone.call_judged(&empty_is_bad, async { outcome }).await;
    }
    assert_eq!(counted(&alone), (2, 0, 0));
    for outcome in [Ok(Vec::new()), Err(tekton_sdk::Error::internal("it broke"))] {
        let _ = alone.call_judged(&empty_is_bad, async { outcome }).await;
    }
    assert_eq!(alone.state(), BreakerState::Open);
    let refused = CircuitBreaker::call_judged(&alone, &empty_is_bad, async { Ok(vec![1]) }).await.unwrap_err();
    assert_eq!((refused.kind(), refused.sent()), (ErrorKind::Rejected, tekton_sdk::Sent::No));
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::test]
async fn a_refusal_of_another_breaker_feeds_none_that_stands_around_it() {
    let (inner, _) = breaker(in_a_row(1));
    inner.force_open();
    let (ours, _) = breaker(in_a_row(1));
    let (bare, _) = breaker(in_a_row(1));
    let (boxed, _) = breaker(in_a_row(1));
    for _ in 0..3 {
        let refused = ours.call(async { inner.call(async { Ok::<_, tekton_sdk::Error>(()) }).await }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Rejected);
        let refused = bare.call_sync(|| inner.acquire().map(drop));
        assert_eq!(refused.unwrap_err().state, BreakerState::ForcedOpen);
        let refused = boxed.call_sync(|| inner.call_sync(|| Ok::<_, Boxed>(())));
        assert!(refused.unwrap_err().is::<tekton_sdk::patterns::breaker::Refused>());
    }
    for breaker in [&ours, &bare, &boxed] {
        assert_eq!((breaker.state(), breaker.snapshot().calls), (BreakerState::Closed, 0));
    }
    // An error of the SDK is judged by its kind, in a box too; any other is a failure.
    let missing = || tekton_sdk::Error::new(ErrorKind::NotFound, "nobody is registered");
    assert!(ours.call_sync(|| Err::<(), _>(missing())).is_err());
    assert!(boxed.call_sync(|| Err::<(), Boxed>(missing().into())).is_err());
    assert_eq!((ours.snapshot().calls, boxed.snapshot().calls), (0, 0));
    assert!(boxed.call_sync(|| Err::<(), Boxed>("it is down".into())).is_err());
    assert_eq!(boxed.state(), BreakerState::Open);
}
