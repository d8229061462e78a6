//! Room 1 on a bad day: what is tried again, how long it waits, and how much of it a target has to bear.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, future::join_all, poll, stream};
use http::{HeaderValue, Method, StatusCode, header::RETRY_AFTER};
use tekton_sdk::{
    Context, Error, ErrorKind, Peer, Result, Tekton, Verdict,
    config::TektonBuilder,
    patterns::request::Reply,
    policy::{Backoff, Next, Policy},
    telemetry::{Event, Observer},
    testing::{Script, ScriptedTransport},
    time::{BoxFuture, ManualClock},
    transport::{Body, Request, Response, Safety, Transport, TransportCapabilities},
    wire::headers,
};

const KEY: http::HeaderName = headers::IDEMPOTENCY_KEY;

/// What a retry was told, as `retrying 2 after 100ms: connect` and `not retried after 4: attempts`.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::Retrying { attempt, wait, reason, .. } => format!("retrying {attempt} after {wait:?}: {reason}"),
            Event::NotRetried { attempts, reason, .. } => format!("not retried after {attempts}: {reason}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

/// A handle over a script, on a clock moved by hand, whose own waits are 100 ms, 200 ms, 400 ms.
struct Bad {
    tekton: Tekton,
    peer: Peer,
    script: Script,
    clock: ManualClock,
    told: Told,
}

impl Bad {
    fn day() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Self {
        let (transport, script) = ScriptedTransport::new();
        let (clock, told) = (ManualClock::new(), Told::default());
        let waits = || (0..).map(|doubled| Duration::from_millis(100) * 2_u32.pow(doubled));
        let builder = Tekton::builder()
            .transport(transport)
            .clock(clock.clone())
            .observer(told.clone())
            .backoff(Backoff::new(waits))
            // Enough for tests that are about something else; and a breaker would refuse most of what fails here.
            .configure(|config| {
                config.retry.budget_reserve = 1000;
                config.breaker.enabled = false;
            });
        let tekton = change(builder).build().unwrap();
        let peer = tekton.peer_at("http://engram:8005").unwrap();
        Self { tekton, peer, script, clock, told }
    }

    /// Runs work to its end, moving the clock by 50 ms whenever it waits.
    async fn run<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        for _ in 0..200_000 {
            if let std::task::Poll::Ready(done) = poll!(work.as_mut()) {
                return done;
            }
            self.clock.advance(Duration::from_millis(50));
        }
        panic!("it never ends");
    }

    async fn read(&self) -> Result<Reply<u8>> {
        self.run(self.peer.request("op").safety(Safety::Read).into_future()).await
    }

    async fn write(&self) -> Result<Reply<u8>> {
        self.run(self.peer.request("op").into_future()).await
    }
}

fn retry_after(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_read_is_tried_again_and_says_how_often() {
    let day = Bad::day();
    day.script.answer(503, "").fail(ErrorKind::Interrupted).fail(ErrorKind::Connect).answer(200, "7");
    let reply = day.read().await.unwrap();
    assert_eq!((*reply, reply.attempts()), (7, 4));
    let told = ["2 after 100ms: status_503", "3 after 200ms: interrupted", "4 after 400ms: connect"];
    assert_eq!(day.told.take(), told.map(|line| format!("retrying {line}")));
    let attempts: Vec<_> = day.script.requests().iter().map(|sent| headers::attempt(&sent.headers)).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);

    day.script.answer(503, "").answer(429, "").answer(500, "").answer(504, "");
    let error = day.read().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.verdict()), (ErrorKind::Timeout, 4, Some(Verdict::Failure)));
    assert_eq!(day.told.take().last().unwrap(), "not retried after 4: attempts");
}

