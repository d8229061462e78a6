//! The operations of a component over a WebSocket, as any client of JSON-RPC sees them.

use std::sync::atomic::Ordering;

use serde_json::json;
use tekton_sdk::{
    Component, Result, Tekton, async_trait,
    context::Identity,
    contract::{Descriptor, Operation},
    host::{Identify, Operations, RequestHead},
};

use super::{raw::Raw, *};
use crate::lab::{serve, serve_with, tekton};

#[tokio::test]
async fn every_client_of_json_rpc_can_call_an_operation() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    assert_eq!(
        raw.call(1, "echo", r#"{"value":[1.0,"ä"]}"#).await,
        json!({"jsonrpc": "2.0", "result": [1.0, "ä"], "id": 1})
    );
    assert_eq!(
        raw.ask(r#"{"jsonrpc":"2.0","method":"size","params":{"text":"abc"},"id":"x"}"#).await,
        json!({"jsonrpc": "2.0", "result": 3, "id": "x"})
    );
    let unknown = raw.call(2, "eco", "{}").await;
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["data"]["known_operations"][0]),
        (&json!(-32601), &json!("echo"))
    );
    let missing = raw.call(3, "echo", "{}").await;
    assert_eq!(
        (&missing["error"]["code"], &missing["error"]["data"]["errors"][0]["field"]),
        (&json!(-32602), &json!("value")),
        "{missing}"
    );
    let list = raw.call(4, "echo", "[1]").await;
    assert_eq!(list["error"]["code"], -32602, "{list}");
    let failed = raw.call(5, "fail", r#"{"kind":"Conflict"}"#).await;
    assert_eq!(
        (&failed["error"]["code"], &failed["error"]["message"], &failed["error"]["data"]["status"]),
        (&json!(-32009), &json!("as asked"), &json!(409))
    );
    let panicked = raw.call(6, "panic", "{}").await;
    assert_eq!(panicked["error"]["code"], -32603);
    assert!(!panicked.to_string().contains("secret"), "{panicked}");
    assert_eq!(raw.call(7, "echo", r#"{"value":null}"#).await["result"], json!(null));
}

#[tokio::test]
async fn who_sends_http_is_answered_with_all_that_http_says() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let health = raw.ask(r#"{"jsonrpc":"2.0","method":"/health","http":{"method":"GET"},"id":1}"#).await;
    assert_eq!(health["result"]["status"], "healthy", "{health}");
    let read = raw.ask(r#"{"jsonrpc":"2.0","method":"echo","http":{"method":"GET","query":"value=5"},"id":2}"#).await;
    assert_eq!(read, json!({"jsonrpc": "2.0", "result": "5", "id": 2}));
    let refused = raw.ask(r#"{"jsonrpc":"2.0","method":"/health","http":{},"id":3}"#).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["http"]["status"], &refused["http"]["headers"]["allow"]),
        (&json!(-32005), &json!(405), &json!("GET"))
    );
    let headers = r#"{"x-tekton-deadline-ms":"5","x-tekton-caller":"me","x-tekton-attempt":"2"}"#;
    let context =
        raw.ask(format!(r#"{{"jsonrpc":"2.0","method":"context","http":{{"headers":{headers}}},"id":4}}"#)).await;
    assert_eq!((&context["result"]["caller"], &context["result"]["attempt"]), (&json!("me"), &json!(2)));
    let late = raw.ask(format!(r#"{{"jsonrpc":"2.0","method":"hang","http":{{"headers":{headers}}},"id":5}}"#)).await;
    assert_eq!((&late["error"]["code"], &late["http"]["status"]), (&json!(-32054), &json!(504)));
}

#[tokio::test]
async fn a_batch_is_answered_by_one_array_and_a_notification_by_nothing() {
    let (served, _) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    raw.say(r#"{"jsonrpc":"2.0","method":"echo","params":{"value":0}}"#).await;
    raw.say(r#"[{"jsonrpc":"2.0","method":"echo","params":{"value":0}}]"#).await;
    let batch = raw
        .ask(r#"[{"jsonrpc":"2.0","method":"echo","params":{"value":1},"id":"a"},5,{"jsonrpc":"2.0","method":"nothing"},{"jsonrpc":"2.0","method":"nothing","id":"b"},{"jsonrpc":"2.0","method":"/health","http":{"method":"HEAD"},"id":"c"}]"#)
        .await;
    let mut entries: Vec<_> =
        batch.as_array().unwrap().iter().map(|entry| (entry["id"].to_string(), entry.clone())).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let ids: Vec<_> = entries.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["\"a\"", "\"b\"", "\"c\"", "null"]);
    assert_eq!(
        (&entries[0].1["result"], &entries[1].1["error"]["code"], &entries[3].1["error"]["code"]),
        (&json!(1), &json!(-32601), &json!(-32600))
    );
    assert_eq!((&entries[2].1["result"], &entries[2].1["http"]["base64"]), (&json!(null), &json!("")));
    assert_eq!(raw.ask("[]").await["error"]["code"], -32600);
}

#[tokio::test]
async fn what_is_cancelled_is_dropped_at_once_and_so_is_all_of_a_connection_that_ends() {
    let (served, gauge) = serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    for id in 1..=3 {
        raw.say(format!(r#"{{"jsonrpc":"2.0","method":"hang","id":{id}}}"#)).await;
        gauge.started.notified().await;
    }
    assert_eq!(gauge.running.load(Ordering::SeqCst), 3);
    raw.say(r#"{"jsonrpc":"2.0","method":"tekton.cancel","params":{"id":2}}"#).await;
    gauge.dropped.notified().await;
    assert_eq!(gauge.running.load(Ordering::SeqCst), 2);
    assert_eq!(raw.call(2, "echo", r#"{"value":1}"#).await["result"], 1, "its id is free again");
    drop(raw);
    while gauge.running.load(Ordering::SeqCst) > 0 {
        gauge.dropped.notified().await;
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_what_runs_refuses_the_rest_and_says_that_it_goes_away() {
    let (served, gauge) = serve(&tekton()).await;
    let (mut raw, idle) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    let open = gauge.close();
    raw.say(r#"{"jsonrpc":"2.0","method":"block","id":1}"#).await;
    gauge.started.notified().await;
    let shutdown = tokio::spawn(served.shutdown());
    assert_eq!(idle.closed().await, Some(1001));
    let refused = raw.call(2, "echo", r#"{"value":1}"#).await;
    assert_eq!((&refused["id"], &refused["error"]["data"]["status"]), (&json!(2), &json!(503)), "{refused}");
    drop(open);
    assert_eq!(raw.hear().await, json!({"jsonrpc": "2.0", "result": null, "id": 1}));
    assert_eq!(raw.closed().await, Some(1001));
    assert!(shutdown.await.unwrap());
}

#[tokio::test]
async fn a_peer_of_the_sdk_calls_a_component_over_one_web_socket() {
    let (served, gauge) = serve(&tekton()).await;
    let client = Tekton::builder().named("tester").transport(transport()).build().unwrap();
    let lab = client.peer_at(&served.endpoint().replace("http://", "ws://")).unwrap();
    let value = json!({"a": [1, 2, {"b": null}]});
    let reply = lab.request::<serde_json::Value>("echo").json(&json!({ "value": value })).await.unwrap();
    assert_eq!(*reply, value);
    let error = lab.request::<serde_json::Value>("eco").await.unwrap_err();
    assert_eq!(error.kind(), tekton_sdk::ErrorKind::NotFound, "{}", error.report());
    let context = lab.request::<serde_json::Value>("context").await.unwrap();
    assert_eq!((&context["caller"], &context["has_deadline"]), (&json!("tester"), &json!(true)));
    let late = lab.request::<serde_json::Value>("hang").timeout(SECOND / 20).await.unwrap_err();
    assert_eq!(late.kind(), tekton_sdk::ErrorKind::Timeout, "{}", late.report());
    gauge.dropped.notified().await;
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0, "its work ended with it");
}

/// Accepts `token <subject>`.
#[derive(Debug)]
struct Tokens;

#[async_trait]
impl Identify for Tokens {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        let token = head.headers.get("authorization").and_then(|token| token.to_str().ok());
        Ok(token.and_then(|token| token.strip_prefix("token ")).map(Identity::new))
    }
}

struct Who;

impl Component for Who {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("who", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        const WHO: Operation = Operation::read("who", "Says who calls.");
        Operations::new()
            .on(&self, WHO, |_, context, _| async move { Ok(context.identity().map(|who| who.subject().to_owned())) })
    }
}

#[tokio::test]
async fn who_calls_is_asked_at_each_call_by_its_own_token_or_that_of_the_handshake() {
    let served = Who.serve(&tekton()).identify(Tokens).start().await.unwrap();
    let mut raw = Raw::open_with(served.endpoint(), &[("authorization", "token handshake")]).await.unwrap();
    assert_eq!(raw.call(1, "who", "{}").await["result"], "handshake");
    let own =
        raw.ask(r#"{"jsonrpc":"2.0","method":"who","http":{"headers":{"authorization":"token own"}},"id":2}"#).await;
    assert_eq!(own["result"], "own");
    assert_eq!(raw.call(3, "who", "{}").await["result"], "handshake");
    let mut nobody = Raw::open(served.endpoint()).await;
    assert_eq!(nobody.call(1, "who", "{}").await["result"], json!(null));
}

#[tokio::test]
async fn pages_of_other_origins_spare_connections_and_what_is_no_upgrade_are_refused() {
    let (served, _) = serve(&tekton()).await;
    let endpoint = served.endpoint();
    let own = endpoint.to_owned();
    assert!(Raw::open_with(endpoint, &[("origin", &own)]).await.is_ok());
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(Raw::open_with(endpoint, &[("origin", origin)]).await.err(), Some(403), "{origin}");
    }
    let rebound = [("origin", "http://evil.example"), ("host", "evil.example")];
    assert_eq!(Raw::open_with(endpoint, &rebound).await.err(), Some(403));
    assert_eq!(Raw::open_with(endpoint, &[("sec-websocket-version", "8")]).await.err(), Some(426));

    let (served, _) = serve_with(&tekton(), |host| host.ws_origins = vec!["https://app.example".to_owned()]).await;
    assert!(Raw::open_with(served.endpoint(), &[("origin", "https://app.example")]).await.is_ok());
    assert_eq!(Raw::open_with(served.endpoint(), &[("origin", "https://app.example.evil")]).await.err(), Some(403));

    let (served, _) = serve_with(&tekton(), |host| host.ws = false).await;
    assert_eq!(Raw::open_with(served.endpoint(), &[]).await.err(), Some(404));

    let (served, _) = serve_with(&tekton(), |host| host.max_connections = 1).await;
    let _first = Raw::open(served.endpoint()).await;
    assert_eq!(Raw::open_with(served.endpoint(), &[]).await.err(), Some(503), "a WebSocket holds its place");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_serves_them_too() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;

    let folder = crate::mesh::folder::Folder::new();
    let path = folder.path("ws.sock");
    let gauge = Arc::default();
    let lab = crate::lab::Lab { gauge, next: None };
    let _served = lab.serve(&tekton()).unix_socket_only(&path).start().await.unwrap();
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/ws", stream).await.unwrap();
    socket.send(Message::text(r#"{"jsonrpc":"2.0","method":"echo","params":{"value":1},"id":1}"#)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert_eq!(answer.as_str(), r#"{"jsonrpc":"2.0","result":1,"id":1}"#);
}
