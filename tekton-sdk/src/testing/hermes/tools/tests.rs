//! The tool routes as table c.1 of upstream's facts says.

use bytes::Bytes;
use http::{Method, header};
use serde_json::{Value, json};

use super::super::{FakeHermes, hub::Hub};
use crate::{
    random::Random,
    time::ManualClock,
    transport::{Body, Handler, Inbound},
};

const TOOLS: &str = "/api/mcp/v2/tools";

fn hub() -> Hub {
    FakeHermes::builder().clock(ManualClock::new()).random(Random::seeded(1)).hub()
}

async fn ask(hub: &Hub, method: Method, path: &str, body: Value) -> (u16, Value) {
    let mut request = Inbound::new(method, path);
    request.body = Body::full(Bytes::from(body.to_string()));
    let answer = hub.handle(request).await;
    let status = answer.status.as_u16();
    (status, serde_json::from_slice(&answer.into_body().collect(1 << 20).await.unwrap()).unwrap())
}

fn tool(id: Option<&str>) -> Value {
    let mut body = json!({"name": "engram_recall", "description": "Recalls.", "schema": {"type": "object"},
        "annotations": {"readOnlyHint": true}, "outputSchema": {"type": "object"}});
    if let Some(id) = id {
        body["id"] = id.into();
    }
    body
}

#[tokio::test]
async fn a_tool_is_registered_listed_shown_and_removed() {
    let hub = hub();
    let (status, reply) = ask(&hub, Method::POST, TOOLS, tool(Some("e 1.recall"))).await;
    assert_eq!((status, &reply["success"], &reply["toolId"]), (200, &json!(true), &json!("e 1.recall")));
    assert_eq!((reply.get("tool_id"), reply["message"].is_string()), (None, true));
    let kept = json!({"id": "e 1.recall", "name": "engram_recall", "description": "Recalls.",
        "schema": {"type": "object"}, "metadata": {}, "registered_at": 1_767_225_600.0});
    assert_eq!(
        ask(&hub, Method::GET, TOOLS, Value::Null).await,
        (200, json!([kept])),
        "no nulls, and no field that the hub does not know"
    );
    let mut whole = kept;
    for null in ["tags", "version", "endpoint"] {
        whole[null] = Value::Null;
    }
    let one = format!("{TOOLS}/e%201.recall");
    assert_eq!(ask(&hub, Method::GET, &one, Value::Null).await, (200, whole));
    let (status, reply) = ask(&hub, Method::DELETE, &one, Value::Null).await;
    assert_eq!((status, &reply["success"], reply.get("toolId")), (200, &json!(true), None));
    let gone = (404, json!({"detail": "Tool not found"}));
    assert_eq!(ask(&hub, Method::DELETE, &one, Value::Null).await, gone);
    assert_eq!(ask(&hub, Method::GET, &one, Value::Null).await, gone);
    assert_eq!(ask(&hub, Method::GET, TOOLS, Value::Null).await, (200, json!([])));
}

#[tokio::test]
async fn the_same_id_replaces_and_none_is_another_tool_every_time() {
    let hub = hub();
    for _ in 0..2 {
        ask(&hub, Method::POST, TOOLS, tool(Some("e-1.recall"))).await;
        let (_, reply) = ask(&hub, Method::POST, TOOLS, tool(None)).await;
        let made = reply["toolId"].as_str().unwrap();
        assert_eq!((made.strip_prefix("tool-").map(str::len), made.split('-').count()), (Some(36), 6));
    }
    assert_eq!(hub.look(|state| state.tools.len()), 3);
}

#[tokio::test]
async fn mistakes_and_methods_are_refused_in_fastapis_words() {
    let hub = hub();
    let (status, refusal) = ask(&hub, Method::POST, TOOLS, json!({"name": 1, "inputSchema": {}})).await;
    let places: Vec<_> = refusal["detail"].as_array().unwrap().iter().map(|error| &error["loc"][1]).collect();
    assert_eq!((status, places), (422, vec![&json!("name"), &json!("description"), &json!("schema")]));
    for (method, path, allow) in [
        (Method::PUT, TOOLS.to_owned(), "POST"),
        (Method::POST, format!("{TOOLS}/a"), "DELETE"),
        (Method::GET, format!("{TOOLS}/a/execute"), "POST"),
    ] {
        let answer = hub.handle(Inbound::new(method, &path)).await;
        assert_eq!((answer.status.as_u16(), &answer.headers[header::ALLOW]), (405, &allow.parse().unwrap()));
    }
    assert_eq!(ask(&hub, Method::GET, &format!("{TOOLS}/a/b"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn nobody_executes_a_tool() {
    let hub = hub();
    ask(&hub, Method::POST, TOOLS, tool(Some("bare"))).await;
    let mut with = tool(Some("e-1.recall"));
    with["endpoint"] = "http://127.0.0.1:1/api/v1/recall".into();
    ask(&hub, Method::POST, TOOLS, with).await;
    let execute = async |id: &str, body: Value| ask(&hub, Method::POST, &format!("{TOOLS}/{id}/execute"), body).await;
    let (status, reply) = execute("e-1.recall", json!({"parameters": {"key": 1}})).await;
    assert_eq!((status, &reply["success"], &reply["tool_name"]), (200, &json!(true), &json!("engram_recall")));
    assert_eq!((&reply["tool_id"], &reply["execution_time"]), (&json!("e-1.recall"), &json!(0.1)));
    assert!(reply["result"].is_object());
    for (id, body, expected) in [
        ("engram_recall", json!({"parameters": {}}), 400),
        ("bare", json!({"parameters": {}}), 400),
        ("e-1.recall", json!({}), 422),
    ] {
        let (status, refusal) = execute(id, body).await;
        assert_eq!((status, refusal["detail"].is_null()), (expected, false), "{id}");
    }
}
