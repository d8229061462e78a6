//! Equal reads share an answer, and nothing but equal reads does.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::future::{join_all, poll_immediate};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tekton_sdk::{
    Context, ErrorKind, Peer, Result, Tekton,
    config::TektonBuilder,
    context::Identity,
    patterns::request::{Call, Reply},
    policy::{Next, Policy, ReplyCache, Reuse, ReuseConfig},
    random::Random,
    time::BoxFuture,
    transport::{Origin, Request, Response, Safety},
    wire::baggage::Baggage,
};

use crate::timed::{Seen, Timed, mesh, metrics, ms, status};

const MINUTE: Duration = Duration::from_secs(60);

fn keeping() -> ReuseConfig {
    ReuseConfig::default().with_ttl(MINUTE)
}

fn once(builder: TektonBuilder) -> TektonBuilder {
    builder.configure(|config| (config.retry.max_attempts, config.breaker.enabled) = (1, false))
}

/// A handle that reuses, over answers that come after 10 ms and hold the number of the request.
fn numbered(config: ReuseConfig) -> (Tekton, Seen) {
    answering(config, |number, _| answer(StatusCode::OK, number.to_string()))
}

fn answering(
    config: ReuseConfig,
    mut answer: impl FnMut(usize, &Request) -> Response + Send + 'static,
) -> (Tekton, Seen) {
    let (timed, seen) = Timed::new(move |number, request| (ms(10), Ok(answer(number, request))));
    let (tekton, _) = mesh(timed, |builder| once(builder).reuse(config));
    (tekton, seen)
}

fn answer(status: StatusCode, body: String) -> Response {
    Response::new(status, bytes::Bytes::from(body))
}

fn call(peer: &Peer) -> Call<'_, Value> {
    peer.request("list").safety(Safety::Read).json(&json!({"of": "me"}))
}

async fn read(peer: &Peer) -> Result<Reply<Value>> {
    call(peer).await
}

