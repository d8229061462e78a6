//! Room 1 over real sockets: what a caller sees, on good and on bad days.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, ErrorKind, Sent, Tekton,
    contract::Entry,
    directory::MemoryDirectory,
    patterns::request::Reply,
    testing::ScriptedTransport,
    time::{Clock, Deadline, ManualClock},
    transport::{Body, Safety},
};

use crate::lab::{Lab, serve, tekton};

/// An address that refuses connections as long as the socket is held: bound, but not listening.
fn nobody() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_call_brings_the_answer_and_how_it_came() {
    let tekton = tekton();
    let (served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    let reply: Reply<Value> = lab.request("echo").json(&json!({"value": {"ä": [1, null]}})).await.unwrap();
    assert_eq!(*reply, json!({"ä": [1, null]}));
    assert_eq!((reply.status(), reply.attempts()), (StatusCode::OK, 1));
    let size: Reply<usize> = lab.request("size").json(&json!({"text": "äöü", "times": 2})).await.unwrap();
    assert_eq!(*size, 6);
    assert!(served.shutdown().await);
}

#[tokio::test]
async fn reads_also_answer_get_and_writes_do_not() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    let get = |operation: &str, path: &'static str| lab.request::<Value>(operation).method(Method::GET).path(path);
    let reply = get("echo", "/api/v1/echo").query("value", "a b&c=1%").await.unwrap();
    assert_eq!(*reply, json!("a b&c=1%"));
    let error = get("size", "/api/v1/size").query("text", "x").await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!((remote.status(), remote.code()), (405, Some("method_not_allowed")));
}

#[tokio::test]
async fn context_reaches_the_callee_and_its_own_calls() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let relay = Tekton::builder().named("relay").directory(tekton.directory().clone()).build().unwrap();
    let next = relay.peer("lab");
    let served =
        Lab { gauge: Arc::default(), next: Some(next) }.serve(&relay).instance("second").start().await.unwrap();
    let second = tekton.peer_at(served.endpoint()).unwrap();
    let direct: Reply<Value> = tekton.peer("lab").request("context").idempotency_key("k-1").await.unwrap();
    assert_eq!((&direct["caller"], &direct["attempt"], &direct["key"]), (&json!("tester"), &json!(1), &json!("k-1")));
    // The relay finds the newest entry of the name, which is itself: the call goes through a socket all the same.
    let relayed: Reply<Value> = second.request("relay").json(&json!({"operation": "context"})).await.unwrap();
    assert_eq!((&relayed["caller"], &relayed["has_deadline"]), (&json!("relay"), &json!(true)));
    assert_ne!(relayed["trace"], Value::Null);
}

#[tokio::test]
async fn an_inherited_deadline_bounds_nested_calls() {
    let (transport, script) = ScriptedTransport::new();
    script.answer(200, "null");
    script.answer(200, "null");
    let clock = ManualClock::new();
    let tekton = Tekton::builder().transport(transport).clock(clock.clone()).build().unwrap();
    let peer = tekton.peer_at("http://127.0.0.1:1").unwrap();
    let context = Context::new().with_deadline(Some(Deadline::after(clock.now(), Duration::from_millis(80))));
    context.clone().scope(async { peer.request::<()>("op").timeout(Duration::from_secs(3600)).await }).await.unwrap();
    context.scope(async { peer.request::<()>("op").timeout(Duration::from_millis(7)).await }).await.unwrap();
    let left: Vec<_> = script.requests().iter().map(|sent| sent.headers["x-tekton-deadline-ms"].clone()).collect();
    assert_eq!(left, ["80", "7"], "the earlier one counts");
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let tekton = tekton();
    let (_served, gauge) = serve(&tekton).await;
    let error = tekton.peer("lab").request::<()>("hang").timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::No));
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn dropping_the_call_drops_the_callees_work() {
    let tekton = tekton();
    let (_served, gauge) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    let call = tokio::spawn(async move { lab.request::<()>("hang").json(&json!({})).await.map(drop) });
    gauge.started.notified().await;
    call.abort();
    gauge.dropped.notified().await;
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0);
    assert!(call.await.unwrap_err().is_cancelled());
    let text = prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap();
    let counted = r#"integration_requests_total{endpoint="hang",source="tester",target="lab"} 1"#;
    assert!(text.contains(counted), "a call that is given up counts too: {text}");
}

#[tokio::test]
async fn failures_name_what_is_wrong() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    let error = lab.request::<()>("eco").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(r#"no operation "eco"; there are: echo, size"#), "{error}");
    let error = lab.request::<()>("size").json(&json!({"texts": "x"})).await.unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
    assert_eq!((error.remote().unwrap().status(), fields), (422, vec!["texts", "text"]));
    let error = lab.request::<()>("size").json(&json!({"text": 7})).await.unwrap_err();
    assert_eq!(error.fields()[0].to_string(), "text: invalid type: integer `7`, expected a string");
    let error = lab.request::<u8>("echo").json(&json!({"value": "x"})).await.unwrap_err();
    assert_eq!((error.kind(), error.sent(), error.target()), (ErrorKind::Codec, Sent::Yes, Some("lab")));
    assert!(error.to_string().contains("is not a u8"), "{error}");
}

