//! Known answers of W3C Trace Context: what continues a trace, and with which state.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tekton_sdk::wire::trace::{TRACEPARENT, TraceContext};

const CASES: &str = include_str!("../vectors/trace-context/open.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn headers(case: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for header in case["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).unwrap());
    }
    headers
}

fn check(case: &Value) -> Result<(), String> {
    let wanted = &case["expect"];
    let Some(context) = TraceContext::from_headers(&headers(case)) else {
        return if wanted["continued"] == false { Ok(()) } else { Err("not continued".into()) };
    };
    let state: Vec<_> = context.state_members().collect();
    let got = json!({
        "continued": true,
        "trace_id": hex(&context.trace_id()),
        "parent_id": hex(&context.parent_id()),
        "flags": hex(&[context.flags()]),
        "tracestate": state,
    });
    for (key, wanted) in wanted.as_object().unwrap() {
        let matches = match key.as_str() {
            "tracestate_any_of" => wanted.as_array().unwrap().contains(&got["tracestate"]),
            key => got[key] == *wanted,
        };
        if !matches {
            return Err(format!("{key}: wanted {wanted}, got {got}"));
        }
    }
    let mut sent = HeaderMap::new();
    context.child([0xab; 8]).inject(&mut sent);
    let parent = sent[TRACEPARENT].to_str().unwrap();
    let again = TraceContext::from_headers(&sent).ok_or("what goes out is invalid")?;
    let goes_on = parent.starts_with("00-") && again.trace_id() == context.trace_id() && again.parent_id() == [0xab; 8];
    if !goes_on || again.state() != context.state() {
        return Err(format!("what goes out is {parent} with {:?}", again.state()));
    }
    Ok(())
}

#[test]
fn every_known_answer_is_given() {
    let suite: Value = serde_json::from_str(CASES).unwrap();
    let cases = suite["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 53);
    let failed: Vec<_> =
        cases.iter().filter_map(|case| check(case).err().map(|why| format!("{}: {why}", case["id"]))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
