//! The plain dialect, byte by byte.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;

/// The next message as it came.
async fn text(raw: &mut Raw) -> String {
    match raw.socket.next().await.unwrap().unwrap() {
        Frame::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn ask(raw: &mut Raw, message: &str) -> String {
    raw.socket.send(Frame::text(message)).await.unwrap();
    text(raw).await
}

#[tokio::test]
async fn each_message_and_each_answer_has_its_bytes() {
    let broker = broker(1, None);
    let events = events(&broker);
    let epoch = format!("{:016x}", Random::seeded(1).next_u64());
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    assert_eq!(
        ask(&mut raw, r#"{"type":"subscribe","events":["workflow.completed","step.*"]}"#).await,
        format!(r#"{{"type":"subscribed","data":{{"events":["workflow.completed","step.*"],"after":"{epoch}-0"}}}}"#)
    );
    publish(&events, "workflow.completed", &json!({"run": 7})).await;
    assert_eq!(
        text(&mut raw).await,
        format!(r#"{{"type":"workflow.completed","data":{{"run":7}},"cursor":"{epoch}-1"}}"#)
    );
    publish(&events, "workflow.failed", &1).await;
    publish(&events, "step.done", &null()).await;
    assert_eq!(text(&mut raw).await, format!(r#"{{"type":"step.done","data":null,"cursor":"{epoch}-3"}}"#));
    assert_eq!(
        ask(&mut raw, r#"{"type":"publish","event":"other","data":[1.0]}"#).await,
        format!(r#"{{"type":"published","data":{{"cursor":"{epoch}-4"}}}}"#)
    );
    assert_eq!(ask(&mut raw, r#"{"type":"ping"}"#).await, r#"{"type":"pong","data":null}"#);
    assert_eq!(
        ask(&mut raw, r#"{"type":"unsubscribe","events":["workflow.completed","step.*"]}"#).await,
        r#"{"type":"unsubscribed","data":{"events":["workflow.completed","step.*"]}}"#
    );
    publish(&events, "step.done", &2).await;
    assert_eq!(ask(&mut raw, r#"{"type":"ping"}"#).await, r#"{"type":"pong","data":null}"#, "it hears nothing more");
    let again = format!(r#"{{"type":"subscribe","events":["step.*"],"after":"{epoch}-3"}}"#);
    assert_eq!(
        ask(&mut raw, &again).await,
        format!(r#"{{"type":"subscribed","data":{{"events":["step.*"],"after":"{epoch}-4"}}}}"#).replace("-4", "-3")
    );
    assert_eq!(text(&mut raw).await, format!(r#"{{"type":"step.done","data":2,"cursor":"{epoch}-5"}}"#));
    let shutdown = tokio::spawn(served.shutdown());
    assert_eq!(text(&mut raw).await, r#"{"type":"end","data":null}"#);
    assert_eq!(raw.closed().await, Some(1001));
    assert!(shutdown.await.unwrap());
}

fn null() -> Value {
    Value::Null
}

#[tokio::test]
async fn what_is_wrong_is_told_and_ends_nothing() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    for message in [
        r#"{"type":"dance"}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","events":"a"}"#,
        r#"{"type":"subscribe","events":["a..b"]}"#,
        r#"{"type":"subscribe","events":["<img src=x>"]}"#,
        r#"{"type":"unsubscribe"}"#,
        r#"{"type":"publish","event":"*","data":1}"#,
        r#"{"type":"publish"}"#,
        r#"{"jsonrpc":"2.0","method":"subscribe","params":{"topics":["a"]},"id":1}"#,
        "no JSON",
        "[]",
        "{}",
    ] {
        let answer: Value = serde_json::from_str(&ask(&mut raw, message).await).unwrap();
        assert_eq!((&answer["type"], &answer["data"]["status"]), (&json!("error"), &json!(422)), "{message}: {answer}");
    }
    assert_eq!(ask(&mut raw, r#"{"type":"ping"}"#).await, r#"{"type":"pong","data":null}"#);
}

#[tokio::test]
async fn a_connection_that_began_with_json_rpc_stays_with_it() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, r#"{"topics":["a"]}"#).await;
    let refused = raw.ask(r#"{"type":"subscribe","events":["a"]}"#).await;
    assert_eq!((&refused["error"]["code"], &refused["jsonrpc"]), (&json!(-32600), &json!("2.0")));
}

#[tokio::test]
async fn another_epoch_is_a_gap_here_too() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    publish(&events, "a", &1).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let answer = ask(&mut raw, r#"{"type":"subscribe","events":["a"],"after":"00000000000000ff-9"}"#).await;
    assert_eq!(answer, r#"{"type":"subscribed","data":{"events":["a"]}}"#);
    let gap: Value = serde_json::from_str(&text(&mut raw).await).unwrap();
    assert_eq!(
        (&gap["type"], &gap["data"]["reason"], &gap["data"]["from"]),
        (&json!("gap"), &json!("restarted"), &json!("00000000000000ff-9"))
    );
    let event: Value = serde_json::from_str(&text(&mut raw).await).unwrap();
    assert_eq!(event["data"], 1);
}
