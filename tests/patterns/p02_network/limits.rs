//! The host's limits of single clients, for topics.

use tekton_sdk::{
    patterns::events::{Backpressure, Message},
    time::ManualClock,
};

use super::*;

fn code(answer: &Value) -> (i64, String) {
    let error = &answer["error"];
    (error["code"].as_i64().unwrap_or_default(), error["data"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_client_subscribes_and_publishes_no_faster_than_it_may_ask_for_anything() {
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let events = events(&broker(1, None));
    let limited = |host: &mut HostConfig| {
        (host.client_rate_per_second, host.client_burst) = (Some(1), Some(3));
        (host.ws_first_message, host.ws_ping_interval) = (600 * SECOND, 600 * SECOND);
    };
    let served = serve_with(&events, &tekton, limited, |serve| serve).await;
    let (mut one, mut two) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    let subscribed = one.call(1, "subscribe", r#"{"topics":["a"],"acks":{}}"#).await;
    assert_eq!(subscribed["result"]["subscription"], 1);
    for n in 0..2 {
        let published = two.call(n, "publish", r#"{"topic":"b","data":1}"#).await;
        assert!(published["result"]["cursor"].is_string(), "{published}");
    }
    // It is one client at all its connections, and whatever it asks for.
    for (raw, method, params) in [
        (0, "subscribe", r#"{"topics":["a"]}"#),
        (0, "publish", r#"{"topic":"b","data":1}"#),
        (1, "publish", r#"{"topic":"b","data":1}"#),
    ] {
        let refused = [&mut one, &mut two][raw].call(7, method, params).await;
        assert_eq!(code(&refused), (-32029, "rate".to_owned()), "{refused}");
        assert_eq!(refused["error"]["data"]["retry_after"], 1);
    }
    let mut plain = Raw::open(served.endpoint()).await;
    for text in [r#"{"type":"subscribe","events":["a"]}"#, r#"{"type":"publish","event":"a","data":1}"#] {
        let refused = plain.ask(text).await;
        assert_eq!((&refused["type"], &refused["data"]["code"]), (&json!("error"), &json!("rate")), "{refused}");
    }
    // What a subscription needs to go on is not counted.
    publish(&events, "a", &1).await;
    let heard = told(&mut one).await;
    let settle = json!({ "subscription": 1, "cursor": heard["cursor"], "delivery": 1 }).to_string();
    assert_eq!(one.call(8, "ack", &settle).await["result"], json!(null));
    assert_eq!(one.call(9, "unsubscribe", r#"{"subscription":1}"#).await["result"], json!(null));
    clock.advance(SECOND);
    let again = two.call(10, "publish", r#"{"topic":"b","data":1}"#).await;
    assert!(again["result"]["cursor"].is_string(), "{again}");
}

#[tokio::test]
async fn who_is_proven_is_the_client_and_a_wrong_proof_counts_against_the_address() {
    let limited = |host: &mut HostConfig| host.client_rate_per_second = Some(1);
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let served = serve_with(&events(&broker(1, None)), &tekton, limited, host::guarded).await;
    let open =
        async |token: &'static str| Raw::open_with(served.endpoint(), &[("authorization", token)]).await.unwrap();
    let (mut ann, mut also_ann, mut bob, mut wrong) =
        (open("ann").await, open("ann").await, open("bob").await, open("wrong").await);
    let publish = |name: &str| format!(r#"{{"topic":"{name}.x","data":1}}"#);
    assert!(ann.call(1, "publish", &publish("ann")).await["result"]["cursor"].is_string());
    assert_eq!(code(&also_ann.call(1, "publish", &publish("ann")).await).1, "rate");
    assert!(bob.call(1, "publish", &publish("bob")).await["result"]["cursor"].is_string());
    let told = [
        wrong.call(1, "publish", &publish("ann")).await["error"]["data"]["status"].clone(),
        wrong.call(2, "subscribe", r#"{"topics":["x"]}"#).await["error"]["data"]["status"].clone(),
    ];
    assert_eq!(told, [json!(401), json!(429)], "proofs are not guessed at any speed");
}

#[tokio::test]
async fn a_client_has_so_many_calls_at_once() {
    let events = events(&broker(1, None));
    let served = serve_with(&events, &tekton(), |host| host.client_max_concurrency = Some(1), |serve| serve).await;
    // It holds publishers back as soon as one event waits.
    let held = events.subscribe::<i32>("slow").capacity(1).when_full(Backpressure::Block).await.unwrap();
    events.publish(Message::json("slow".parse().unwrap(), &1).unwrap()).await.unwrap();
    let (mut one, mut two) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    one.say(r#"{"jsonrpc":"2.0","method":"publish","params":{"topic":"slow","data":2},"id":1}"#).await;
    // The first of them may still be on its way.
    let mut refused = Value::Null;
    for _ in 0..1000 {
        refused = two.call(1, "publish", r#"{"topic":"quick","data":1}"#).await;
        if refused.get("error").is_some() {
            break;
        }
    }
    assert_eq!(code(&refused), (-32029, "client_concurrency".to_owned()), "{refused}");
    drop(held);
    assert!(one.hear().await["result"]["cursor"].is_string());
    assert!(two.call(2, "publish", r#"{"topic":"quick","data":1}"#).await["result"]["cursor"].is_string());
}
