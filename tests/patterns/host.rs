//! The host as the network sees it: bytes in, bytes out, and an orderly end.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use tekton_sdk::{
    Component, ErrorKind, Tekton,
    contract::{Descriptor, Operation, Parameter},
    directory::{MemoryDirectory, Presence},
    host::Operations,
    patterns::request::Reply,
    testing::{CallFault, FaultyDirectory},
    time::SharedClock,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::lab::{Lab, serve, serve_with, tekton};

fn address(endpoint: &str) -> SocketAddr {
    endpoint.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Sends these bytes and reads until the other side closes.
async fn raw(endpoint: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(endpoint)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn post(endpoint: &str, operation: &str, body: &[u8]) -> (u16, Value) {
    let head = format!(
        "POST /api/v1/{operation} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    answer(&raw(endpoint, &[head.as_bytes(), body].concat()).await)
}

async fn get(endpoint: &str, path: &str) -> (u16, Value) {
    answer(&raw(endpoint, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await)
}

fn answer(text: &str) -> (u16, Value) {
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn broken_bodies_are_refused_with_a_sentence() {
    let (served, _) = serve(&tekton()).await;
    let deep = format!("{{\"value\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, status) in [
        (&b"{\"value\": "[..], 400),
        (b"[1]", 400),
        (b"{\"value\": \"\xff\xfe\"}", 400),
        (b"\xff\xfe", 400),
        (b"{} {}", 400),
        (b"", 422),
        (deep.as_bytes(), 422),
    ] {
        let (got, problem) = post(served.endpoint(), "echo", body).await;
        assert_eq!(got, status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
    }
    assert_eq!(post(served.endpoint(), "echo", b"{\"value\": 1}").await, (200, json!(1)));
}

#[tokio::test]
async fn every_route_answers() {
    let tekton = tekton();
    let (served, _) = serve_with(&tekton, |config| config.introspect = true).await;
    let url = served.endpoint();
    let (status, health) = get(url, "/health").await;
    assert_eq!((status, &health["status"], &health["component"]), (200, &json!("healthy"), &json!("lab")));
    assert_eq!((&health["version"], &health["registered_with_hermes"]), (&json!("1.2.3"), &json!(true)));
    for key in ["timestamp", "uptime", "port", "dependencies", "metrics", "details"] {
        assert!(health.get(key).is_some(), "{key}");
    }
    assert_eq!(get(url, "/live").await.0, 200);
    let (status, ready) = get(url, "/ready").await;
    assert_eq!((status, &ready["ready"]), (200, &json!(true)));
    let (_, discovery) = get(url, "/discovery").await;
    assert_eq!(discovery["endpoints"][0]["path"], "/api/v1/echo");
    let (_, capabilities) = get(url, "/api/capabilities").await;
    assert_eq!((&capabilities["scores"]["lab.work"], &capabilities["request"]), (&json!(0.8), &json!(true)));
    assert_eq!(capabilities.get("streaming"), None);
    let (status, openapi) = get(url, "/openapi.json").await;
    assert_eq!((status, &openapi["openapi"], &openapi["info"]["title"]), (200, &json!("3.1.0"), &json!("lab")));
    assert_eq!(openapi["paths"]["/api/v1/echo"]["post"]["operationId"], "echo");
    let paths = openapi["paths"].as_object().unwrap().keys();
    for path in paths.filter(|path| !path.starts_with("/api/v")) {
        assert_eq!(get(url, path).await.0, 200, "{path}");
    }
    let metrics = raw(url, b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    let (status, unknown) = get(url, "/nothing").await;
    assert_eq!((status, &unknown["code"]), (404, &json!("unknown_path")));
    let (status, unknown) = post(url, "eco", b"{}").await;
    assert_eq!((status, &unknown["known_operations"][0]), (404, &json!("echo")));
    let (status, version) = get(url, "/api/v2/echo").await;
    assert_eq!((status, &version["code"]), (404, &json!("unknown_version")));
    let post_health =
        raw(url, b"POST /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    assert!(post_health.starts_with("HTTP/1.1 405") && post_health.contains("allow: GET"), "{post_health}");
}

#[tokio::test]
async fn the_caller_s_deadline_is_enforced() {
    let (served, gauge) = serve(&tekton()).await;
    let with_deadline = |ms: &str| {
        format!(
            "POST /api/v1/hang HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-tekton-deadline-ms: {ms}\r\ncontent-length: 0\r\n\r\n"
        )
    };
    let (status, problem) = answer(&raw(served.endpoint(), with_deadline("30").as_bytes()).await);
    assert_eq!((status, &problem["code"]), (504, &json!("timeout")));
    let (status, problem) = answer(&raw(served.endpoint(), with_deadline("0").as_bytes()).await);
    assert_eq!((status, problem["detail"].as_str().unwrap().contains("had passed")), (504, true));
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0);
}

/// Time is paused, so the ten seconds pass as soon as nothing else can happen.
#[tokio::test(start_paused = true)]
async fn half_a_header_and_then_silence_is_closed() {
    let (served, _) = serve(&tekton()).await;
    let answered = raw(served.endpoint(), b"POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-le").await;
    assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 408"), "{answered}");
}

#[tokio::test]
async fn garbage_and_oversized_heads_are_refused() {
    let (served, _) = serve_with(&tekton(), |host| host.max_header_bytes = 8192).await;
    let answered = raw(served.endpoint(), b"\x16\x03\x01\x02\x00 not http\r\n\r\n").await;
    assert!(answered.starts_with("HTTP/1.1 400"), "{answered}");
    let head = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(20_000));
    let answered = raw(served.endpoint(), head.as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 431"), "{answered}");
    assert_eq!(get(served.endpoint(), "/live").await.0, 200);
}

#[tokio::test]
async fn over_the_limit_a_caller_is_refused_with_a_hint() {
    let tekton = tekton();
    let (served, gauge) = serve_with(&tekton, |host| {
        host.max_concurrency = 1;
        host.queue_timeout = Duration::from_millis(10);
    })
    .await;
    let lab = tekton.peer("lab");
    let hanging = tokio::spawn(async move { lab.request::<()>("hang").await.map(drop) });
    gauge.started.notified().await;
    let error = tekton.peer("lab").request::<()>("size").json(&json!({"text": "x"})).await.unwrap_err();
    assert_eq!(error.remote().map(|remote| (remote.status(), remote.code())), Some((429, Some("concurrency"))));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(get(served.endpoint(), "/health").await.0, 200, "control routes have no limit");
    hanging.abort();
    gauge.dropped.notified().await;
    let size: Reply<usize> = tekton.peer("lab").request("size").json(&json!({"text": "x"})).await.unwrap();
    assert_eq!(*size, 1);
}

#[tokio::test]
async fn a_blocking_operation_keeps_its_place_to_the_end() {
    let tekton = tekton();
    let (_served, gauge) = serve_with(&tekton, |host| {
        host.max_concurrency = 1;
        host.queue_timeout = Duration::from_millis(10);
    })
    .await;
    let lab = tekton.peer("lab");
    let held = gauge.close();
    let call = {
        let lab = lab.clone();
        tokio::spawn(async move { lab.request::<()>("block").await.map(drop) })
    };
    gauge.started.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let error = lab.request::<()>("size").json(&json!({"text": "x"})).await.unwrap_err();
    assert_eq!(error.remote().map(tekton_sdk::RemoteError::status), Some(429), "it still runs");
    drop(held);
    gauge.dropped.notified().await;
    let size: Reply<usize> = lab.request("size").json(&json!({"text": "x"})).await.unwrap();
    assert_eq!(*size, 1);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let tekton = tekton();
    let (served, _) = serve(&tekton).await;
    let port = address(served.endpoint()).port();
    let lab = Lab { gauge: Default::default(), next: None };
    let error = lab.serve(&tekton).port(port).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(&format!("port {port} on 127.0.0.1 is taken")), "{error}");
}

struct Plain;

impl Component for Plain {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("plain one", "soon").scored_capability("x", 2.0)
    }

    fn operations(self: std::sync::Arc<Self>) -> Operations {
        const TWICE: Operation = Operation::read("twice", "")
            .parameters(&[Parameter::required("a", "one"), Parameter::required("a", "again")]);
        Operations::new().on(&self, TWICE, |_, _, _| async { Ok(()) }).on(&self, TWICE, |_, _, _| async { Ok(()) })
    }
}

#[tokio::test]
async fn everything_wrong_about_a_component_is_told_at_once() {
    let error = Plain.serve(&tekton()).instance("a b").start().await.unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
    for wanted in ["name", "version", "capabilities.x", "operations.twice", "operations.twice.a", "instance"] {
        assert!(fields.contains(&wanted), "{wanted}: {fields:?}");
    }
}

#[tokio::test]
async fn shutdown_is_orderly() {
    let tekton = tekton();
    let (served, gauge) = serve(&tekton).await;
    assert_eq!(served.presence(), Presence::Registered);
    let endpoint = served.endpoint().to_owned();
    let mut idle = TcpStream::connect(address(&endpoint)).await.unwrap();
    let held = gauge.close();
    let lab = tekton.peer_at(&endpoint).unwrap();
    let running = tokio::spawn(async move { lab.request::<()>("block").await.map(drop) });
    gauge.started.notified().await;
    let ending = tokio::spawn(served.shutdown());
    // It unregisters before it stops listening: nobody new is sent here.
    while !tekton.components().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!ending.is_finished(), "it waits for what runs");
    drop(held);
    running.await.unwrap().unwrap();
    assert!(ending.await.unwrap());
    // The port may be somebody else's by now; the connection of before is closed.
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn readiness_goes_first() {
    let clock = SharedClock::default();
    let (directory, plan) = FaultyDirectory::new(MemoryDirectory::new(clock.clone()), clock);
    let tekton = Tekton::builder().directory(directory).build().unwrap();
    let (served, _) = serve(&tekton).await;
    let endpoint = served.endpoint().to_owned();
    assert_eq!(get(&endpoint, "/ready").await.0, 200);
    // The hub never answers that we leave: the component is not ready, and still answers.
    plan.next(1, CallFault::Hang);
    let ending = tokio::spawn(served.shutdown());
    while plan.met() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&endpoint, "/ready").await.0, 503);
    assert_eq!(get(&endpoint, "/live").await.0, 200);
    ending.abort();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    let tekton = Tekton::builder().build().unwrap();
    let (served, gauge) = serve_with(&tekton, |host| host.drain_timeout = Duration::from_millis(20)).await;
    let lab = tekton.peer_at(served.endpoint()).unwrap();
    let running = tokio::spawn(async move { lab.request::<()>("hang").await.map(drop) });
    gauge.started.notified().await;
    assert!(!served.shutdown().await);
    assert_eq!(running.await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0);
}

/// The handler of the signal is set up by the first poll, so the signal can be sent after it.
#[cfg(unix)]
#[tokio::test]
async fn sigterm_shuts_down_in_order() {
    let tekton = tekton();
    let (served, _) = serve(&tekton).await;
    let mut ending = Box::pin(served.until_shutdown());
    assert!(futures_util::poll!(&mut ending).is_pending());
    let sent = tokio::process::Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().await;
    assert!(sent.unwrap().success());
    ending.await.unwrap();
    assert!(tekton.components().await.unwrap().is_empty());
}