#[tokio::test]
async fn what_would_fail_again_and_what_this_side_refused_is_not_tried_again() {
    let day = Bad::day();
    for status in [400, 401, 404, 409, 412, 422, 425, 501, 505] {
        day.script.answer(status, "");
        let error = day.read().await.unwrap_err();
        assert_eq!((error.remote().unwrap().status(), error.attempts()), (status, 1));
    }
    assert!(day.told.take().is_empty(), "nothing forbids those retries but the failures themselves");

    #[derive(Debug)]
    struct Refuses;
    impl Policy for Refuses {
        fn name(&self) -> &'static str {
            "refuses"
        }
        fn handle<'a>(&'a self, _request: Request, _next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
            let full = Error::new(ErrorKind::Rejected, "full").with_retry_after(Duration::from_millis(1));
            Box::pin(std::future::ready(Err(full)))
        }
    }
    let day = Bad::with(|builder| builder.policy(Refuses));
    let error = day.read().await.unwrap_err();
    assert_eq!((error.verdict(), error.attempts()), (Some(Verdict::Ignored), 1));
    assert!(day.told.take().is_empty());
    let left = &day.tekton.introspect()["retry_budgets"]["left"]["engram:8005"];
    assert_eq!(left, 1000.0, "a call that never went out pays for no retry");
}

#[tokio::test]
async fn a_write_is_tried_again_only_where_it_was_not_sent_or_has_a_key() {
    let day = Bad::day();
    day.script.fail(ErrorKind::Connect).fail(ErrorKind::Interrupted);
    let error = day.write().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Interrupted, 2));
    assert_eq!(day.told.take(), ["retrying 2 after 100ms: connect", "not retried after 2: unsafe"]);
    assert!(day.script.requests().iter().all(|sent| !sent.headers.contains_key(KEY)));

    for status in [503, 429] {
        day.script.answer(status, "").header(RETRY_AFTER, HeaderValue::from(0));
        assert_eq!(day.write().await.unwrap_err().attempts(), 1);
        assert_eq!(day.told.take(), ["not retried after 1: unsafe"]);
    }
    for call in [
        day.peer.request("op").idempotency_key("k-1"),
        day.peer.request("op").header(KEY, HeaderValue::from_static("k-1")),
        day.peer.request("op").idempotency_key("k-1").safety(Safety::Write),
        day.peer.request("op").safety(Safety::Idempotent).idempotency_key("k-1"),
    ] {
        let before = day.script.requests().len();
        day.script.answer(503, "").fail(ErrorKind::Timeout).answer(200, "7");
        let reply: Reply<u8> = day.run(call.into_future()).await.unwrap();
        assert_eq!(reply.attempts(), 3);
        let keys: Vec<_> = day.script.requests()[before..].iter().map(|sent| sent.headers[KEY].clone()).collect();
        assert_eq!(keys, ["k-1"; 3]);
    }
}

#[tokio::test]
async fn a_key_is_drawn_once_for_a_call_and_repeated_on_every_attempt() {
    let day = Bad::day();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let before = day.script.requests().len();
        day.script.answer(503, "").fail(ErrorKind::Interrupted).answer(200, "7");
        let call = day
            .peer
            .request::<u8>("op")
            .safety(Safety::Idempotent)
            .query("q", "1")
            .body(HeaderValue::from_static("text/plain"), Body::full("the same body"));
        assert_eq!(day.run(call.into_future()).await.unwrap().attempts(), 3);
        let sent = day.script.requests().split_off(before);
        assert!(sent.iter().all(|sent| sent.body == "the same body" && sent.query.as_deref() == Some("q=1")));
        assert!(sent.iter().all(|other| other.headers[KEY] == sent[0].headers[KEY]));
        keys.push(sent[0].headers[KEY].clone());
    }
    assert!(keys[0] != keys[1] && keys[0].len() == 32, "{keys:?}");

    day.script.answer(200, "7").answer(200, "7");
    day.read().await.unwrap();
    day.run(day.peer.request::<u8>("op").method(Method::PUT).into_future()).await.unwrap();
    let sent = day.script.requests();
    assert!(sent[6..].iter().all(|sent| !sent.headers.contains_key(KEY)), "PUT and reads need none");
}

