//! Spans: one per call, one per attempt, one per served operation, and no secret in any of them.

use std::time::Duration;

use serde_json::{Value, json};
use tekton_sdk::{
    ErrorKind,
    testing::{CallFault, FakeComponent, FaultyTransport, Record, TestBed},
};

fn named(spans: &[Record], name: &str) -> Vec<Record> {
    spans.iter().filter(|span| span.name == name).cloned().collect()
}

fn fields(span: &Record, wanted: &[(&str, Option<&str>)]) {
    for (name, value) in wanted {
        assert_eq!(span.field(name), *value, "{name} of {span:?}");
    }
}

#[tokio::test]
async fn a_call_its_attempt_and_what_is_served_follow_the_conventions() {
    let bed = TestBed::new().unwrap();
    bed.serve(FakeComponent::new("notes").answers("list", json!([])).fails("add", ErrorKind::Conflict)).await.unwrap();
    let notes = bed.tekton().peer("notes");
    notes.request::<Value>("list").json(&json!({})).await.unwrap();
    notes.request::<Value>("add").json(&json!({})).await.unwrap_err();
    let spans = bed.spans();
    let [calls, attempts, serves] = ["tekton.call", "tekton.attempt", "tekton.serve"].map(|name| named(&spans, name));
    assert_eq!((calls.len(), attempts.len(), serves.len()), (2, 2, 2));
    fields(
        &calls[0],
        &[
            ("otel.name", Some("notes/list")),
            ("otel.kind", Some("client")),
            ("rpc.system.name", Some("tekton")),
            ("rpc.method", Some("notes/list")),
            ("error.type", None),
            ("source", Some("test")),
            ("attempts", Some("1")),
        ],
    );
    assert_eq!(attempts[0].within.as_deref(), Some("tekton.call"));
    fields(
        &attempts[0],
        &[
            ("otel.name", Some("POST")),
            ("otel.kind", Some("client")),
            ("http.request.method", Some("POST")),
            ("http.request.resend_count", None),
            ("http.response.status_code", Some("200")),
            ("server.address", Some("notes-1")),
            ("url.full", Some("memory://notes-1/api/v1/list")),
            ("error.type", None),
            ("attempt", Some("1")),
        ],
    );
    fields(
        &serves[0],
        &[
            ("otel.name", Some("POST /api/v{version}/list")),
            ("otel.kind", Some("server")),
            ("http.request.method", Some("POST")),
            ("http.route", Some("/api/v{version}/list")),
            ("url.path", Some("/api/v1/list")),
            ("url.scheme", Some("http")),
            ("http.response.status_code", Some("200")),
            ("error.type", None),
            ("parent_span_id", attempts[0].field("span_id")),
        ],
    );
    // One trace, and in it every span has an id of its own.
    assert_eq!(calls[0].field("trace_id").map(str::len), Some(32));
    let traces: Vec<_> = [&calls[0], &attempts[0], &serves[0]].map(|span| span.field("trace_id")).to_vec();
    assert!(traces.windows(2).all(|pair| pair[0] == pair[1]), "{traces:?}");
    assert_ne!(calls[0].field("span_id"), attempts[0].field("span_id"));
    assert_ne!(attempts[0].field("span_id"), serves[0].field("span_id"));
    // A failure that the callee answered has its status at the attempt, and its kind at the call.
    fields(&attempts[1], &[("http.response.status_code", Some("409")), ("error.type", Some("409"))]);
    fields(&calls[1], &[("error.type", Some("Conflict"))]);
    fields(&serves[1], &[("http.response.status_code", Some("409")), ("error.type", None)]);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_second_attempt_says_that_it_is_one() {
    let bed = TestBed::new().unwrap();
    bed.serve(FakeComponent::new("notes").answers("list", json!([]))).await.unwrap();
    let (faulty, faults) = FaultyTransport::new(bed.transport().clone(), bed.tekton().clock().clone());
    faults.next(1, CallFault::FailBefore(ErrorKind::Connect));
    let at_once = |config: &mut tekton_sdk::Config| config.retry.base_delay = Duration::ZERO;
    let tekton = bed.tekton_with(|builder| builder.transport(faulty).configure(at_once)).unwrap();
    tekton.peer("notes").request::<Value>("list").json(&json!({})).await.unwrap();
    let attempts = named(&bed.spans(), "tekton.attempt");
    assert_eq!(attempts.len(), 2);
    fields(&attempts[0], &[("error.type", Some("Connect")), ("http.response.status_code", None)]);
    fields(&attempts[1], &[("http.request.resend_count", Some("1")), ("attempt", Some("2")), ("error.type", None)]);
    drop(tekton);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_query_body_or_header_stands_in_a_span() {
    let bed = TestBed::new().unwrap();
    bed.serve(FakeComponent::new("notes").answers("list", json!("hunter2"))).await.unwrap();
    let notes = bed.tekton().peer("notes");
    let secret = http::HeaderValue::from_static("Bearer hunter2");
    for method in [http::Method::POST, http::Method::GET] {
        let call = notes.request::<Value>("list").method(method.clone()).query("token", "hunter2");
        let call = call.header(http::header::AUTHORIZATION, secret.clone());
        let call = call.header("baggage".parse().unwrap(), http::HeaderValue::from_static("k=hunter2"));
        let call = if method == http::Method::POST { call.json(&json!({"password": "hunter2"})) } else { call };
        let _ = call.await;
    }
    let (spans, events) = (bed.spans(), bed.events());
    assert_eq!(named(&spans, "tekton.serve").len(), 2);
    for record in spans.iter().chain(&events) {
        assert!(!format!("{record:?}").contains("hunter2"), "{record:?}");
    }
    bed.shutdown().await.unwrap();
}
