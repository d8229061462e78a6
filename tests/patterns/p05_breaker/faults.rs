//! Peers that do not answer, policies that panic, callers that give up.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, poll};
use http::StatusCode;
use serde_json::Value;
use tekton_sdk::{
    ErrorKind, Result, Tekton,
    patterns::breaker::BreakerState,
    policy::{Next, Policy},
    testing::EventLog,
    time::{BoxFuture, ManualClock},
    transport::{Body, Request, Response, Transport, TransportCapabilities},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{Bad, SECOND, counted};

#[tokio::test]
async fn a_peer_that_accepts_and_never_answers_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = ManualClock::new();
    let builder = Tekton::builder().clock(clock.clone()).configure(|config| config.breaker.failure_threshold = 2);
    let tekton = builder.build().unwrap();
    let peer = tekton.peer_at(&format!("http://{address}")).unwrap();
    let mut held = Vec::new();
    for _ in 0..2 {
        let accepting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 16]).await.unwrap() > 0, "the request comes");
            clock.advance(3 * SECOND);
            stream
        };
        let call = peer.request::<Value>("op").timeout(3 * SECOND).into_future();
        let (late, stream) = tokio::join!(call, accepting);
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
        held.push(stream);
    }
    let breaker = tekton.breakers().unwrap().of(&address.to_string());
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Open, (2, 2, 0)));
    let refused = peer.request::<Value>("op").into_future().now_or_never().expect("it waits for nothing");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Rejected);
    assert!(listener.accept().now_or_never().is_none(), "nobody connected again");
}

#[tokio::test]
async fn a_permit_that_is_held_at_the_deadline_is_a_failure_and_one_given_up_before_says_nothing() {
    let day = Bad::day(|builder| builder);
    let call = || day.peer.request::<Value>("op").timeout(3 * SECOND).into_future();
    for (after, failed) in [(Duration::ZERO, 0), (3 * SECOND - Duration::from_nanos(1), 0), (3 * SECOND, 1)] {
        day.script.hang();
        let mut call = call();
        assert!(poll!(&mut call).is_pending());
        day.clock.advance(after);
        drop(call);
        assert_eq!(counted(&day.breaker()), (failed, failed, 0), "given up after {after:?}");
    }
    day.script.hang();
    let mut call = call();
    assert!(poll!(&mut call).is_pending());
    day.clock.advance(3 * SECOND);
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((day.breaker().state(), counted(&day.breaker())), (BreakerState::Open, (2, 2, 0)));
}

#[tokio::test]
async fn an_attempts_own_limit_is_a_failure_too() {
    let day = Bad::day(|builder| builder);
    for _ in 0..2 {
        day.script.hang();
        let mut call = day.peer.request::<Value>("op").attempt_timeout(SECOND).into_future();
        assert!(poll!(&mut call).is_pending());
        day.clock.advance(SECOND);
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert_eq!(day.breaker().state(), BreakerState::Open);
}

#[tokio::test]
async fn a_deadline_that_is_past_before_the_call_says_nothing() {
    let day = Bad::day(|builder| builder);
    for _ in 0..5 {
        let late = day.peer.request::<Value>("op").timeout(Duration::ZERO).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Timeout);
    }
    assert_eq!(counted(&day.breaker()), (0, 0, 0));
}

#[tokio::test]
async fn a_slow_peer_opens_the_callers_breaker() {
    let (clock, log) = (ManualClock::new(), EventLog::default());
    let builder =
        Tekton::builder().transport(Yields(1)).clock(clock.clone()).observer(log.clone()).configure(|config| {
            config.breaker.slow_call = Some(2 * SECOND);
            config.breaker.slow_percent = 50;
            config.breaker.min_calls = 4;
        });
    let tekton = builder.build().unwrap();
    let peer = tekton.peer_at("http://engram:8005").unwrap();
    for seconds in [3, 1, 2, 3] {
        let mut call = peer.request::<Value>("op").into_future();
        assert!(poll!(&mut call).is_pending());
        clock.advance(seconds * SECOND);
        call.await.unwrap();
    }
    let breaker = tekton.breakers().unwrap().of("engram:8005");
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Open, (4, 0, 2)));
    assert_eq!(log.named("breaker_changed")[0].field("reason"), Some("slow_rate"));
}

/// Panics before or while it works.
#[derive(Debug)]
struct Panics {
    at_once: bool,
}

impl Policy for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn handle<'a>(&'a self, _request: Request, _next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        assert!(!self.at_once, "as planned");
        Box::pin(async { panic!("as planned") })
    }
}

#[tokio::test]
async fn a_panic_behind_the_breaker_is_a_failure() {
    for at_once in [true, false] {
        let day = Bad::day(|builder| builder.policy(Panics { at_once }));
        for _ in 0..2 {
            let peer = day.peer.clone();
            let call = tokio::spawn(async move { peer.request::<Value>("op").await });
            assert!(call.await.unwrap_err().is_panic());
        }
        assert_eq!((day.breaker().state(), counted(&day.breaker())), (BreakerState::Open, (2, 2, 0)), "{at_once}");
    }
}

/// Answers after it was polled so often.
#[derive(Debug)]
struct Yields(usize);

#[async_trait]
impl Transport for Yields {
    async fn send(&self, _request: Request) -> Result<Response> {
        for _ in 0..self.0 {
            tokio::task::yield_now().await;
        }
        Ok(Response::new(StatusCode::OK, Body::full("7")))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_anywhere_gives_its_probe_back() {
    let clock = ManualClock::new();
    let builder = Tekton::builder().transport(Yields(3)).clock(clock.clone());
    let tekton = builder.configure(|config| config.breaker.half_open_calls = 1).build().unwrap();
    let peer = tekton.peer_at("http://engram:8005").unwrap();
    let breaker = tekton.breakers().unwrap().of("engram:8005");
    let mut polls = 0;
    loop {
        breaker.half_open();
        let mut call = peer.request::<Value>("op").into_future();
        let mut done = false;
        for _ in 0..polls {
            done = poll!(&mut call).is_ready();
        }
        drop(call);
        if done {
            assert_eq!(breaker.state(), BreakerState::Closed);
            break;
        }
        assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::HalfOpen, (0, 0, 0)), "{polls} polls");
        drop(breaker.acquire().expect("the probe came back"));
        polls += 1;
    }
    assert!(polls > 3, "it waited at several places: {polls}");
}