#[tokio::test]
async fn the_wire_carries_what_the_house_says() {
    let (transport, script) = ScriptedTransport::new();
    for _ in 0..3 {
        script.answer(200, "null");
    }
    let tekton = Tekton::builder().named("tester").transport(transport).build().unwrap();
    let peer = tekton.peer_at("http://127.0.0.1:1").unwrap();
    peer.request::<()>("op").json(&json!({})).timeout(Duration::from_secs(9)).await.unwrap();
    peer.request::<()>("op").api_version(2).await.unwrap();
    peer.request::<()>("op").method(Method::PUT).path("/api/esr/store").query("q", "ä b").await.unwrap();
    let sent = script.requests();
    let header = |at: usize, name: &str| sent[at].headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((&sent[0].method, &*sent[0].path), (&Method::POST, "/api/v1/op"));
    let left: u64 = header(0, "x-tekton-deadline-ms").unwrap().parse().unwrap();
    assert!((8_000..=9_000).contains(&left), "{left}");
    for (name, value) in [
        ("x-tekton-attempt", "1"),
        ("x-tekton-caller", "tester"),
        ("x-api-version", "1"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ] {
        assert_eq!(header(0, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(header(0, "traceparent").map(|value| value.len()), Some(55));
    assert_eq!((&*sent[1].path, header(1, "x-api-version").as_deref()), ("/api/v2/op", Some("2")));
    assert_eq!((&*sent[2].path, sent[2].query.as_deref()), ("/api/esr/store", Some("q=%C3%A4+b")));
    assert_eq!(header(2, "x-api-version"), None);
}

#[tokio::test]
async fn wrong_calls_are_refused_before_anything_is_sent() {
    let tekton = tekton();
    let lab = tekton.peer("lab");
    for call in [
        lab.request::<()>("no spaces"),
        lab.request("echo").path("no-slash"),
        lab.request("echo").path("/a?b=c"),
        lab.request("echo").path("/a\r\nX: y"),
        lab.request("echo").idempotency_key(""),
        lab.request("echo").idempotency_key("a\nb"),
    ] {
        let error = call.await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Invalid, Sent::No), "{error}");
    }
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    for call in [lab.request::<()>("echo").json(&not_json), lab.request("echo").json(&not_json).path("/a")] {
        let error = call.await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Codec, Sent::No), "{error}");
    }
    assert_eq!(tekton.peer_at("127.0.0.1:1").unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_callees_failures_come_with_status_and_code_and_no_secret() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    for (kind, status, seen) in [
        ("Invalid", 422, ErrorKind::Remote),
        ("NotFound", 404, ErrorKind::NotFound),
        ("Rejected", 429, ErrorKind::Remote),
        ("Conflict", 409, ErrorKind::Conflict),
        ("Unauthorized", 401, ErrorKind::Unauthorized),
        ("Timeout", 504, ErrorKind::Timeout),
        ("Internal", 500, ErrorKind::Remote),
        ("Closed", 503, ErrorKind::Remote),
    ] {
        let error = lab.request::<()>("fail").json(&json!({"kind": kind})).await.unwrap_err();
        let remote = error.remote().unwrap();
        assert_eq!((remote.status(), error.kind()), (status, seen), "{kind}");
        assert!(!error.report().contains("secret") && !remote.body().windows(6).any(|w| w == b"secret"), "{kind}");
    }
    let error = lab.request::<()>("panic").await.unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 500);
    assert_eq!(error.to_string(), "answered 500 Internal Server Error: the operation panic panicked");
    // The connection and the component go on.
    let after: Reply<usize> = lab.request("size").json(&json!({"text": "x"})).await.unwrap();
    assert_eq!(*after, 1);
}

#[tokio::test]
async fn a_failure_behind_the_callee_is_told_apart_from_its_own() {
    let tekton = tekton();
    let (behind, _) = serve(&tekton).await;
    let next = tekton.peer_at(behind.endpoint()).unwrap();
    let front = Lab { gauge: Arc::default(), next: Some(next) }.serve(&tekton).instance("front").start().await.unwrap();
    let front = tekton.peer_at(front.endpoint()).map(|peer| (peer, front)).unwrap();
    let error = front.0.request::<()>("relay").json(&json!({"operation": "nothing"})).await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!((remote.status(), remote.code(), error.kind()), (502, Some("dependency_failed"), ErrorKind::Remote));
}

