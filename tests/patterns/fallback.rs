//! What is given instead of a failure, when, and what is said of it.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use tekton_sdk::{
    Context, Error, ErrorKind, Peer, Result, Tekton,
    patterns::request::Reply,
    policy::{FallbackConfig, Pipeline, Rules},
    testing::EventLog,
    transport::{CallInfo, Endpoint, Origin, Request, Response, Safety},
    wire::baggage::Baggage,
};

use crate::timed::{Seen, Timed, mesh, metrics, ms, status};

const MINUTE: Duration = Duration::from_secs(60);

fn to(name: &str) -> FallbackConfig {
    FallbackConfig::Component(name.into())
}

/// `notes` fails as the test says; the others answer with their name.
fn failing(
    config: FallbackConfig,
    mut fail: impl FnMut(usize) -> (Duration, Result<Response>) + Send + 'static,
) -> (Tekton, Seen, EventLog) {
    let mut asked = 0;
    let (timed, seen) = Timed::new(move |_, request| match request.endpoint.as_ref().unwrap().host() {
        "notes" => {
            asked += 1;
            fail(asked - 1)
        }
        other => (ms(10), Ok(Response::new(StatusCode::OK, bytes::Bytes::from(format!("{other:?}"))))),
    });
    let (tekton, log) =
        mesh(timed, |builder| builder.fallback(config).configure(|config| config.retry.max_attempts = 1));
    (tekton, seen, log)
}

async fn read(peer: &Peer) -> Result<Reply<Value>> {
    peer.request::<Value>("list").safety(Safety::Read).json(&json!({})).await
}

fn hosts(seen: &Seen) -> Vec<String> {
    seen.all().into_iter().map(|sent| sent.host).collect()
}

