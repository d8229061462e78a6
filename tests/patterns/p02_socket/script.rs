//! Against a server that plays a script: whatever it does, the subscriber goes on with the next connection.

use bytes::Bytes;
use tekton_sdk::{
    ErrorKind, Sent,
    patterns::events::Receipt,
    testing::{Order, ScriptedWebSocket, WsStep},
    transport::Closed,
};

use super::*;

async fn server() -> ScriptedWebSocket {
    ScriptedWebSocket::start(SharedClock::default()).await.unwrap()
}

fn say(text: impl Into<String>) -> WsStep {
    WsStep::Say(text.into())
}

fn begun(far: u64) -> WsStep {
    say(format!(r#"{{"jsonrpc":"2.0","result":{{"subscription":{far},"after":"0000000000000001-0"}},"id":$ID}}"#))
}

fn told(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"event","params":{params}}}"#)
}

fn number(far: u64, n: u64) -> String {
    told(&format!(
        r#"{{"subscription":{far},"cursor":"0000000000000001-{n}","time":"2026-01-01T00:00:00Z","topic":"a","data":{n}}}"#
    ))
}

/// Everything that a server may do in the middle of a connection, and why that ends.
fn repertoire() -> Vec<(Vec<WsStep>, Closed)> {
    let drop = |steps: Vec<WsStep>| (steps.into_iter().chain([WsStep::Drop]).collect(), Closed::Broken);
    let mut all: Vec<_> = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 4000]
        .into_iter()
        .map(|code| (vec![WsStep::Close(code)], Closed::of_code(code)))
        .collect();
    all.extend([
        drop(vec![]),
        (vec![WsStep::Reset], Closed::Broken),
        (vec![WsStep::Stall], Closed::Silent),
        // A frame of an opcode that there is not; one that claims to be masked; a text that is no UTF-8.
        (vec![WsStep::Raw(Bytes::from_static(&[0x83, 0x00]))], Closed::Protocol),
        (vec![WsStep::Raw(Bytes::from_static(&[0x81, 0x81, 0, 0, 0, 0, b'x']))], Closed::Protocol),
        (vec![WsStep::Raw(Bytes::from_static(&[0x81, 0x02, 0xff, 0xfe]))], Closed::BadData),
        (vec![say("x".repeat(3 << 20))], Closed::TooLarge),
        drop(vec![WsStep::Ping(Bytes::from_static(b"?")), WsStep::AwaitPong]),
        drop(vec![WsStep::Binary(Bytes::from_static(b"\x00\x01\x02"))]),
        drop(vec![say("no JSON"), say("[]"), say("{}"), say("7"), say(r#"{"jsonrpc":"1.0"}"#)]),
        drop(vec![WsStep::EchoAll(Order::Twice), WsStep::EchoAll(Order::Backward)]),
        drop(vec![say(r#"{"jsonrpc":"2.0","result":null,"id":99}"#), say(r#"{"jsonrpc":"2.0","result":1,"id":"x"}"#)]),
        drop(vec![say(r#"{"jsonrpc":"2.0","method":"roots","id":7}"#), say(r#"{"jsonrpc":"2.0","method":"note"}"#)]),
        drop(vec![say(number(99, 5)), say(told(r#"{"subscription":99,"end":true}"#))]),
        drop(
            [
                r#"{"subscription":1}"#,
                r#"{"subscription":"1"}"#,
                r#"{"subscription":1,"cursor":"x","topic":"a","data":1}"#,
                r#"{"subscription":1,"cursor":"0000000000000001-9","topic":"a.*","data":1}"#,
                r#"{"subscription":1,"cursor":"0000000000000001-9","topic":"a"}"#,
                r#"{"subscription":1,"gap":{"from":"x","to":"y"}}"#,
                r#"{"subscription":1,"gap":7}"#,
                "[1,2]",
                "7",
            ]
            .map(|params| say(told(params)))
            .to_vec(),
        ),
    ]);
    all
}

#[tokio::test]
async fn whatever_a_server_does_the_subscriber_goes_on_with_the_next_connection() {
    for (nth, (fault, why)) in repertoire().into_iter().enumerate() {
        let (world, server) = (World::new(), server().await);
        let shown = format!("{nth}: {fault:?}").chars().take(200).collect::<String>();
        // A word at first, the subscription, and what it takes.
        let before = [WsStep::Await(2), begun(1), WsStep::Await(3), say(number(1, 1))];
        server.script(before.into_iter().chain(fault));
        server.script([WsStep::Await(1), begun(7), WsStep::Await(2), say(number(7, 2))]);
        let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
        let events = world.events(broker.clone());
        let mut subscription = events.subscribe("a").await.unwrap();
        numbers(&mut subscription, [1]).await;
        let mut next = Box::pin(subscription.next());
        let mut waits = 0;
        let came = loop {
            if let std::task::Poll::Ready(came) = futures_util::poll!(&mut next) {
                break came;
            }
            world.pass(SECOND).await;
            waits += 1;
            assert!(waits < 600, "{shown}: {:?}", broker.connection().state());
        };
        let Some(Ok(Heard::Event(event))) = came else { panic!("{shown}: {came:?}") };
        assert_eq!(event.data().unwrap(), 2_u64, "{shown}");
        assert_eq!(broker.last_closed(), Some(why), "{shown}");
        let again = server.messages();
        let again = again.iter().filter(|message| message.contains(r#""method":"subscribe""#)).nth(1).unwrap();
        assert!(again.contains(r#""after":"0000000000000001-1""#), "{shown}: {again}");
        drop(next);
        assert_eq!(subscription.counts().gaps, 0, "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_sends_more_than_it_was_asked_for_is_left() {
    let (world, server) = (World::new(), server().await);
    let flood = (1..400).map(|n| say(number(1, n)));
    server.script([WsStep::Await(2), begun(1)].into_iter().chain(flood));
    let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
    let subscription = world.events(broker.clone()).subscribe::<u64>("a").capacity(8).await.unwrap();
    server.until(|server| !server.closes().is_empty()).await;
    assert_eq!((server.closes(), broker.last_closed()), (vec![Some(1008)], Some(Closed::Policy)));
    drop(subscription);
}

#[tokio::test]
async fn an_event_that_is_not_confirmed_is_published_again_if_it_has_an_id() {
    let (world, server) = (World::new(), server().await);
    server.script([WsStep::Await(3), WsStep::Drop]);
    let fine = r#"{"jsonrpc":"2.0","result":{"cursor":"0000000000000001-5"},"id":$ID}"#;
    server.script([WsStep::Await(1), say(fine)]);
    let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
    let publishing = |message: Message| {
        let broker = broker.clone();
        tokio::spawn(async move { broker.publish(message).await })
    };
    let (named, nameless) = (publishing(message("a", 1).with_id("x")), publishing(message("a", 2)));
    let error = nameless.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Interrupted, Sent::Maybe), "{}", error.report());
    assert!(error.report().ends_with("it broke without a word"), "{}", error.report());
    until_up(&world, &broker.connection()).await;
    let receipt = named.await.unwrap().unwrap();
    assert_eq!(receipt, Receipt::at("0000000000000001-5".parse().unwrap()));
    let messages = server.messages();
    assert_eq!(messages.iter().filter(|message| message.contains(r#""id":"x""#)).count(), 2, "{messages:?}");
    assert_eq!(messages.iter().filter(|message| message.contains(r#""data":2"#)).count(), 1, "{messages:?}");

    // One that the other side cannot take would break every connection.
    let server = self::server().await;
    server.script([WsStep::Await(2), WsStep::Close(1009)]);
    let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
    let error = broker.publish(message("a", 1).with_id("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Interrupted, Sent::Maybe), "{}", error.report());
}

#[tokio::test]
async fn a_call_that_is_given_up_or_never_answered_leaves_nothing_behind() {
    let (world, server) = (World::new(), server().await);
    server.script([WsStep::Await(5), say(r#"{"jsonrpc":"2.0","result":{"subscription":4},"id":$ID2}"#)]);
    let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
    let events = world.events(broker.clone());
    let mut publishing = Box::pin(broker.publish(message("a", 1)));
    assert!(futures_util::poll!(&mut publishing).is_pending());
    let mut subscribing = Box::pin(events.subscribe::<u64>("a").into_future());
    assert!(futures_util::poll!(&mut subscribing).is_pending());
    quiet().await;
    drop((publishing, subscribing));
    let late = tokio::spawn(async move { events.publish(message("a", 2)).await });
    world.pass(11 * SECOND).await;
    let error = late.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe), "{}", error.report());
    // A subscription that begins when nobody wants it any more is ended.
    let other = broker.publish(message("a", 3));
    let mut other = Box::pin(other);
    assert!(futures_util::poll!(&mut other).is_pending());
    let ends = r#""method":"unsubscribe","params":{"subscription":4}"#;
    server.until(|server| server.messages().iter().any(|message| message.contains(ends))).await;
}

#[tokio::test]
async fn a_host_that_shuts_down_has_its_publishers_wait_for_the_next_one() {
    let (world, server) = (World::new(), server().await);
    let closing = r#"{"jsonrpc":"2.0","error":{"code":-32053,"message":"the component is shutting down","data":{"status":503}},"id":$ID}"#;
    server.script([WsStep::Await(2), say(closing), WsStep::Close(1001)]);
    server.script([WsStep::Await(1), say(r#"{"jsonrpc":"2.0","result":{},"id":$ID}"#)]);
    let broker = world.to(&server.endpoint().to_string()).connect().await.unwrap();
    let publishing = {
        let broker = broker.clone();
        tokio::spawn(async move { broker.publish(message("a", 1)).await })
    };
    server.until(|server| server.messages().len() == 2).await;
    for _ in 0..6 {
        world.pass(SECOND).await;
    }
    assert_eq!(publishing.await.unwrap().unwrap(), Receipt::unconfirmed());
}