#[tokio::test]
async fn bodies_are_capped_in_both_directions() {
    let tekton = Tekton::builder()
        .configure(|config| {
            config.request.max_request_bytes = 1000;
            config.request.max_response_bytes = 400;
        })
        .build()
        .unwrap();
    let (_served, _) = crate::lab::serve_with(&tekton, |host| host.max_body_bytes = 500).await;
    let lab = tekton.peer("lab");
    let echo = |bytes: usize| lab.request::<String>("echo").json(&json!({"value": "x".repeat(bytes)}));
    assert_eq!(echo(100).await.unwrap().len(), 100);
    let error = echo(2000).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::No));
    assert!(error.to_string().contains("request.max_request_bytes allows 1000"), "{error}");
    let error = echo(700).await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!((remote.status(), remote.code()), (413, Some("body_too_large")));
    let error = echo(450).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::Yes));
    assert!(error.to_string().contains("400 bytes"), "{error}");
    assert_eq!(echo(450).max_response_bytes(1000).await.unwrap().len(), 450);
}

#[tokio::test]
async fn raw_calls_hand_out_any_status_and_take_streams() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    let response = lab.request::<()>("none").send().await.unwrap();
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    let parts = ["{\"value\": [1,", " 2]}"].map(|part| Ok(Bytes::from_static(part.as_bytes())));
    let call =
        lab.request::<()>("echo").body(HeaderValue::from_static("application/json"), Body::stream(stream::iter(parts)));
    let mut response = call.safety(Safety::Read).send().await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "[1,2]");
}

#[tokio::test]
async fn what_was_not_sent_is_tried_again_and_then_told() {
    let tekton =
        Tekton::builder().configure(|config| config.retry.base_delay = Duration::from_millis(1)).build().unwrap();
    let (_reserved, gone) = nobody();
    let error = tekton.peer_at(&format!("http://{gone}")).unwrap().request::<()>("echo").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.sent()), (ErrorKind::Connect, 4, Sent::No));
    assert!(error.report().contains("refused"), "{}", error.report());
    let error = tekton.peer("nobody").request::<()>("echo").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::NotFound, Sent::No));
    assert_eq!(error.to_string(), "no component is registered for name nobody");
}

#[tokio::test]
async fn a_ping_says_how_the_component_is_and_how_long_it_took() {
    let tekton = tekton();
    let (_served, _) = serve(&tekton).await;
    let ping = tekton.peer("lab").ping().await.unwrap();
    assert_eq!((ping.status, ping.health.component.as_deref()), (StatusCode::OK, Some("lab")));
    assert_eq!(ping.health.registered_with_hermes, Some(true));
    assert!(ping.answered_in > Duration::ZERO);
}

#[tokio::test]
async fn calls_are_measured_with_bounded_labels() {
    let registry = prometheus::Registry::new();
    let tekton = Tekton::builder().named("tester").registry(registry.clone()).build().unwrap();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    for n in 0..200 {
        let _ = lab.request::<()>(format!("op{n}")).await;
    }
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("integration_requests_total{")).count();
    assert!(rows <= 130, "{rows}");
    assert!(text.contains(r#"integration_requests_total{endpoint="other",source="tester",target="lab"} 72"#), "{text}");
    assert!(tekton_sdk::telemetry::Metrics::register(&registry, Arc::new([])).is_err());
}

#[tokio::test]
async fn entries_that_cannot_be_called_are_passed_over() {
    let behind = tekton();
    let (served, _) = serve(&behind).await;
    let (_reserved, gone) = nobody();
    let entry = |id: &str, endpoint: &str, age: u64| {
        let mut entry = Entry::new(id, "lab", endpoint);
        entry.registered_at = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age));
        entry
    };
    let listed = [
        entry("lab-malformed", "lab:8005", 0),
        entry("lab-gone", &format!("http://{gone}"), 1),
        entry("lab-there", served.endpoint(), 2),
    ];
    let tekton = Tekton::builder()
        .directory(MemoryDirectory::fixed(listed))
        .configure(|config| config.retry.base_delay = Duration::from_millis(1))
        .build()
        .unwrap();
    let lab = tekton.peer("lab");
    let reply: Reply<Value> = lab.request("echo").json(&json!({"value": 1})).await.unwrap();
    assert_eq!((&*reply, lab.entries().await.unwrap().len()), (&json!(1), 3));
    let mut attempts = reply.attempts();
    for value in 2..=10 {
        let again: Reply<Value> = lab.request("echo").json(&json!({ "value": value })).await.unwrap();
        attempts += again.attempts();
    }
    assert_eq!(attempts, 11, "who was not there is tried once, and then no more");

    let only = MemoryDirectory::fixed([entry("lab-malformed", "lab:8005", 0)]);
    let tekton = Tekton::builder().directory(only).build().unwrap();
    let error = tekton.peer("lab").request::<()>("echo").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Invalid, Sent::No));
    assert!(error.to_string().contains(r#"the endpoint "lab:8005" must begin with http://"#), "{error}");
}
