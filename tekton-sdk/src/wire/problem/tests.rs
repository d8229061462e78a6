use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{error::Sent, wire::arbitrary};

fn read(status: u16, body: &str) -> Error {
    read_with(status, &[], body)
}

fn read_with(status: u16, headers: &[(&'static str, &str)], body: &str) -> Error {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let body = Bytes::copy_from_slice(body.as_bytes());
    read_failure(StatusCode::from_u16(status).unwrap(), &headers, &body, SystemTime::UNIX_EPOCH)
}

#[test]
fn every_kind_has_a_failing_status_and_a_snake_case_code() {
    for &kind in ErrorKind::ALL {
        let problem = Problem::from_error(&Error::new(kind, "it failed").with_source(std::io::Error::other("s3cret")));
        assert!(problem.status >= 400, "{kind:?}");
        assert_eq!(problem.code.replace('_', ""), kind.name().to_lowercase());
        assert_eq!(problem.type_uri, format!("urn:tekton:problem:{}", problem.code));
        assert_eq!(problem.detail, "it failed");
        assert!(!String::from_utf8_lossy(&problem.to_bytes()).contains("s3cret"));
    }
}

#[test]
fn a_problem_writes_only_what_it_has() {
    let problem = Problem::new(StatusCode::IM_A_TEAPOT, "no coffee");
    let json: serde_json::Value = serde_json::from_slice(&problem.to_bytes()).unwrap();
    assert_eq!(
        json,
        json!({"type": "about:blank", "title": "I'm a teapot", "status": 418, "detail": "no coffee",
            "code": "im_a_teapot"})
    );
    assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    let overloaded = Problem::from_error(&Error::new(ErrorKind::Rejected, "full"))
        .with_code("overloaded")
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_instance("/api/v1/summarize")
        .with_retry_after(Duration::from_millis(1));
    assert_eq!((overloaded.status, overloaded.title.as_str()), (503, "Service Unavailable"));
    assert_eq!(overloaded.retry_after, Some(1));
    assert_eq!(overloaded.instance.as_deref(), Some("/api/v1/summarize"));
}

#[test]
fn a_foreign_problem_needs_no_more_than_a_status() {
    let problem: Problem = serde_json::from_str(r#"{"status":503}"#).unwrap();
    assert_eq!(problem.type_uri, "about:blank");
}

#[test]
fn waits_are_rounded_up() {
    let error = |wait| Problem::from_error(&Error::new(ErrorKind::Rejected, "full").with_retry_after(wait)).retry_after;
    assert_eq!(error(Duration::from_millis(1200)), Some(2));
    assert_eq!(error(Duration::from_secs(2)), Some(2));
    assert_eq!(error(Duration::ZERO), Some(0));
    assert_eq!(error(Duration::MAX), Some(u64::MAX));
}

#[test]
fn the_kind_follows_the_status() {
    let kind = |status| read(status, "").kind();
    assert_eq!(kind(401), ErrorKind::Unauthorized);
    assert_eq!(kind(404), ErrorKind::NotFound);
    assert_eq!(kind(409), ErrorKind::Conflict);
    assert_eq!(kind(412), ErrorKind::Conflict);
    for status in [200, 302, 400, 403, 422, 429, 500, 503, 599] {
        assert_eq!(kind(status), ErrorKind::Remote, "{status}");
    }
    let timeout = read(504, r#"{"status":504,"code":"timeout","detail":"the deadline passed"}"#);
    assert_eq!((timeout.kind(), timeout.sent()), (ErrorKind::Timeout, Sent::Yes));
    assert_eq!(timeout.remote().unwrap().code(), Some("timeout"));
}

#[test]
fn fastapi_sentences_are_understood() {
    let error = read(404, r#"{"detail":"Component 'x' not found"}"#);
    assert_eq!(error.to_string(), "answered 404 Not Found: Component 'x' not found");
    assert_eq!(error.remote().unwrap().detail(), Some("Component 'x' not found"));
    let error = read(400, r#"{"detail":{"code":"E7","message":"no such agent."}}"#);
    assert_eq!(error.to_string(), "answered 400 Bad Request: no such agent");
    assert_eq!(error.remote().unwrap().code(), Some("E7"));
}

#[test]
fn fastapi_lists_become_fields() {
    let error = read(
        422,
        r#"{"detail":[
            {"type":"missing","loc":["body","items",0,"name"],"msg":"Field required","input":{"password":"s3cret"}},
            {"type":"missing","loc":["header","x-authentication-token"],"msg":"Field required","input":null},
            {"type":"missing","loc":["body"],"msg":"Field required","input":null},
            {"type":"json_invalid","loc":["body",12],"msg":"JSON decode error","input":{},
             "ctx":{"error":"Expecting value"}}
        ]}"#,
    );
    assert_eq!(error.to_string(), "answered 422 Unprocessable Entity: 4 arguments are wrong");
    let fields: Vec<_> = error.fields().iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["items.0.name", "x-authentication-token", "body", "body.12"]);
    assert!(!format!("{error:?} {:?}", error.remote()).contains("s3cret"));
}

#[test]
fn other_dialects_are_understood() {
    let error = read(500, r#"{"error":"'StorageService' object has no attribute 'add'"}"#);
    assert_eq!(error.to_string(), "answered 500 Internal Server Error: 'StorageService' object has no attribute 'add'");
    let error = read(429, r#"{"error":{"message":"slow down","type":"rate","code":"rate_limited"}}"#);
    assert_eq!(error.remote().unwrap().code(), Some("rate_limited"));
    assert_eq!(error.to_string(), "answered 429 Too Many Requests: slow down");

    let error = read(400, r#"{"error":true,"message":"bad key"}"#);
    assert_eq!(error.to_string(), "answered 400 Bad Request: bad key");

    let error = read(500, "Internal Server Error");
    assert_eq!(error.to_string(), "answered 500 Internal Server Error");
    assert_eq!(error.remote().unwrap().detail(), Some("Internal Server Error"));

    let error = read(502, "<html><title>502 Bad Gateway</title></html>");
    assert_eq!(error.to_string(), "answered 502 Bad Gateway");
    assert_eq!(error.remote().unwrap().detail(), None);
    assert!(error.remote().unwrap().body().starts_with(b"<html>"));

    let error = read(403, r#"{"type":"https://example.com/probs/credit","title":"You do not have enough credit."}"#);
    assert_eq!(error.to_string(), "answered 403 Forbidden: You do not have enough credit");
    assert_eq!(error.remote().unwrap().code(), None);
    assert_eq!(read(599, r#"{"a":1}"#).to_string(), "answered 599");
    assert_eq!(read(500, &"[".repeat(200_000)).to_string(), "answered 500 Internal Server Error");
}

#[test]
fn a_hostile_sentence_is_one_short_line() {
    let long = json!({"detail": format!("line\nforged \u{1b}[2J {}", "x".repeat(10_000))}).to_string();
    let error = read(500, &long);
    assert!(error.to_string().chars().count() < 600);
    assert!(!error.to_string().contains(['\n', '\u{1b}']));
    assert_eq!(error.remote().unwrap().body().len(), crate::error::RemoteError::MAX_BODY_BYTES);
}

#[test]
fn the_wait_is_read_from_the_header_then_the_body_and_clamped() {
    let wait = |header: &str, body: &str| {
        read_with(503, &[("retry-after", header)], body).retry_after().map(|wait| wait.as_secs())
    };
    assert_eq!(wait("7", r#"{"retry_after":9}"#), Some(7));
    assert_eq!(wait(" 7 ", ""), Some(7));
    assert_eq!(wait("0", ""), Some(0));
    assert_eq!(wait("86400", ""), Some(3600));
    assert_eq!(wait("99999999999999999999999", ""), Some(3600));
    for garbage in ["", "-1", "+1", "1.5", "soon", "Sat, 31 Dec 1999 23:59:59 GMT"] {
        assert_eq!(wait(garbage, r#"{"retry_after":1.2}"#), Some(2), "{garbage}");
        assert_eq!(wait(garbage, r#"{"retry_after":"x"}"#), None, "{garbage}");
        assert_eq!(wait(garbage, r#"{"retry_after":-1}"#), None, "{garbage}");
    }
    assert_eq!(wait("x", r#"{"retry_after":1e300}"#), Some(3600));
}

/// Clauses that need no replacing: what a component of this crate would say.
fn clause() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß\"'\\\\{}:,/-]{1,20}( [a-zA-Z0-9.<>]{1,10}){0,5}[a-z]"
}

const KEYS: &[&str] = &["detail", "errors", "error", "loc", "msg", "code", "type", "title", "retry_after"];

proptest! {
    #[test]
    fn any_answer_is_read(
        status in 100u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..2000),
        header in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&header) {
            headers.insert("retry-after", value.clone());
            headers.insert("content-type", value);
        }
        let error = read_failure(StatusCode::from_u16(status).unwrap(), &headers, &body.into(), SystemTime::UNIX_EPOCH);
        prop_assert_eq!(error.remote().unwrap().status(), status);
        prop_assert!(error.retry_after().is_none_or(|wait| wait.as_secs() <= 3600));
    }

    #[test]
    fn any_json_is_read(status in 100u16..1000, body in arbitrary::value(KEYS)) {
        let error = read(status, &body.to_string());
        prop_assert!(error.to_string().chars().count() < 600);
        prop_assert!(!error.report().contains(|c: char| c.is_control()));
    }

    #[test]
    fn a_problem_survives_the_wire(
        status in 400u16..600,
        code in "[a-z]{1,10}(_[a-z]{1,10}){0,3}",
        detail in clause(),
        fields in prop::collection::vec((clause(), clause()), 0..8),
        wait in prop::option::of(0u64..=3600),
    ) {
        let mut problem = Problem::new(StatusCode::from_u16(status).unwrap(), &detail).with_code(&code);
        problem.retry_after = wait;
        for (field, what) in &fields {
            problem = problem.with_field(field, what);
        }
        prop_assert_eq!(&serde_json::from_slice::<Problem>(&problem.to_bytes()).unwrap(), &problem);
        let error = read(status, std::str::from_utf8(&problem.to_bytes()).unwrap());
        let remote = error.remote().unwrap();
        prop_assert_eq!((remote.status(), remote.code(), remote.detail()), (status, Some(&*code), Some(&*detail)));
        prop_assert_eq!(error.fields(), &problem.errors);
        prop_assert_eq!(error.retry_after(), wait.map(Duration::from_secs));
    }
}