#[tokio::test]
async fn a_stream_is_never_sent_twice() {
    let day = Bad::day();
    for kind in [ErrorKind::Connect, ErrorKind::Interrupted] {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let body = Body::stream(stream::once(async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from_static(b"once"))
        }));
        day.script.fail(kind);
        let call = day.peer.request::<u8>("op").idempotency_key("k").body(HeaderValue::from_static("text/plain"), body);
        let error = day.run(call.into_future()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts(), read.load(Ordering::Relaxed)), (kind, 1, 1));
        assert_eq!(day.told.take(), ["not retried after 1: stream"]);
    }
}

#[tokio::test]
async fn a_result_that_is_a_failure_is_tried_again_like_an_error() {
    let day = Bad::day();
    let send = |safety| day.run(day.peer.request::<u8>("op").safety(safety).send());
    day.script.answer(503, "busy").header(RETRY_AFTER, HeaderValue::from(2)).answer(200, "fine");
    let response = send(Safety::Read).await.unwrap();
    assert_eq!((response.status, response.attempt, response.verdict), (StatusCode::OK, 2, Some(Verdict::Success)));
    assert_eq!(response.into_body().collect(10).await.unwrap(), "fine");
    assert_eq!(day.told.take(), ["retrying 2 after 2s: status_503"]);
    for (status, safety, told) in [
        (404, Safety::Read, None),
        (501, Safety::Read, None),
        (503, Safety::Write, Some("not retried after 1: unsafe")),
    ] {
        day.script.answer(status, "as it came");
        let response = send(safety).await.unwrap();
        assert_eq!((response.status.as_u16(), response.attempt), (status, 1));
        assert_eq!(
            response.into_body().collect(10).await.unwrap(),
            "as it came",
            "the last answer is handed out whole"
        );
        assert_eq!(day.told.take(), told.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_classification_decides_what_a_failure_is() {
    let day = Bad::with(|builder| {
        builder.classify(|outcome: &Result<Response>| match outcome {
            Ok(response) if response.body.as_bytes().is_none() => Verdict::Failure,
            _ => Verdict::Success,
        })
    });
    day.script.answer(200, "").answer(200, "full");
    let response = day.run(day.peer.request::<u8>("op").safety(Safety::Read).send()).await.unwrap();
    assert_eq!((response.attempt, response.verdict), (2, Some(Verdict::Success)));
    day.script.answer(503, "");
    assert_eq!(day.read().await.unwrap_err().attempts(), 1, "it says that a 503 is none");
}

#[tokio::test]
async fn every_wrong_retry_after_leaves_the_wait_to_the_backoff() {
    let day = Bad::day();
    for wrong in [
        "",
        "-1",
        "+5",
        "1.5",
        "5s",
        "0x10",
        "5, 6",
        "soon",
        "\u{ff}",
        "2026-01-01T00:00:05Z",
        "Fri, 01 Jan 2026 00:00:05 GMT",
        "Thu, 01 Jan 2026 00:00:05 CET",
        "Thu, 32 Jan 2026 00:00:05 GMT",
        "Thu, 1 Jan 2026 00:00:05 GMT",
        "Friday, 01-Jan-26 00:00:05 GMT",
        "Thu Jan 1 00:00:05 2026",
    ] {
        day.script.answer(503, "").header(RETRY_AFTER, retry_after(wrong)).answer(200, "7");
        assert_eq!(day.read().await.unwrap().attempts(), 2, "{wrong:?}");
        assert_eq!(day.told.take(), ["retrying 2 after 100ms: status_503"], "{wrong:?}");
    }
}

#[tokio::test]
async fn a_right_retry_after_is_waited_for_in_every_form() {
    for (value, wait) in [
        ("7", "7s"),
        ("0", "100ms"),
        ("Thu, 01 Jan 2026 00:00:05 GMT", "5s"),
        ("Thursday, 01-Jan-26 00:00:05 GMT", "5s"),
        ("Thu Jan  1 00:00:05 2026", "5s"),
        ("Wed, 31 Dec 2025 23:59:55 GMT", "100ms"),
    ] {
        let day = Bad::day();
        day.script.answer(503, "").header(RETRY_AFTER, retry_after(value)).answer(200, "7");
        day.read().await.unwrap();
        assert_eq!(day.told.take(), [format!("retrying 2 after {wait}: status_503")], "{value}");
    }
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let day = Bad::day();
    for value in ["30", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        day.script.answer(503, "").header(RETRY_AFTER, retry_after(value));
        let call = day.peer.request::<u8>("op").safety(Safety::Read).timeout(Duration::from_secs(30));
        // Without the clock being moved: the failure comes at once.
        let error = call.into_future().now_or_never().expect("there is no wait").unwrap_err();
        let told = error.retry_after().unwrap();
        assert!(told >= Duration::from_secs(30) && told <= Duration::from_secs(3600), "{told:?}");
        assert_eq!((error.remote().unwrap().status(), error.attempts()), (503, 1));
        assert_eq!(day.told.take(), ["not retried after 1: deadline"]);
    }
    day.script.answer(503, "").header(RETRY_AFTER, retry_after("99999999999")).answer(200, "7");
    let call = day.peer.request::<u8>("op").safety(Safety::Read).timeout(Duration::from_secs(9000));
    assert_eq!(day.run(call.into_future()).await.unwrap().attempts(), 2);
    assert_eq!(day.told.take(), ["retrying 2 after 3600s: status_503"], "more than an hour is not believed");
}

#[tokio::test]
async fn a_wall_clock_that_goes_backwards_neither_lengthens_a_wait_nor_breaks_one() {
    let day = Bad::day();
    day.script.answer(503, "").header(RETRY_AFTER, retry_after("Thu, 01 Jan 2026 00:00:05 GMT")).answer(200, "7");
    let mut call = pin!(day.peer.request::<u8>("op").safety(Safety::Read).into_future());
    assert!(poll!(call.as_mut()).is_pending());
    day.clock.set_wall(SystemTime::UNIX_EPOCH);
    day.clock.advance(Duration::from_millis(4_999));
    assert!(poll!(call.as_mut()).is_pending());
    day.clock.advance(Duration::from_millis(1));
    assert_eq!(call.await.unwrap().attempts(), 2);
    day.told.take();

    // Read by a clock that stands in 1969, the date is more than an hour ahead: longer than this call has.
    day.clock.set_wall(SystemTime::UNIX_EPOCH - Duration::from_secs(9));
    day.script.answer(503, "").header(RETRY_AFTER, retry_after("Thu, 01 Jan 2026 00:00:05 GMT"));
    assert_eq!(day.read().await.unwrap_err().retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(day.told.take(), ["not retried after 1: deadline"]);
}

#[tokio::test]
async fn a_nested_call_repeats_only_what_was_certainly_not_sent() {
    for (attempt, told) in
        [(0, "retrying 2 after 100ms: status_503"), (1, "nested"), (2, "nested"), (u32::MAX, "nested")]
    {
        let day = Bad::day();
        day.script.answer(503, "");
        if attempt == 0 {
            day.script.answer(200, "7");
        }
        let _ = Context::new().with_attempt(attempt).scope(day.read()).await;
        assert!(day.told.take()[0].ends_with(told), "{attempt}");

        day.script.fail(ErrorKind::Connect).answer(200, "7");
        let reply = Context::new().with_attempt(attempt).scope(day.read()).await.unwrap();
        assert_eq!(reply.attempts(), 2, "{attempt}");
    }
}

#[tokio::test]
async fn giving_up_anywhere_leaves_nothing_behind() {
    let mut polls = 0;
    loop {
        polls += 1;
        let day = Bad::day();
        day.script.answer(503, "").fail(ErrorKind::Connect).answer(200, "7");
        let mut call = Box::pin(day.peer.request::<u8>("op").safety(Safety::Read).into_future());
        let mut done = false;
        for _ in 0..polls {
            done = poll!(call.as_mut()).is_ready();
            if done {
                break;
            }
            day.clock.advance(Duration::from_millis(50));
        }
        drop(call);
        assert_eq!(day.clock.sleepers(), 0, "no timer is left after {polls} polls");
        let sent = day.script.requests().len();
        day.clock.advance(Duration::from_secs(60));
        assert_eq!(day.script.requests().len(), sent, "nothing is sent for a call that was given up");
        while day.script.left() > 0 {
            let _ = day.write().await;
        }
        if done {
            break;
        }
    }
    assert!(polls > 5, "it waited at several places: {polls}");
}

#[tokio::test]
async fn one_budget_is_shared_by_all_clients_of_a_target() {
    let day = Bad::with(|builder| builder.configure(|config| config.retry.budget_reserve = 2));
    let other = day.tekton.calling_as("other").peer_at("http://engram:8005").unwrap();
    fn call(peer: &Peer) -> BoxFuture<'_, Result<Reply<u8>>> {
        peer.request("op").safety(Safety::Read).into_future()
    }
    day.script.fail(ErrorKind::Connect).fail(ErrorKind::Connect).answer(200, "7");
    assert_eq!(day.run(call(&other)).await.unwrap().attempts(), 3);
    day.told.take();
    day.script.answer(503, "");
    assert_eq!(day.read().await.unwrap_err().attempts(), 1);
    assert_eq!(day.told.take(), ["not retried after 1: budget"]);

    let elsewhere = day.tekton.peer_at("http://athena:8005").unwrap();
    day.script.answer(503, "").answer(200, "7");
    assert_eq!(day.run(call(&elsewhere)).await.unwrap().attempts(), 2, "another target has its own");

    let shown = &day.tekton.introspect()["retry_budgets"];
    assert_eq!((&shown["reserve"], &shown["percent"]), (&2.into(), &10.into()));
    let left = |target: &str| (shown["left"][target].as_f64().unwrap() * 10.0).round();
    assert_eq!((left("engram:8005"), left("athena:8005")), (2.0, 11.0), "a tenth for each call that went out");

    day.clock.advance(Duration::from_secs(10));
    day.script.answer(503, "").answer(200, "7");
    assert_eq!(day.read().await.unwrap().attempts(), 2, "the reserve is back");
}

/// Answers every tenth request, and 503 to all others.
#[derive(Clone, Debug, Default)]
struct Tenth(Arc<AtomicUsize>);

#[async_trait]
impl Transport for Tenth {
    async fn send(&self, _request: Request) -> Result<Response> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(
            if number % 10 == 9 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE },
            Body::full("7"),
        ))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

/// How many attempts 100 clients make for so many calls each, one after the other.
async fn attempts_of_a_hundred_clients(calls: usize, change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> usize {
    let peer = Tenth::default();
    let builder = Tekton::builder().transport(peer.clone()).configure(|config| config.breaker.enabled = false);
    let tekton = change(builder).build().unwrap();
    join_all((0..100).map(|number| {
        let client = tekton.calling_as(format!("client-{number}")).peer_at("http://engram:8005").unwrap();
        async move {
            for _ in 0..calls {
                let _ = client.request::<u8>("op").safety(Safety::Read).await;
            }
        }
    }))
    .await;
    peer.0.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clients_do_not_bury_a_peer_at_a_tenth_of_its_capacity() {
    for calls in [1, 2, 10, 100] {
        let attempts = attempts_of_a_hundred_clients(calls, |builder| builder).await;
        assert!(attempts < 115 * calls, "{attempts} attempts of {} calls", 100 * calls);
        assert!(attempts > 101 * calls, "{attempts} attempts of {} calls: the budget is used", 100 * calls);
    }
    let unbounded = |builder: TektonBuilder| {
        builder.configure(|config| {
            config.retry.budget_percent = 100;
            config.retry.budget_reserve = 100_000;
        })
    };
    let attempts = attempts_of_a_hundred_clients(10, unbounded).await;
    assert!(attempts > 3_000, "{attempts}: without a budget three calls become ten");
}
