//! Answers of every kind, from a server that is not ours.

use futures_util::future::join_all;
use tekton_sdk::{ErrorKind, testing::Order};

use super::*;

#[tokio::test]
async fn each_call_gets_its_own_answer_whatever_their_order_and_number() {
    for order in [Order::Forward, Order::Backward, Order::Shuffled, Order::Twice] {
        let server = server().await;
        server.script([WsStep::Await(50), WsStep::EchoAll(order), WsStep::Echo]);
        let transport = transport();
        let calls = (0..50).map(|n| {
            let (transport, server) = (&transport, &server);
            async move { (format!("[{n}]"), call(transport, server, &format!("[{n}]")).await.unwrap()) }
        });
        for (sent, came) in join_all(calls).await {
            assert_eq!(sent, came, "{order:?}");
        }
        assert_eq!(call(&transport, &server, "[\"again\"]").await.unwrap(), "[\"again\"]");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn an_answer_in_fragments_between_pings_is_whole_and_every_ping_is_answered_at_once() {
    let server = server().await;
    let ping = |text: &'static str| WsStep::Ping(text.into());
    let fragments = ["{\"jsonrpc\":\"2.0\",", "\"result\":\"aü", ":b\",\"id\":$ID}"].map(str::to_owned).to_vec();
    // The server says nothing more until the pong is there.
    server.script([
        WsStep::Await(1),
        ping("a"),
        WsStep::AwaitPong,
        ping("b"),
        WsStep::AwaitPong,
        WsStep::Fragments(fragments),
    ]);
    assert_eq!(call(&transport(), &server, "{}").await.unwrap(), "\"aü:b\"");
    assert_eq!(server.pongs(), ["a", "b"]);
}

#[tokio::test]
async fn what_nobody_asked_for_is_counted_and_changes_nothing() {
    let server = server().await;
    let nobody = [
        r#"{"jsonrpc":"2.0","result":1,"id":"1"}"#,
        r#"{"jsonrpc":"2.0","result":1,"id":77}"#,
        r#"{"jsonrpc":"2.0","result":1,"id":null}"#,
        r#"{"jsonrpc":"2.0","method":"news","params":[]}"#,
        r#"{"jsonrpc":"2.0","method":"tekton.piece","params":{"id":[]}}"#,
        r#"{"jsonrpc":"2.0","id":12}"#,
        "no JSON",
        "[]",
    ];
    let steps = nobody.iter().map(|text| WsStep::Say((*text).to_owned()));
    server.script([WsStep::Await(1)].into_iter().chain(steps).chain([WsStep::Binary("\u{1}".into()), fine()]));
    let transport = transport();
    assert_eq!(call(&transport, &server, "{}").await.unwrap(), "\"fine\"");
    assert_eq!(shown(&transport, server.endpoint())["unasked"], nobody.len() + 1);
}

#[tokio::test]
async fn a_call_of_the_other_side_is_refused_and_its_notes_about_no_call_are_dropped() {
    let server = server().await;
    let note = |method: &str| {
        WsStep::Say(format!(
            r#"{{"jsonrpc":"2.0","method":"tekton.{method}","params":{{"id":5,"bytes":9,"base64":""}}}}"#
        ))
    };
    server.script([
        WsStep::Await(1),
        WsStep::Say(r#"{"jsonrpc":"2.0","method":"ask","id":"s1"}"#.to_owned()),
        note("piece"),
        note("end"),
        note("credit"),
        note("cancel"),
        WsStep::Await(2),
        fine(),
    ]);
    assert_eq!(call(&transport(), &server, "{}").await.unwrap(), "\"fine\"");
    assert_eq!(
        server.messages()[1],
        r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"s1"}"#
    );
}

#[tokio::test]
async fn an_answer_that_is_none_ends_its_call_alone() {
    for members in [
        r#""result":1,"error":{"code":1,"message":"m"}"#,
        r#""error":{"code":1}"#,
        r#""result":1,"http":5"#,
        r#""result":1,"http":{"status":1}"#,
        r#""result":1,"http":{"base64":"?"}"#,
    ] {
        let server = Arc::new(server().await);
        let broken = format!(r#"{{"jsonrpc":"2.0",{members},"id":$ID1}}"#);
        server.script([WsStep::Await(2), WsStep::Say(broken), WsStep::Say(FINE.replace("$ID", "$ID2"))]);
        let transport = transport();
        let first = calling(&transport, &server, "[1]");
        server.until(|server| server.messages().len() == 1).await;
        assert_eq!(call(&transport, &server, "[2]").await.unwrap(), "\"fine\"", "{members}");
        assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Codec, "{members}");
    }
}

#[tokio::test]
async fn an_error_is_a_failing_answer_with_the_error_in_its_problem() {
    let server = server().await;
    server.script([
        WsStep::Await(1),
        WsStep::Say(r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"none","data":[1]},"id":$ID}"#.to_owned()),
    ]);
    let answer = send(&transport(), server.endpoint(), "x", "{}").await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (404, &http::HeaderValue::from_static("application/problem+json"))
    );
    let problem: serde_json::Value = serde_json::from_str(&text(answer).await.unwrap()).unwrap();
    assert_eq!(problem["rpc"], serde_json::json!({"code": -32601, "message": "none", "data": [1]}));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_and_its_late_answer_is_nobodys() {
    let server = server().await;
    server.script([WsStep::Await(2), fine(), WsStep::Echo]);
    let transport = transport();
    {
        let mut sending = Box::pin(call(&transport, &server, "[1]"));
        let first = server.until(|server| server.messages().len() == 1);
        tokio::select! { _ = &mut sending => panic!("it is not answered"), () = first => {} }
    }
    server.until(|server| server.messages().len() == 2).await;
    assert_eq!(server.messages()[1], r#"{"jsonrpc":"2.0","method":"tekton.cancel","params":{"id":1}}"#);
    assert_eq!(call(&transport, &server, "[2]").await.unwrap(), "[2]");
    let shown = shown(&transport, server.endpoint());
    assert_eq!((&shown["unasked"], &shown["in_flight"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn calls_beyond_the_limit_wait_in_their_order_and_their_number_is_bounded() {
    let server = Arc::new(server().await);
    let answer = |n: usize| WsStep::Say(FINE.replace("$ID", &format!("$ID{n}")));
    // The first call is given up, which is the fourth message; then one is answered after the other.
    let steps = [WsStep::Await(5), answer(2), WsStep::Await(6), answer(3), answer(4), answer(5)];
    server.script(steps);
    let config = WebSocketTransportConfig::default().with_max_in_flight(3).with_max_waiting(2);
    let transport = with(config, SharedClock::default());
    let mut calls = Vec::new();
    for n in 0..5 {
        calls.push(calling(&transport, &server, &format!("[{n}]")));
        let known = || {
            let shown = shown(&transport, server.endpoint());
            shown["in_flight"].as_u64().unwrap_or(0) + shown["waiting"].as_u64().unwrap_or(0)
        };
        while known() <= n {
            tokio::task::yield_now().await;
        }
    }
    let refused = call(&transport, &server, "[5]").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Rejected, "{}", refused.report());
    assert!(refused.to_string().contains("the 2 allowed"), "{refused}");
    server.until(|server| server.messages().len() == 3).await;
    calls.remove(0).abort();
    for called in calls {
        assert_eq!(called.await.unwrap().unwrap(), "\"fine\"");
    }
    let sent = server.messages().into_iter().filter(|text| text.contains("\"x\""));
    let sent: Vec<_> = sent.map(|text| text.split("\"params\":").nth(1).unwrap()[..3].to_owned()).collect();
    assert_eq!(sent, ["[0]", "[1]", "[2]", "[3]", "[4]"]);
}

#[tokio::test]
async fn nothing_but_an_upgrade_done_right_is_a_connection() {
    let head = |lines: &[&str]| {
        WsStep::Handshake(format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n\r\n", lines.join("\r\n")))
    };
    let (upgrade, connection, accept) = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: $ACCEPT");
    for (handshake, opens) in [
        (head(&[upgrade, connection, accept]), true),
        (head(&["upgrade: WebSocket", "connection: upgrade", accept]), true),
        (head(&[upgrade, "connection: keep-alive, Upgrade", accept]), true),
        (head(&[connection, accept]), false),
        (head(&[upgrade, accept]), false),
        (head(&[upgrade, connection]), false),
        (head(&[upgrade, connection, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]), false),
        (head(&[upgrade, connection, accept, "Sec-WebSocket-Protocol: chat"]), false),
        (head(&[upgrade, connection, accept, "Sec-WebSocket-Extensions: permessage-deflate"]), false),
        (WsStep::Handshake("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $ACCEPT\r\ncontent-length: 0\r\n\r\n".to_owned()), false),
        (WsStep::Handshake("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned()), false),
        (WsStep::Handshake("no HTTP\r\n\r\n".to_owned()), false),
    ] {
        let server = server().await;
        server.script([handshake.clone(), WsStep::Echo]);
        match call(&transport(), &server, "[1]").await {
            Ok(answer) => assert!(opens && answer == "[1]", "{handshake:?}"),
            Err(error) => {
                assert!(!opens && error.kind() == ErrorKind::Connect, "{handshake:?}: {}", error.report());
                assert!(server.messages().is_empty());
            }
        }
    }
}