fn header(name: &'static str, value: &str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_equal_reads_at_once_are_one_request() {
    let (tekton, seen) = numbered(ReuseConfig::default());
    let peer = tekton.peer("notes");
    let replies = join_all((0..10_000).map(|_| read(&peer))).await;
    assert_eq!(seen.count(), 1);
    let origins = replies.iter().map(|reply| {
        let reply = reply.as_ref().unwrap();
        assert_eq!(**reply, json!(0));
        (reply.origin().clone(), reply.attempts())
    });
    let count = origins.fold(HashMap::new(), |mut count: HashMap<_, u32>, (origin, attempts)| {
        *count.entry((origin.name(), attempts)).or_default() += 1;
        count
    });
    assert_eq!(count, HashMap::from([(("callee", 1), 1), (("shared", 0), 9_999)]));
    let line = r#"integration_stood_in_total{endpoint="list",origin="shared",source="tester",target="notes"} 9999"#;
    assert!(metrics(&tekton).contains(line));
    assert_eq!(*read(&peer).await.unwrap(), json!(1), "nothing is kept without a ttl");
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_serves_until_it_is_too_old() {
    let (tekton, seen) = numbered(keeping());
    let peer = tekton.peer("notes");
    assert_eq!(read(&peer).await.unwrap().origin(), &Origin::Callee);
    tekton.clock().sleep(MINUTE - ms(1)).await;
    let kept = read(&peer).await.unwrap();
    assert_eq!((kept.origin(), kept.attempts()), (&Origin::Cached(MINUTE - ms(1)), 0));
    assert_eq!((&*kept, &kept.headers()["age"]), (&json!(0), &HeaderValue::from(59)));
    tekton.clock().sleep(ms(1)).await;
    assert_eq!((read(&peer).await.unwrap().into_inner(), seen.count()), (json!(1), 2));
    assert_eq!(tekton.introspect()["replies"]["hits"], json!(1));
}

#[tokio::test(start_paused = true)]
async fn what_differs_in_anything_is_not_reused() {
    type Change = (&'static str, Box<dyn for<'a> Fn(Call<'a, Value>) -> Call<'a, Value>>);
    let with = |name: &'static str, value: &'static str| -> Change {
        let (name, value) = header(name, value);
        (value_name(&name), Box::new(move |call| call.header(name.clone(), value.clone())))
    };
    let changes: Vec<Change> = vec![
        ("nothing", Box::new(|call| call)),
        with("authorization", "Bearer a"),
        with("authorization", "Bearer b"),
        with("cookie", "session=a"),
        with("x-tekton-tenant", "acme"),
        with("accept", "text/plain"),
        with("accept-language", "de"),
        with("range", "bytes=0-1"),
        with("x-api-version", "2"),
        with("baggage", "tenant=acme"),
        with("idempotency-key", "k"),
        ("body", Box::new(|call| call.json(&json!({"of": "you"})))),
        ("no body", Box::new(|call| call.body(HeaderValue::from_static("application/json"), bytes::Bytes::new()))),
        ("query", Box::new(|call| call.query("a", "b"))),
        ("another query", Box::new(|call| call.query("a", "c"))),
        ("method", Box::new(|call| call.method(Method::GET))),
        ("version", Box::new(|call| call.api_version(2))),
        ("path", Box::new(|call| call.path("/other"))),
        ("cap", Box::new(|call| call.max_response_bytes(77))),
    ];
    for config in [keeping(), ReuseConfig::default()] {
        let (tekton, seen) = numbered(config);
        let peer = tekton.peer("notes");
        let replies = join_all(changes.iter().map(|(_, change)| async { change(call(&peer)).await.unwrap() })).await;
        assert_eq!(seen.count(), changes.len(), "each has its own request");
        if config.ttl.is_some() {
            for ((name, change), first) in changes.iter().zip(replies) {
                let again = change(call(&peer)).await.unwrap();
                assert_eq!(*again, *first, "{name} is given its own answer again");
            }
            assert_eq!(seen.count(), changes.len());
        }
    }
}

fn value_name(name: &HeaderName) -> &'static str {
    // The names of the table are constants; the text is for the message of a failure alone.
    Box::leak(name.as_str().to_owned().into_boxed_str())
}

#[tokio::test(start_paused = true)]
async fn an_answer_never_crosses_from_one_caller_to_another() {
    for config in [keeping(), ReuseConfig::default()] {
        let (tekton, seen) = numbered(config);
        let other = tekton.calling_as("other");
        let (mine, others) = (tekton.peer("notes"), other.peer("notes"));
        let as_caller = |caller: Option<&str>, tenant: Option<&str>| {
            let mut context = Context::new();
            if let Some(caller) = caller {
                context = context.with_caller(caller);
            }
            if let Some(tenant) = tenant {
                context = context.with_baggage(Baggage::default().with("tenant", tenant).unwrap());
            }
            let mine = mine.clone();
            async move { context.scope(async { read(&mine).await.unwrap().into_inner() }).await }
        };
        let replies = tokio::join!(
            async { read(&mine).await.unwrap().into_inner() },
            async { read(&others).await.unwrap().into_inner() },
            as_caller(None, None),
            as_caller(Some("a"), None),
            as_caller(Some("b"), None),
            as_caller(None, Some("a")),
            as_caller(Some("a"), Some("a")),
            as_caller(Some("a"), Some("b")),
        );
        assert_eq!(seen.count(), 8);
        let readers = [
            Identity::new("reader"),
            Identity::new("writer"),
            Identity::new("reader").with_scopes(["notes"]),
            Identity::new("reader").with_scopes(["notes", "secrets"]),
        ];
        let as_reader = |identity: Identity| Context::new().with_identity(Some(identity)).scope(read(&mine));
        for reply in join_all(readers.map(as_reader)).await {
            assert!(reply.is_ok());
        }
        assert_eq!(seen.count(), 12, "each identity and each set of scopes is another caller");
        let again = as_caller(Some("a"), Some("b")).await;
        assert_eq!(again == replies.7, config.ttl.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_each_calls_own_does_not_keep_equal_reads_apart() {
    let (tekton, seen) = numbered(keeping());
    let peer = tekton.peer("notes");
    for (name, value) in [
        header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        header("x-tekton-deadline-ms", "7"),
        header("x-tekton-attempt", "3"),
    ] {
        call(&peer).header(name, value).timeout(ms(900)).await.unwrap();
    }
    call(&peer).attempt_timeout(ms(500)).await.unwrap();
    assert_eq!(seen.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn writes_streams_large_requests_and_foreign_values_are_never_reused() {
    let (tekton, seen) = numbered(keeping());
    let peer = tekton.peer("notes");
    let large = "x".repeat(1 << 20);
    for round in 0..2 {
        peer.request::<Value>("list").json(&json!({})).await.unwrap();
        peer.request::<Value>("list").json(&json!({})).safety(Safety::Idempotent).await.unwrap();
        call(&peer).send().await.unwrap();
        call(&peer).json(&large).await.unwrap();
        call(&peer).header(HeaderName::from_static("x-long"), large[..70_000].parse().unwrap()).await.unwrap();
        call(&peer).extension("a tenant, for a policy that makes a header of it").await.unwrap();
        let body = tekton_sdk::transport::Body::stream(futures_util::stream::empty());
        call(&peer).body(HeaderValue::from_static("text/plain"), body).await.unwrap();
        assert_eq!(seen.count(), 7 * (round + 1));
    }
    assert!(tekton.replies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_can_ask_for_an_answer_of_its_own() {
    let (tekton, seen) = numbered(keeping());
    let peer = tekton.peer("notes");
    let asking = |directive: &'static str| {
        let (name, value) = header("cache-control", directive);
        let peer = peer.clone();
        async move { call(&peer).header(name, value).await.unwrap().into_inner() }
    };
    assert_eq!(asking("no-store").await, json!(0));
    assert_eq!(read(&peer).await.unwrap().into_inner(), json!(1), "the one before was not kept");
    assert_eq!(asking("no-cache").await, json!(2));
    assert_eq!(read(&peer).await.unwrap().into_inner(), json!(2), "the newest one is kept");
    tekton.clock().sleep(ms(5_000)).await;
    assert_eq!(asking("max-age=6").await, json!(2));
    assert_eq!(asking("max-age=5").await, json!(3));
    assert_eq!(asking("max-age=0").await, json!(4));
    let (first, second) = tokio::join!(asking("no-cache"), asking("no-cache"));
    assert_ne!(first, second);
    assert_eq!(seen.count(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_forbid_that_it_is_kept() {
    for (name, value, kept) in [
        ("cache-control", "no-store", false),
        ("cache-control", "private, max-age=60", false),
        ("cache-control", "no-cache", false),
        ("cache-control", "max-age=0", false),
        ("cache-control", "max-age=60", true),
        ("expires", "0", false),
        ("vary", "*", false),
        ("vary", "accept, authorization", true),
        ("set-cookie", "session=1", false),
        ("x-other", "1", true),
    ] {
        let (name, value) = header(name, value);
        let (tekton, seen) = answering(keeping(), move |number, _| {
            answer(StatusCode::OK, number.to_string()).with_header(name.clone(), value.clone())
        });
        let peer = tekton.peer("notes");
        read(&peer).await.unwrap();
        read(&peer).await.unwrap();
        assert_eq!(seen.count() == 1, kept, "{:?}", seen.all());
    }
    let (tekton, seen) = answering(keeping(), |_, _| answer(StatusCode::ACCEPTED, "1".to_owned()));
    let peer = tekton.peer("notes");
    read(&peer).await.unwrap();
    assert_eq!((read(&peer).await.unwrap().status(), seen.count()), (StatusCode::ACCEPTED, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_given_to_all_who_waited_and_to_nobody_later() {
    let (timed, seen) =
        Timed::new(|number, _| (ms(10), if number == 0 { status(500, "no") } else { status(200, "1") }));
    let (tekton, _) = mesh(timed, |builder| once(builder).reuse(keeping()));
    let peer = tekton.peer("notes");
    let errors = join_all((0..100).map(|_| read(&peer))).await;
    for (at, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.remote().unwrap().status()), (ErrorKind::Remote, 500));
        assert_eq!((error.target(), error.attempts()), (Some("notes"), u32::from(at == 0)));
    }
    assert_eq!((seen.count(), *read(&peer).await.unwrap() == json!(1)), (1, true));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_leads_on_when_the_leader_gives_up() {
    let (tekton, seen) = numbered(ReuseConfig::default());
    let peer = tekton.peer("notes");
    let mut calls: Vec<_> = (0..5).map(|_| Some(Box::pin(read(&peer)))).collect();
    for call in calls.iter_mut().flatten() {
        assert!(poll_immediate(call).await.is_none());
    }
    assert_eq!(seen.count(), 1);
    // The leader, and whichever of the others is to lead on, before it is asked again.
    calls[0] = None;
    calls[1] = None;
    calls[2] = None;
    let rest = join_all(calls.into_iter().flatten()).await;
    assert_eq!(seen.count(), 2);
    assert!(rest.iter().all(|reply| **reply.as_ref().unwrap() == json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_hangs_is_not_stormed_when_time_runs_out() {
    for apart in [ms(0), Duration::from_micros(50)] {
        let (timed, seen) = Timed::new(|_, _| (ms(600_000), status(200, "1")));
        let (tekton, _) = mesh(timed, |builder| once(builder).reuse(ReuseConfig::default()));
        let peer = tekton.peer("notes");
        let calls = (0..2_000).map(|n| {
            let peer = &peer;
            async move {
                peer.tekton().clock().sleep(apart * n).await;
                call(peer).timeout(ms(1_000)).await.unwrap_err().kind()
            }
        });
        let kinds = join_all(calls).await;
        assert!(kinds.iter().all(|kind| *kind == ErrorKind::Timeout));
        assert!(seen.count() <= 2, "{} requests for calls {apart:?} apart", seen.count());
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_deadline_of_the_leader_ends_its_own_call_alone() {
    let (timed, seen) = Timed::new(|_, _| (ms(100), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| once(builder).reuse(ReuseConfig::default()));
    let peer = tekton.peer("notes");
    let (short, long) =
        tokio::join!(async { call(&peer).timeout(ms(50)).await }, async { call(&peer).timeout(ms(500)).await },);
    assert_eq!(short.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((long.unwrap().attempts(), seen.count(), seen.dropped()), (1, 2, 1));
    // An attempt that times out is not the others' failure either, while one has more time.
    let (short, long) = tokio::join!(async { call(&peer).timeout(ms(200)).attempt_timeout(ms(50)).await }, async {
        call(&peer).timeout(ms(500)).await
    },);
    assert_eq!((short.unwrap_err().kind(), *long.unwrap() == json!(1)), (ErrorKind::Timeout, true));
}

/// Panics when the first answer has come.
#[derive(Debug, Default)]
struct PanicsOnce(AtomicU64);

impl Policy for PanicsOnce {
    fn name(&self) -> &'static str {
        "panics-once"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        Box::pin(async move {
            let answer = next.run(request).await;
            assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a policy that is broken");
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_panics_hangs_nobody() {
    let (timed, seen) = Timed::new(|_, _| (ms(10), status(200, "1")));
    let (tekton, _) = mesh(timed, |builder| once(builder).reuse(ReuseConfig::default()).policy(PanicsOnce::default()));
    let peer = tekton.peer("notes");
    let mut tasks: Vec<_> = Vec::new();
    for _ in 0..10 {
        let peer = peer.clone();
        tasks.push(tokio::spawn(async move { read(&peer).await }));
    }
    let done = join_all(tasks).await;
    assert_eq!(done.iter().filter(|task| task.is_err()).count(), 1, "the one that panicked");
    assert!(done.iter().flatten().all(Result::is_ok));
    assert_eq!(seen.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_read_after_a_write_sees_what_was_before_it() {
    let (tekton, seen) = numbered(keeping());
    let (peer, other) = (tekton.peer("notes"), tekton.peer("spare"));
    let write = || peer.request::<Value>("add").json(&json!({}));
    let value = |reply: Result<Reply<Value>>| reply.unwrap().into_inner();
    assert_eq!((value(read(&peer).await), value(read(&other).await)), (json!(0), json!(1)));
    write().await.unwrap();
    assert_eq!((value(read(&peer).await), value(read(&other).await)), (json!(3), json!(1)), "the other one's stay");

    // A write that nobody waits for any more may have been carried out.
    let mut given_up = Box::pin(write().into_future());
    assert!(poll_immediate(&mut given_up).await.is_none());
    drop(given_up);
    assert_eq!(value(read(&peer).await), json!(5));

    // What was asked for before the write ended is neither shared nor kept after it.
    tekton.forget("notes");
    let mut early = Box::pin(call(&peer).into_future());
    assert!(poll_immediate(&mut early).await.is_none());
    let mut ended = Box::pin(write().into_future());
    assert!(poll_immediate(&mut ended).await.is_none());
    drop(ended);
    let (early, late) = tokio::join!(early, read(&peer));
    assert_eq!((value(early), value(late)), (json!(6), json!(8)));
    assert_eq!(value(read(&peer).await), json!(8));
    assert_eq!(seen.count(), 9);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_asked_for_again() {
    let (tekton, seen) = numbered(keeping());
    let (peer, other) = (tekton.peer("notes"), tekton.peer("spare"));
    for peer in [&peer, &other] {
        read(peer).await.unwrap();
    }
    assert_eq!(tekton.replies().len(), 2);
    tekton.forget("notes");
    assert_eq!(tekton.replies().len(), 1);
    for peer in [&peer, &other] {
        read(peer).await.unwrap();
    }
    assert_eq!(seen.count(), 3);
    tekton.replies().clear();
    assert_eq!((tekton.replies().len(), tekton.replies().bytes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_the_cache_pays_for_no_retry() {
    let (tekton, _) = numbered(keeping());
    let peer = tekton.peer("notes");
    for _ in 0..100 {
        read(&peer).await.unwrap();
    }
    let left = tekton.introspect()["retry_budgets"]["left"]["notes"].as_f64().unwrap();
    assert!((left - 3.1).abs() < 1e-9, "one call went out: {left}");
}

/// Five callers ask for twenty things at random, some give up, some write; whoever gets an answer gets their own, and newer than the
/// last write before.
#[tokio::test(start_paused = true)]
async fn nobody_is_given_anothers_answer_whoever_comes_and_goes() {
    for seed in 0..20 {
        let random = Random::seeded(seed);
        let delays = Random::seeded(seed + 1_000);
        let (mut version, ended) = (0_u64, AtomicU64::new(0));
        let (timed, seen) = Timed::new(move |_, request| {
            version += u64::from(request.call.safety == Safety::Write);
            let whose = request.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let body = json!({"whose": whose, "what": request.query, "version": version}).to_string();
            (ms(1 + delays.next_u64() % 40), Ok(answer(StatusCode::OK, body)))
        });
        let (tekton, _) = mesh(timed, |builder| once(builder).reuse(ReuseConfig::default().with_ttl(ms(200))));
        let peer = tekton.peer("notes");
        let calls = (0..1_000).map(|_| {
            let (start, caller, what) = (random.next_u64() % 2_000, random.next_u64() % 5, random.next_u64() % 4);
            let (limit, writes) = (1 + random.next_u64() % 60, random.next_u64().is_multiple_of(50));
            let (peer, ended) = (&peer, &ended);
            async move {
                let clock = peer.tekton().clock();
                clock.sleep(ms(start)).await;
                if writes {
                    let reply = peer.request::<Value>("add").await.unwrap();
                    ended.fetch_max(reply["version"].as_u64().unwrap(), Ordering::SeqCst);
                    return 0;
                }
                let least = ended.load(Ordering::SeqCst);
                let caller = format!("Bearer {caller}");
                let (name, value) = header("authorization", &caller);
                let what = format!("what={what}");
                let asked = call(peer).header(name, value).query("what", &what[5..]);
                match clock.timeout(ms(limit), asked.into_future()).await {
                    Some(reply) => {
                        let reply = reply.unwrap();
                        assert_eq!((&reply["whose"], &reply["what"]), (&json!(caller), &json!(what)), "seed {seed}");
                        assert!(
                            reply["version"].as_u64().unwrap() >= least,
                            "seed {seed}: older than a write before it"
                        );
                        0
                    }
                    None => 1,
                }
            }
        });
        let given_up: usize = join_all(calls).await.into_iter().sum();
        assert!((10..900).contains(&given_up) && seen.count() < 900, "{given_up} {}", seen.count());
    }
}

#[test]
fn a_stage_and_its_cache_say_what_they_are() {
    let cache = ReplyCache::new(2, 1 << 20);
    let stage = Reuse::new(Some(keeping()), cache.clone(), Default::default());
    assert!(format!("{stage:?}").contains("under_way: 0") && cache.is_empty());
}
