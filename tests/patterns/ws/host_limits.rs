//! What a host does with a WebSocket that asks for too much, says nonsense, or says nothing.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::json;
use tekton_sdk::{
    Tekton,
    host::{Server, ServerLimits},
    transport::{Handler, Inbound},
};
use tokio_tungstenite::tungstenite::Message;

use super::{raw::Raw, *};
use crate::lab::{serve, serve_with, tekton};

#[tokio::test]
async fn an_id_that_is_under_way_or_too_long_is_refused_with_none() {
    let (served, gauge) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    raw.say(r#"{"jsonrpc":"2.0","method":"hang","id":"a"}"#).await;
    gauge.started.notified().await;
    for id in [r#""a""#.to_owned(), r#""\u0061""#.to_owned(), format!("\"{}\"", "x".repeat(1 << 19)), "1".repeat(257)] {
        let refused = raw.ask(format!(r#"{{"jsonrpc":"2.0","method":"echo","params":{{"value":1}},"id":{id}}}"#)).await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(null), &json!(-32600)), "{id:.40}");
    }
    assert_eq!(gauge.running.load(Ordering::SeqCst), 1, "the first goes on");
    let batch = raw.ask(r#"[{"jsonrpc":"2.0","method":"echo","params":{"value":1},"id":1},{"jsonrpc":"2.0","method":"echo","params":{"value":2},"id":1}]"#).await;
    let results: Vec<_> = batch.as_array().unwrap().iter().map(|entry| entry["result"].clone()).collect();
    assert!(results.contains(&json!(1)) && !results.contains(&json!(2)), "{batch}");
}

#[tokio::test]
async fn answers_that_nobody_asked_for_and_notes_about_no_call_change_nothing() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    for text in [
        r#"{"jsonrpc":"2.0","result":1,"id":1}"#,
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"m"},"id":null}"#,
        r#"[{"jsonrpc":"2.0","result":1,"id":1}]"#,
        r#"{"jsonrpc":"2.0","method":"tekton.piece","params":{"id":1,"base64":"AAAA"}}"#,
        r#"{"jsonrpc":"2.0","method":"tekton.credit","params":{"id":1,"bytes":18446744073709551615}}"#,
        r#"{"jsonrpc":"2.0","method":"tekton.cancel","params":{"id":1}}"#,
        r#"{"jsonrpc":"2.0","method":"tekton.end","params":[5]}"#,
        r#"{"jsonrpc":"2.0","method":"tekton.nothing"}"#,
    ] {
        raw.say(text).await;
    }
    assert_eq!(raw.call(1, "echo", r#"{"value":1}"#).await["result"], 1);
}

#[tokio::test]
async fn what_is_no_json_is_too_deep_or_too_large_is_refused_and_only_frames_end_the_connection() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    for text in ["no JSON".to_owned(), "{".to_owned(), "[".repeat(100_000), format!("[{}1]", "1,".repeat(1000))] {
        let refused = raw.ask(text.clone()).await;
        assert!(
            [json!(-32700), json!(-32600)].contains(&refused["error"]["code"]) && refused["id"].is_null(),
            "{text:.40}"
        );
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let refused = raw.call(1, "echo", &format!(r#"{{"value":{deep}}}"#)).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("128 levels"), "{refused}");
    assert_eq!(raw.call(1, "echo", r#"{"value":1}"#).await["result"], 1);
    raw.socket.send(Message::text(" ".repeat((1 << 20) + 1))).await.unwrap();
    assert_eq!(raw.closed().await, Some(1009));
    for (bytes, code) in [
        (&b"\x81\x82\0\0\0\0\xff\xfe"[..], 1007),
        (b"\x81\x02{}", 1002),
        (b"\x8f\x80\0\0\0\0", 1002),
        (b"\xc1\x80\0\0\0\0", 1002),
    ] {
        let mut raw = Raw::open(served.endpoint()).await;
        raw.put(bytes).await;
        assert_eq!(raw.closed().await, Some(code), "{bytes:x?}");
    }
}

#[tokio::test]
async fn calls_beyond_those_that_may_run_at_once_are_refused_by_the_name_of_the_limit() {
    let (served, gauge) = serve_with(&tekton(), |host| host.ws_max_in_flight = 3).await;
    let mut raw = Raw::open(served.endpoint()).await;
    for id in 1..=3 {
        raw.say(format!(r#"{{"jsonrpc":"2.0","method":"hang","id":{id}}}"#)).await;
        gauge.started.notified().await;
    }
    let refused = raw.call(4, "echo", r#"{"value":1}"#).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["data"]["code"], &refused["id"]),
        (&json!(-32029), &json!("in_flight"), &json!(4))
    );
    let refused = raw.ask(r#"{"jsonrpc":"2.0","method":"echo","params":{"value":1},"http":{},"id":5}"#).await;
    assert_eq!(
        (&refused["http"]["status"], &refused["http"]["headers"]["retry-after"]),
        (&json!(429), &json!("1")),
        "{refused}"
    );
    raw.say(r#"{"jsonrpc":"2.0","method":"tekton.cancel","params":{"id":2}}"#).await;
    gauge.dropped.notified().await;
    assert_eq!(raw.call(6, "echo", r#"{"value":1}"#).await["result"], 1);
}

#[tokio::test]
async fn a_flood_is_served_at_its_rate_and_refused_beyond() {
    let clock = ManualClock::new();
    let builder = Tekton::builder().named("tester").clock(clock.clone());
    let tekton = builder.build().unwrap();
    let (served, _) = serve_with(&tekton, |host| host.ws_rate_per_second = Some(10)).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let mut served_well = 0;
    for id in 1..=100 {
        let answer = raw.call(id, "echo", r#"{"value":1}"#).await;
        match answer.get("result") {
            Some(_) => served_well += 1,
            None => assert_eq!(
                (&answer["error"]["code"], &answer["error"]["data"]["code"]),
                (&json!(-32029), &json!("rate"))
            ),
        }
    }
    assert_eq!(served_well, 10);
    clock.advance(SECOND / 10);
    assert_eq!(raw.call(101, "echo", r#"{"value":1}"#).await["result"], 1);
    // Nonsense counts too, and beyond the rate it is not even answered.
    for _ in 0..1000 {
        raw.say("nonsense").await;
    }
    assert_eq!(raw.call(102, "echo", r#"{"value":2}"#).await["error"]["data"]["code"], "rate");
    clock.advance(SECOND);
    assert_eq!(raw.call(103, "echo", r#"{"value":2}"#).await["result"], 2);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_asked_for_no_more_and_its_memory_is_bounded() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let value = "x".repeat(10_000);
    let (mut sink, stream) = raw.socket.split();
    let mut written: u64 = 0;
    // It writes until the host, which cannot get rid of its answers, takes nothing more.
    loop {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"echo","params":{{"value":"{value}"}},"id":{written}}}"#);
        let mut writing = sink.send(Message::text(text));
        let mut turns = 0;
        while futures_util::poll!(&mut writing).is_pending() && turns < 5000 {
            turns += 1;
            tokio::task::yield_now().await;
        }
        if turns == 5000 {
            break;
        }
        written += 1;
        assert!(written < 10_000, "100 MB were taken from a client that reads nothing");
    }
    raw = Raw { socket: sink.reunite(stream).unwrap() };
    // All that was taken is answered once it reads.
    for _ in 0..written {
        assert!(raw.hear().await["result"].is_string());
    }
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up_within_two_intervals_and_its_work_ends() {
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let (served, gauge) = serve_with(&tekton, |_| {}).await;
    let mut raw = Raw::open(served.endpoint()).await;
    raw.say(r#"{"jsonrpc":"2.0","method":"hang","http":{"headers":{"x-tekton-deadline-ms":"9999999"}},"id":1}"#).await;
    gauge.started.notified().await;
    // From here on it reads nothing, and so answers no ping.
    while gauge.running.load(Ordering::SeqCst) > 0 {
        clock.advance(10 * SECOND);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    drop(raw);
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays() {
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let (served, _) = serve_with(&tekton, |_| {}).await;
    let mut raw = Raw::open(served.endpoint()).await;
    assert_eq!(raw.call(1, "echo", r#"{"value":1}"#).await["result"], 1);
    for _ in 0..5 {
        clock.advance(20 * SECOND);
        // The ping comes, and is answered by reading on.
        assert!(raw.socket.next().await.unwrap().unwrap().is_ping());
        raw.socket.flush().await.unwrap();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(raw.call(2, "echo", r#"{"value":1}"#).await["result"], 1);
}

/// Answers everything with half a megabyte.
#[derive(Debug)]
struct Wordy;

#[async_trait::async_trait]
impl Handler for Wordy {
    async fn handle(&self, _: Inbound) -> Response {
        Response::new(StatusCode::OK, Bytes::from(format!("\"{}\"", "x".repeat(500_000))))
    }
}

#[tokio::test]
async fn a_peer_that_reads_slowly_stays_although_its_pongs_are_not_read() {
    let (clock, loopback) = (ManualClock::new(), ([127, 0, 0, 1], 0).into());
    let shared = SharedClock::new(clock.clone());
    let server = Server::bind(loopback, Arc::new(Wordy), ServerLimits::default(), shared).await.unwrap();
    let mut raw = Raw::open(&format!("http://{}", server.local_addr())).await;
    for id in 0..100 {
        raw.say(format!(r#"{{"jsonrpc":"2.0","method":"fill","id":{id}}}"#)).await;
    }
    // Of 50 MB it takes some in each interval: far from all, and the host, which has enough to write, reads nothing.
    for _ in 0..5 {
        assert!(raw.hear().await["result"].is_string());
        for _ in 0..8 {
            raw.hear().await;
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        clock.advance(20 * SECOND);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..100 - 5 * 9 {
        assert!(raw.hear().await["result"].is_string());
    }
}