fn told(log: &EventLog) -> Vec<(Option<String>, Option<String>, Option<String>)> {
    let field = |event: &tekton_sdk::testing::RecordedEvent, name| event.field(name).map(str::to_owned);
    log.named("fell_back")
        .iter()
        .map(|event| (field(event, "to"), field(event, "reason"), field(event, "error")))
        .collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_value_stands_in_for_failures_and_for_nothing_else() {
    let value = FallbackConfig::Value(json!({"items": []}));
    type Case = (fn() -> (Duration, Result<Response>), Result<&'static str, ErrorKind>);
    let cases: [Case; 11] = [
        (|| (ms(1), status(500, "")), Ok("status_500")),
        (|| (ms(1), status(503, "")), Ok("status_503")),
        (|| (ms(1), status(429, "")), Ok("status_429")),
        (|| (ms(1), Err(Error::new(ErrorKind::Connect, "no"))), Ok("connect")),
        (|| (ms(1), Err(Error::new(ErrorKind::Interrupted, "no"))), Ok("interrupted")),
        (|| (MINUTE, status(200, "1")), Ok("timeout")),
        (|| (ms(1), status(404, "")), Err(ErrorKind::NotFound)),
        (|| (ms(1), status(400, "")), Err(ErrorKind::Invalid)),
        (|| (ms(1), status(403, "")), Err(ErrorKind::Unauthorized)),
        (|| (ms(1), Err(Error::new(ErrorKind::Cancelled, "no"))), Err(ErrorKind::Cancelled)),
        (|| (ms(1), status(409, "")), Err(ErrorKind::Conflict)),
    ];
    for (fail, expected) in cases {
        let (tekton, _, log) = failing(value.clone(), move |_| fail());
        match (read(&tekton.peer("notes")).await, expected) {
            (Ok(reply), Ok(reason)) => {
                assert_eq!((&*reply, reply.origin()), (&json!({"items": []}), &Origin::Value));
                assert!(reply.origin().is_fallback() && reply.status() == StatusCode::OK);
                assert_eq!(reply.headers()["content-type"], "application/json");
                assert_eq!(told(&log), [(some("value"), some(reason), None)]);
                let line =
                    r#"integration_stood_in_total{endpoint="list",origin="value",source="tester",target="notes"} 1"#;
                assert!(metrics(&tekton).contains(line));
            }
            (Err(error), Err(kind)) => {
                assert!(error.kind() == kind || error.remote().is_some(), "{error:?}");
                assert!(told(&log).is_empty() && error.note().is_none(), "{error:?}");
            }
            (outcome, expected) => panic!("{outcome:?} is not {expected:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_side_refuses_is_a_reason_too() {
    let (tekton, seen, log) = failing(FallbackConfig::Value(json!(null)), |_| (ms(1), status(500, "")));
    let notes = tekton.peer("notes");
    for _ in 0..7 {
        read(&notes).await.unwrap();
    }
    assert_eq!(seen.count(), 5, "then its breaker is open");
    assert_eq!(told(&log).last().unwrap().1, some("rejected"));
    // Nobody is registered.
    assert_eq!(read(&tekton.peer("nobody")).await.unwrap().origin(), &Origin::Value);
    assert_eq!(told(&log).last().unwrap().1, some("notfound"));
    // What the callee never saw pays for no retry.
    let left = tekton.introspect()["retry_budgets"]["left"]["notes"].as_f64().unwrap();
    assert!((left - 3.5).abs() < 1e-9, "{left}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_collects_is_covered_as_well() {
    let (tekton, _, log) = failing(FallbackConfig::Value(json!(7)), |asked| {
        (ms(1), if asked == 0 { status(502, "") } else { status(404, "") })
    });
    let peer = tekton.peer("notes");
    let response = peer.request::<Value>("list").send().await.unwrap();
    assert_eq!((response.status, response.origin.name()), (StatusCode::OK, "value"));
    assert_eq!(response.into_body().collect(10).await.unwrap(), "7");
    assert_eq!(peer.request::<Value>("list").send().await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(told(&log).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_component_is_asked_the_same_with_the_time_that_is_left() {
    let (tekton, seen, log) = failing(to("backup"), |_| (ms(400), status(500, "")));
    let context = Context::new().with_baggage(Baggage::default().with("tenant", "acme").unwrap());
    let call = async {
        let peer = tekton.peer("notes");
        let call = peer.request::<Value>("list").safety(Safety::Read).json(&json!({"a": 1})).query("q", "1");
        let call = call.header(header::AUTHORIZATION, HeaderValue::from_static("Bearer for notes"));
        let call = call.header(header::COOKIE, HeaderValue::from_static("session=1"));
        call.header("baggage".parse().unwrap(), HeaderValue::from_static("by=hand")).timeout(ms(1_000)).await
    };
    let reply = context.scope(call).await.unwrap();
    assert_eq!((&*reply, reply.origin()), (&json!("backup"), &Origin::Component("backup".into())));
    let sent = seen.all();
    assert_eq!(hosts(&seen), ["notes", "backup"]);
    assert_eq!((&sent[1].path, sent[1].header("x-tekton-attempt")), (&sent[0].path, Some("1")));
    assert_eq!(
        (sent[0].header("x-tekton-deadline-ms"), sent[1].header("x-tekton-deadline-ms")),
        (Some("1000"), Some("600"))
    );
    assert_eq!(sent[1].header("content-type"), Some("application/json"));
    for secret in ["authorization", "cookie", "baggage"] {
        assert!(sent[0].header(secret).is_some() && sent[1].header(secret).is_none(), "{secret}");
    }
    assert_eq!(told(&log), [(some("backup"), some("status_500"), None)]);
    let ended = log.named("call_ended");
    assert_eq!(ended.iter().map(|event| event.field("target").unwrap()).collect::<Vec<_>>(), ["backup", "notes"]);
}

#[tokio::test(start_paused = true)]
async fn one_of_the_same_capability_is_asked_but_not_the_one_that_failed() {
    let (tekton, seen, _) = failing(FallbackConfig::Capability("memory".into()), |_| (ms(1), status(500, "")));
    let reply = read(&tekton.peer("notes")).await.unwrap();
    assert_eq!(
        (reply.origin(), hosts(&seen)),
        (&Origin::Component("backup".into()), vec!["notes".into(), "backup".into()])
    );
    let (tekton, seen, _) = failing(FallbackConfig::Capability("flying".into()), |_| (ms(1), status(500, "")));
    let error = read(&tekton.peer("notes")).await.unwrap_err();
    let note = "(no fallback to flying: no component but notes is registered with the capability flying)";
    assert!(error.report().ends_with(note), "{}", error.report());
    assert_eq!((error.remote().unwrap().status(), seen.count()), (500, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_is_told_with_the_first_failure() {
    for answer in [(503, "status 503"), (404, "status 404")] {
        let (timed, seen) = Timed::new(move |_, request| match request.endpoint.as_ref().unwrap().host() {
            "notes" => (ms(1), Err(Error::new(ErrorKind::Connect, "no connection to notes"))),
            _ => (ms(1), status(answer.0, "")),
        });
        let (tekton, log) =
            mesh(timed, |builder| builder.fallback(to("backup")).configure(|config| config.retry.max_attempts = 1));
        let error = read(&tekton.peer("notes")).await.unwrap_err();
        assert_eq!((error.kind(), error.target(), error.attempts()), (ErrorKind::Connect, Some("notes"), 1));
        assert!(error.note().unwrap().starts_with("no fallback to backup: backup: "), "{}", error.report());
        assert!(error.report().contains(&answer.0.to_string()), "{}", error.report());
        assert!(!error.to_string().contains("backup"));
        assert_eq!(hosts(&seen), ["notes", "backup"], "what stands in has no fallback of its own");
        assert_eq!(told(&log).len(), 1);
        assert!(told(&log)[0].2.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn without_time_nobody_else_is_asked() {
    let (tekton, seen, _) = failing(to("backup"), |_| (MINUTE, status(200, "1")));
    let error = tekton.peer("notes").request::<Value>("list").safety(Safety::Read).timeout(ms(100)).await.unwrap_err();
    assert_eq!((error.kind(), hosts(&seen)), (ErrorKind::Timeout, vec!["notes".into()]));
    assert_eq!(error.note(), Some("no fallback to backup: no time is left"));
    // A component that is slow too ends with the call's deadline.
    let (timed, seen) = Timed::new(|_, request| match request.endpoint.as_ref().unwrap().host() {
        "notes" => (ms(60), status(500, "")),
        _ => (MINUTE, status(200, "1")),
    });
    let (tekton, _) =
        mesh(timed, |builder| builder.fallback(to("backup")).configure(|config| config.retry.max_attempts = 1));
    let began = tekton.clock().now();
    let error = tekton.peer("notes").request::<Value>("list").safety(Safety::Read).timeout(ms(100)).await.unwrap_err();
    assert_eq!((error.remote().unwrap().status(), tekton.clock().now() - began), (500, ms(100)));
    assert_eq!(seen.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_goes_elsewhere_only_if_it_does_no_harm() {
    type Case = (fn() -> Result<Response>, Option<&'static str>, bool);
    let cases: [Case; 4] = [
        (|| status(500, ""), None, false),
        (|| Err(Error::new(ErrorKind::Interrupted, "it broke")), None, false),
        (|| Err(Error::new(ErrorKind::Connect, "no connection")), None, true),
        (|| status(500, ""), Some("key"), true),
    ];
    for (fail, key, asked) in cases {
        let (tekton, seen, _) = failing(to("backup"), move |_| (ms(1), fail()));
        let peer = tekton.peer("notes");
        let mut call = peer.request::<Value>("add").json(&json!({}));
        if let Some(key) = key {
            call = call.idempotency_key(key);
        }
        let outcome = call.await;
        assert_eq!((outcome.is_ok(), seen.count()), (asked, 1 + usize::from(asked)), "{key:?}");
        if let Err(error) = outcome {
            let note = "no fallback to backup: the call may have been carried out, and is not idempotent";
            assert_eq!(error.note(), Some(note));
        }
    }
    let (tekton, _, _) = failing(to("backup"), |_| (ms(1), status(500, "")));
    let body = tekton_sdk::transport::Body::stream(futures_util::stream::empty());
    let peer = tekton.peer("notes");
    let call = peer.request::<Value>("add").method(Method::PUT).body(HeaderValue::from_static("text/plain"), body);
    assert!(call.await.unwrap_err().note().unwrap().contains("a stream"));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_of_stated_age_stands_in() {
    let config = FallbackConfig::Cached(MINUTE);
    let (tekton, seen, log) =
        failing(config, |asked| (ms(1), if asked == 0 { status(200, "\"good\"") } else { status(500, "") }));
    let peer = tekton.peer("notes");
    assert_eq!(read(&peer).await.unwrap().origin(), &Origin::Callee);
    tekton.clock().sleep(ms(30_000)).await;
    let reply = read(&peer).await.unwrap();
    assert_eq!((reply.as_str(), &reply.headers()["age"]), (Some("good"), &HeaderValue::from(30)));
    assert!(matches!(reply.origin(), Origin::Stale(age) if age.as_secs() == 30), "{:?}", reply.origin());
    assert_eq!(seen.count(), 2, "it is asked each time");
    // Whoever asks otherwise, or is another, has none.
    let other = tekton.calling_as("other");
    let error = read(&other.peer("notes")).await.unwrap_err();
    assert_eq!(error.note(), Some("no fallback to cached: no good answer of the last 60s is known"));
    read(&tekton.peer("spare")).await.unwrap();
    // A write of this side does not hide it: it says how old it is.
    peer.request::<Value>("add").await.unwrap_err();
    assert!(read(&peer).await.unwrap().origin().is_fallback());
    tekton.clock().sleep(ms(30_010)).await;
    assert_eq!(read(&peer).await.unwrap_err().remote().unwrap().status(), 500, "too old");
    assert_eq!(told(&log)[0], (some("cached"), some("status_500"), None));
    assert!(peer.request::<Value>("add").await.unwrap_err().note().unwrap().contains("only the answers to reads"));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_kept_does_not_stand_in() {
    for (directive, kept) in [("no-store", false), ("must-revalidate", false), ("private", false), ("max-age=1", true)]
    {
        let (tekton, _, _) = failing(FallbackConfig::Cached(MINUTE), move |asked| {
            let mut answer = status(if asked == 0 { 200 } else { 500 }, "1").unwrap();
            answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(directive));
            (ms(1), Ok(answer))
        });
        let peer = tekton.peer("notes");
        read(&peer).await.unwrap();
        tekton.clock().sleep(ms(5_000)).await;
        assert_eq!(read(&peer).await.is_ok(), kept, "{directive}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_component_does_not_stand_in_for_itself() {
    let (tekton, seen, _) = failing(to("Notes"), |_| (ms(1), status(500, "")));
    let error = read(&tekton.peer("notes")).await.unwrap_err();
    assert_eq!((error.note(), seen.count()), (Some("no fallback to Notes: it is the component that failed"), 1));
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_call_say_what_stands_in_for_it_alone() {
    let (tekton, seen, _) = failing(FallbackConfig::Value(json!("settings")), |_| (ms(1), status(500, "")));
    let peer = tekton.peer("notes");
    let send = |rules: Option<Rules>| {
        let mut call = CallInfo::new("notes", "list", Safety::Read);
        (call.collect, call.rules) = (Some(1024), rules.map(Arc::new));
        let peer = peer.clone();
        async move { peer.send(Request::new(Method::GET, "/api/v1/list", call)).await }
    };
    assert_eq!(send(None).await.unwrap().origin, Origin::Value);
    let mut rules = Rules::standard();
    rules.max_attempts = 1;
    assert_eq!(send(Some(rules.clone())).await.unwrap_err().remote().unwrap().status(), 500);
    rules.fallback = Some(to("nobody"));
    // What stands in does not go by the rules of the call: its own say nothing, and the settings' value is not given to it.
    let error = send(Some(rules)).await.unwrap_err();
    assert!(
        error.note().unwrap().starts_with("no fallback to nobody: nobody: no component is registered"),
        "{error:?}"
    );
    assert_eq!(seen.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn alone_in_a_pipeline_it_asks_whom_it_is_given() {
    let (timed, _) = Timed::new(|_, _| (ms(1), status(500, "")));
    let (tekton, _, _) = failing(to("nobody"), |_| (ms(1), status(200, "1")));
    let clock = tekton.clock().clone();
    let stage = tekton_sdk::policy::Fallback::new(Some(to("backup")), tekton.replies().clone(), clock.clone());
    assert_eq!(format!("{stage:?}"), "Fallback { to: \"backup\", .. }");
    let request = || {
        let mut call = CallInfo::new("a", "b", Safety::Read);
        call.collect = Some(100);
        Request::new(Method::GET, "/", call).with_endpoint(Endpoint::parse("http://a:1").unwrap())
    };
    let transport = Arc::new(timed);
    let alone = Pipeline::new(vec![Arc::new(stage.clone())], transport.clone(), clock.clone());
    let error = alone.send(request()).await.unwrap_err();
    assert_eq!(error.note(), Some("no fallback to backup: this pipeline knows nobody else to ask"));
    let pipeline = Pipeline::new(vec![Arc::new(stage.with_alternate(Arc::new(tekton)))], transport, clock);
    assert_eq!(pipeline.send(request()).await.unwrap().origin, Origin::Component("backup".into()));
}
