//! Trace and baggage from hop to hop, whatever the headers hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tekton_sdk::{
    Context, ErrorKind, Tekton,
    testing::ScriptedTransport,
    transport::MemoryTransport,
    wire::{baggage::Baggage, trace::TraceContext},
};

use super::{ask_memory, ask_socket, relaying};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn hex(bytes: &Value) -> String {
    bytes.as_array().unwrap().iter().map(|byte| format!("{:02x}", byte.as_u64().unwrap())).collect()
}

fn parent(version: &str, flags: &str) -> String {
    format!("traceparent: {version}-{TRACE}-{PARENT}-{flags}\r\n")
}

/// Header lines, whether the trace goes on, and the state that goes on with it.
fn cases() -> Vec<(String, bool, Option<String>)> {
    let good = parent("00", "01");
    let members = |n: usize| (0..n).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let mut cases = vec![
        (String::new(), false, None),
        (good.clone(), true, None),
        (format!("{good}tracestate: a=1, b=2\r\n"), true, Some("a=1,b=2".into())),
        (format!("{good}tracestate: a=1\r\ntracestate: b=2\r\n"), true, Some("a=1,b=2".into())),
        (format!("{good}tracestate: a=1\r\ntracestate: a=2\r\n"), true, None),
        (format!("{good}tracestate: {}\r\n", members(32)), true, Some(members(32))),
        (format!("{good}tracestate: {}\r\n", members(33)), true, None),
        (format!("{good}tracestate: {}\r\n", "x".repeat(50_000)), true, None),
        ("tracestate: a=1\r\n".to_owned(), false, None),
        (format!("{good}{good}"), false, None),
        (format!("{good}traceparent: \r\n"), false, None),
        (format!("traceparent: {}\r\n", "0".repeat(50_000)), false, None),
        (parent("cc", "01"), true, None),
    ];
    let bad = [
        parent("ff", "01"),
        parent("00", "1"),
        parent("00", "0g"),
        parent("00", "01-more"),
        good.to_uppercase().replace("TRACEPARENT", "traceparent"),
        good.replace(TRACE, &"0".repeat(32)),
        good.replace(PARENT, &"0".repeat(16)),
        good.replace('-', "_"),
        "traceparent: \u{e4}\r\n".to_owned(),
    ];
    cases.extend(bad.map(|headers| (headers, false, None)));
    cases
}

fn check((headers, continued, state): &(String, bool, Option<String>), (status, seen): (u16, Value)) {
    let shown = &headers[..headers.len().min(120)];
    assert_eq!(status, 200, "{shown}");
    // What does not go on begins anew: the operation always has a trace.
    assert_eq!(hex(&seen["trace"]) == TRACE, *continued, "{shown}: {seen}");
    assert_ne!(hex(&seen["trace"]), "0".repeat(32), "{shown}");
    assert_ne!(hex(&seen["parent"]), PARENT, "the operation is a span of its own: {shown}");
    assert_eq!(seen["state"].as_str(), state.as_deref(), "{shown}");
}

#[tokio::test]
async fn broken_repeated_and_oversized_trace_headers_do_no_harm_over_a_socket() {
    let tekton = Tekton::builder().build().unwrap();
    let served = relaying(&tekton, None).await;
    for case in cases() {
        check(&case, ask_socket(served.endpoint(), "/api/v1/context", &case.0).await);
    }
    let huge = format!("tracestate: a={}\r\n", "x".repeat(300_000));
    let (status, _) = ask_socket(served.endpoint(), "/api/v1/context", &huge).await;
    assert_eq!(status, 431);
}

#[tokio::test]
async fn broken_repeated_and_oversized_trace_headers_do_no_harm_in_memory() {
    let memory = MemoryTransport::new();
    let tekton = Tekton::builder().transport(memory.clone()).build().unwrap();
    let served = relaying(&tekton, Some(&memory)).await;
    for case in cases() {
        check(&case, ask_memory(&memory, served.endpoint(), "/api/v1/context", &case.0).await.unwrap());
    }
}

#[tokio::test]
async fn a_trace_and_its_state_reach_the_second_hop() {
    let tekton = Tekton::builder().build().unwrap();
    let served = relaying(&tekton, None).await;
    let headers = format!("{}tracestate: a=1\r\nbaggage: tenant=acme\r\n", parent("00", "01"));
    let (status, seen) = ask_socket(served.endpoint(), "/api/v1/relay?operation=context", &headers).await;
    assert_eq!((status, hex(&seen["trace"]).as_str(), &seen["state"]), (200, TRACE, &json!("a=1")), "{seen}");
    assert_eq!(seen["baggage"], "", "baggage goes to nobody unless they are named");
}

#[tokio::test]
async fn baggage_goes_on_to_the_peers_that_are_named() {
    for (peers, goes_on) in [(&["lab"][..], true), (&["*"], true), (&["labs", "la", "LAB"], false), (&[], false)] {
        let change = |config: &mut tekton_sdk::Config| {
            config.telemetry.baggage_peers = peers.iter().map(|peer| (*peer).to_owned()).collect();
        };
        let tekton = Tekton::builder().configure(change).build().unwrap();
        let served = relaying(&tekton, None).await;
        let headers = "baggage: tenant=acme, broken\r\nbaggage: user=J%C3%BCrgen;p=1\r\n";
        let (status, first) = ask_socket(served.endpoint(), "/api/v1/context", headers).await;
        assert_eq!((status, &first["baggage"]), (200, &json!("tenant=acme,user=J%C3%BCrgen;p=1")));
        let (status, second) = ask_socket(served.endpoint(), "/api/v1/relay?operation=context", headers).await;
        let wanted = if goes_on { first["baggage"].clone() } else { json!("") };
        assert_eq!((status, &second["baggage"]), (200, &wanted), "{peers:?}");
    }
}

#[tokio::test]
async fn oversized_baggage_is_cut_and_does_no_harm() {
    let change = |config: &mut tekton_sdk::Config| config.telemetry.baggage_peers = vec!["*".to_owned()];
    let tekton = Tekton::builder().configure(change).build().unwrap();
    let served = relaying(&tekton, None).await;
    let member = |n: usize| format!("k{n}={}", "v".repeat(90));
    let line = |n: usize| format!("baggage: {}\r\n", (n * 10..n * 10 + 10).map(member).collect::<Vec<_>>().join(","));
    let many: String = (0..50).map(line).collect();
    let (status, seen) = ask_socket(served.endpoint(), "/api/v1/relay?operation=context", &many).await;
    let read = Baggage::parse([seen["baggage"].as_str().unwrap()].into_iter());
    assert_eq!((status, read.len()), (200, 64));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_a_parent_id_of_its_own() {
    let (transport, script) = ScriptedTransport::new();
    script.fail(ErrorKind::Connect).fail(ErrorKind::Connect).answer(200, "null").answer(200, "null");
    let tekton = Tekton::builder().transport(transport).build().unwrap();
    let peer = tekton.peer_at("http://127.0.0.1:1").unwrap();
    let here =
        TraceContext::parse(&parent("00", "01")["traceparent: ".len()..].replace("\r\n", ""), ["a=1"].into_iter());
    let context = Context::new().with_trace(here.clone());
    context.scope(async { peer.request::<()>("op").await.unwrap() }).await;
    peer.request::<()>("op").await.unwrap();
    let sent: Vec<_> =
        script.requests().iter().map(|request| TraceContext::from_headers(&request.headers).unwrap()).collect();
    let parents: BTreeSet<_> = sent.iter().chain(&here).map(TraceContext::parent_id).collect();
    assert_eq!(parents.len(), 5, "{sent:?}");
    for attempt in &sent[..3] {
        assert_eq!(attempt.trace_id(), here.as_ref().unwrap().trace_id());
        assert_eq!((attempt.state(), attempt.is_sampled()), (Some("a=1"), true));
    }
    assert_ne!(sent[3].trace_id(), sent[0].trace_id(), "outside of an operation each call begins a trace");
}

#[tokio::test]
async fn headers_of_the_trace_that_a_caller_sets_are_replaced() {
    let (transport, script) = ScriptedTransport::new();
    script.answer(200, "null");
    let tekton = Tekton::builder().transport(transport).build().unwrap();
    let peer = tekton.peer_at("http://127.0.0.1:1").unwrap();
    let value = http::HeaderValue::from_static;
    let call = peer.request::<()>("op").header("traceparent".parse().unwrap(), value("mine"));
    call.header("tracestate".parse().unwrap(), value("mine=1")).await.unwrap();
    let headers = &script.requests()[0].headers;
    assert_eq!(headers.get_all("traceparent").iter().count(), 1);
    assert!(TraceContext::from_headers(headers).is_some() && !headers.contains_key("tracestate"));
}
