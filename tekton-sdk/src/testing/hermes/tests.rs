//! The hub's dialect, route by route, without a socket.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{log::token_header, *};
use crate::{
    random::Random,
    time::ManualClock,
    transport::{Body, Inbound, Response},
};

/// A hub, its clock, and one line per request.
struct Bench {
    hub: Hub,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        let clock = ManualClock::new();
        let builder = FakeHermes::builder().clock(clock.clone()).random(Random::seeded(1));
        Self { hub: builder.hub(), clock }
    }

    async fn ask(&self, method: Method, uri: &str, token: Option<&str>, body: &str) -> Response {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let mut request = Inbound::new(method, path);
        request.query = query.map(str::to_owned);
        request.body = Body::full(Bytes::copy_from_slice(body.as_bytes()));
        if let Some(token) = token {
            request.headers.insert(token_header(), token.parse().unwrap());
        }
        self.hub.handle(request).await
    }

    async fn json(&self, method: Method, uri: &str, token: Option<&str>, body: &str) -> (u16, Value) {
        let answer = self.ask(method, uri, token, body).await;
        let status = answer.status.as_u16();
        (status, serde_json::from_slice(&answer.into_body().collect(1 << 20).await.unwrap()).unwrap())
    }

    async fn post(&self, uri: &str, token: Option<&str>, body: Value) -> (u16, Value) {
        self.json(Method::POST, uri, token, &body.to_string()).await
    }

    async fn get(&self, uri: &str) -> (u16, Value) {
        self.json(Method::GET, uri, None, "").await
    }

    /// Registers under this id; tells the token.
    async fn register(&self, id: &str) -> String {
        let (status, reply) = self.post("/api/register", None, registration(Some(id))).await;
        assert_eq!((status, &reply["success"], &reply["componentId"]), (200, &json!(true), &json!(id)));
        reply["token"].as_str().unwrap().to_owned()
    }

    async fn beat(&self, id: &str, token: &str) -> u16 {
        self.post("/api/heartbeat", Some(token), json!({ "component_id": id })).await.0
    }

    async fn ids(&self, uri: &str) -> Vec<String> {
        let (status, body) = self.get(uri).await;
        assert_eq!((status, body["total"].as_u64()), (200, body["components"].as_array().map(|c| c.len() as u64)));
        let id = |entry: &Value| entry["component_id"].as_str().unwrap().to_owned();
        body["components"].as_array().unwrap().iter().map(id).collect()
    }
}

fn registration(id: Option<&str>) -> Value {
    let mut body = json!({"name": "My Engram", "version": "1", "type": "memory", "endpoint": "http://h:1",
        "capabilities": ["remember"], "metadata": {"a": 1}, "unknown": true});
    if let Some(id) = id {
        body["component_id"] = id.into();
    }
    body
}

fn invalid_token() -> (u16, Value) {
    (401, json!({"detail": "Invalid authentication token"}))
}

/// Where each entry of a 422 says the mistake is.
fn places((status, body): (u16, Value)) -> Vec<Value> {
    assert_eq!(status, 422, "{body}");
    body["detail"].as_array().unwrap().iter().map(|error| error["loc"].clone()).collect()
}

#[tokio::test]
async fn a_registration_replaces_its_own_id_and_drops_what_the_hub_does_not_know() {
    let bench = Bench::new();
    let first = bench.register("e-1").await;
    bench.register("f-1").await;
    assert_eq!(bench.beat("e-1", &first).await, 200);
    bench.clock.advance(Duration::from_millis(1500));
    bench.register("e-1").await;
    let (_, listed) = bench.get("/api/components").await;
    assert_eq!(
        listed["components"][0],
        json!({"component_id": "e-1", "name": "My Engram", "version": "1", "type": null, "port": null,
            "status": "unknown", "capabilities": ["remember"], "endpoint": "http://h:1", "last_heartbeat": null,
            "registered_at": 1_767_225_601.5, "metadata": {"a": 1, "type": "memory"}})
    );
    assert_eq!(bench.ids("/api/components").await, ["e-1", "f-1"]);
    assert_eq!(bench.beat("e-1", &first).await, 200, "the old token stays valid");
}

#[tokio::test]
async fn a_registration_without_an_id_is_another_entry_every_time() {
    let bench = Bench::new();
    for _ in 0..2 {
        let (_, reply) = bench.post("/api/register", None, registration(None)).await;
        let id = reply["componentId"].as_str().unwrap();
        let digits = id.strip_prefix("memory-my-engram-").unwrap();
        assert!(digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }
    assert_eq!(bench.hub.look(|state| state.entries.len()), 2);
}

#[tokio::test]
async fn a_type_in_the_metadata_wins_and_the_listing_knows_no_types() {
    let bench = Bench::new();
    bench.register("e-1").await;
    let mut apollo = registration(Some("apollo-1"));
    apollo["metadata"]["type"] = "planner".into();
    bench.post("/api/register", None, apollo).await;
    let query = |body: Value| bench.post("/api/query", None, body);
    let (status, found) = query(json!({"component_type": "planner"})).await;
    assert_eq!(status, 200);
    assert_eq!(
        found,
        json!([{"componentId": "apollo-1", "name": "My Engram", "version": "1", "type": "planner",
            "endpoint": "http://h:1", "capabilities": ["remember"], "metadata": {"a": 1, "type": "planner"},
            "healthy": null, "lastHeartbeat": null}])
    );
    assert_eq!(query(json!({"component_type": "memory"})).await.1[0]["componentId"], "e-1");
    assert_eq!(query(json!({"capability": "remember"})).await.1.as_array().unwrap().len(), 2);
    assert_eq!(query(json!({"capability": "forget"})).await.1, json!([]));
    assert_eq!(query(json!({"healthy_only": true})).await.1, json!([]));
    assert_eq!(bench.ids("/api/components?component_type=memory").await, [""; 0]);
    assert_eq!(bench.ids("/api/components?capability=remember").await, ["e-1", "apollo-1"]);
    assert_eq!(bench.ids("/api/components?capability=forget").await, [""; 0]);
}

#[tokio::test]
async fn healthy_is_whoever_was_heard_of_within_a_minute() {
    let bench = Bench::new();
    let token = bench.register("e-1").await;
    assert_eq!(bench.ids("/api/components?healthy_only=true").await, [""; 0]);
    assert_eq!(bench.beat("e-1", &token).await, 200);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.ids("/api/components?healthy_only=Yes").await, ["e-1"]);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.ids("/api/components?healthy_only=1").await, [""; 0]);
    assert_eq!(bench.ids("/api/components?healthy_only=no").await, ["e-1"], "nobody is evicted");
    assert_eq!(places(bench.get("/api/components?healthy_only=maybe").await), [json!(["query", "healthy_only"])]);
}

#[tokio::test]
async fn a_heartbeat_needs_the_components_own_unexpired_token() {
    let bench = Bench::new();
    let token = bench.register("e-1").await;
    let body = json!({"component_id": "e-1", "status": {"health": "healthy"}});
    let (status, reply) = bench.post("/api/heartbeat", Some(&token), body.clone()).await;
    assert_eq!((status, &reply["success"], &reply["timestamp"]), (200, &json!(true), &json!(1_767_225_600.0)));
    let foreign = bench.register("f-1").await;
    for wrong in ["", "nonsense", foreign.as_str(), &token.replace("e-1", "e-2")] {
        assert_eq!(bench.post("/api/heartbeat", Some(wrong), body.clone()).await, invalid_token(), "{wrong}");
    }
    bench.clock.advance(Duration::from_secs(3600));
    assert_eq!(bench.beat("e-1", &token).await, 200);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.post("/api/heartbeat", Some(&token), body).await, invalid_token());
}

#[tokio::test]
async fn a_token_that_is_json_but_no_object_is_too_much_for_upstream() {
    let bench = Bench::new();
    bench.register("e-1").await;
    for (uri, body) in [("/api/heartbeat", r#"{"component_id":"e-1"}"#), ("/api/unregister?component_id=e-1", "")] {
        let answer = bench.ask(Method::POST, uri, Some("[1]"), body).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(answer.body.as_bytes().unwrap(), "Internal Server Error");
    }
}

#[tokio::test]
async fn mistakes_are_told_together() {
    let bench = Bench::new();
    let header = json!(["header", "x-authentication-token"]);
    // What upstream's Python components send: no token, no query.
    let sent = json!({"component_id": "apollo", "status": {"health": "healthy"}});
    assert_eq!(places(bench.post("/api/heartbeat", None, sent).await), std::slice::from_ref(&header));
    let sent = json!({"component_name": "apollo"});
    assert_eq!(
        places(bench.post("/api/unregister", None, sent).await),
        [json!(["query", "component_id"]), header.clone()]
    );
    let no_token = bench.post("/api/unregister?component_id=a", None, json!({})).await;
    assert_eq!(places(no_token), std::slice::from_ref(&header));
    let no_query = bench.post("/api/unregister", Some("t"), json!({})).await;
    assert_eq!(places(no_query), [json!(["query", "component_id"])]);
    let both = bench.post("/api/heartbeat", None, json!({})).await;
    assert_eq!(places(both), [header, json!(["body", "componentId"])]);
    assert_eq!(places(bench.json(Method::POST, "/api/heartbeat", None, "{").await).len(), 1);
    assert_eq!(places(bench.json(Method::POST, "/api/register", None, "").await), [json!(["body"])]);
    let wrong = json!({"name": 1, "version": "1", "componentType": "x", "endpoint": "e", "capabilities": "c"});
    assert_eq!(
        places(bench.post("/api/register", None, wrong).await),
        [json!(["body", "name"]), json!(["body", "type"]), json!(["body", "capabilities"])]
    );
}

#[tokio::test]
async fn whoever_unregistered_still_has_a_token_that_beats() {
    let bench = Bench::new();
    let token = bench.register("e 1").await;
    let unregister = "/api/unregister?component_id=e+1";
    assert_eq!(bench.post(unregister, Some("bad"), json!({})).await, invalid_token());
    let (status, reply) = bench.post(unregister, Some(&token), json!({})).await;
    assert_eq!((status, &reply["success"], reply.get("timestamp")), (200, &json!(true), None));
    assert_eq!(bench.post(unregister, Some(&token), json!({})).await, invalid_token(), "it is unknown now");
    assert_eq!(bench.beat("e 1", &token).await, 200);
    assert_eq!(bench.ids("/api/components").await, [""; 0]);
}

#[tokio::test]
async fn a_component_is_shown_by_name_and_the_first_of_that_name() {
    let bench = Bench::new();
    bench.register("e-1").await;
    bench.register("e-2").await;
    let (status, found) = bench.get("/api/components/My%20Engram").await;
    assert_eq!((status, &found["component_id"]), (200, &json!("e-1")));
    assert_eq!(bench.get("/api/components/e-1").await, (404, json!({"detail": "Component 'e-1' not found"})));
    assert_eq!(bench.get("/api/components/%zz%4").await.1, json!({"detail": "Component '%zz%4' not found"}));
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_fastapis_words() {
    let bench = Bench::new();
    for path in ["/", "/api/v1/register", "/api/v1/components", "/api/registry/x", "/api/components/a/b"] {
        assert_eq!(bench.get(path).await, (404, json!({"detail": "Not Found"})), "{path}");
    }
    for (method, path, allow) in [
        (Method::GET, "/api/register", "POST"),
        (Method::PUT, "/api/query", "POST"),
        (Method::HEAD, "/api/components", "GET"),
        (Method::DELETE, "/api/components/a", "GET"),
        (Method::POST, "/health", "GET"),
    ] {
        let answer = bench.ask(method, path, None, "").await;
        assert_eq!((answer.status.as_u16(), &answer.headers[header::ALLOW]), (405, &allow.parse().unwrap()));
        assert_eq!(answer.body.as_bytes().unwrap(), r#"{"detail":"Method Not Allowed"}"#);
    }
}

#[tokio::test]
async fn health_has_both_of_the_hubs_shapes_and_its_ports_bound() {
    let bench = Bench::new();
    let (status, health) = bench.get("/api/health").await;
    assert_eq!(
        (status, health),
        (
            200,
            json!({"status": "healthy", "component": "hermes", "version": "0.1.0", "port": 8001, "uptime": null,
                "timestamp": "2026-01-01T00:00:00.000000Z", "registeredWithHermes": true, "dependencies": [],
                "metrics": {}, "details": {"registered_components": 0, "uptime": 0.0}})
        )
    );
    let (status, root) = bench.get("/health").await;
    assert_eq!((status, &root["status"], &root["registered"]), (200, &json!("healthy"), &json!(true)));
    assert!(root["services"].is_object());
    let elsewhere = Bench { hub: FakeHermes::builder().port(18_001).hub(), clock: ManualClock::new() };
    let answer = elsewhere.ask(Method::GET, "/api/health", None, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_bytes().unwrap().as_ref()),
        (500, &b"Internal Server Error"[..])
    );
    assert_eq!(elsewhere.get("/health").await.1["port"], 18_001);
}

#[tokio::test]
async fn a_python_component_is_what_section_i_says() {
    let hub = FakeHermes::start().await.unwrap();
    let id = hub.register_python("apollo", 8012);
    let entry = hub.entry(&id).unwrap();
    assert!(id.starts_with("apollo-apollo-"));
    assert_eq!((entry.endpoint.as_deref(), entry.last_heartbeat), (Some("http://localhost:8012"), None));
    assert_eq!(entry.metadata.keys().collect::<Vec<_>>(), ["data_dir", "type", "uptime"]);
    assert_eq!((entry.component_type.as_deref(), hub.entries().len()), (Some("apollo"), 1));
}

#[tokio::test]
async fn the_log_says_what_came_and_never_the_token() {
    let bench = Bench::new();
    let token = bench.register("e-1").await;
    bench.beat("e-1", &token).await;
    bench.get("/api/components?healthy_only=1").await;
    let log = bench.hub.look(|state| state.log.requests().to_vec());
    assert!(log[0].body.contains("My Engram") && !log[0].token);
    assert_eq!((&log[1].method, log[1].token, log[1].status), (&Method::POST, true, Some(StatusCode::OK)));
    assert_eq!((log[2].number, log[2].query.as_deref()), (3, Some("healthy_only=1")));
    assert!(!format!("{log:?}").contains("signature"));
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let bench = Bench::new();
    let fault = |fault: RouteFault| bench.hub.change(|state| state.plan.add(fault, Some(1)));
    let ask = || bench.ask(Method::GET, "/api/components", None, "");
    let body = |answer: Response| answer.into_body().collect(1 << 20);
    bench.register("e-1").await;
    fault(Fault::Status(503).into());
    let answer = ask().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body(answer).await.unwrap(), "Service Unavailable");
    fault(Fault::Detail(500).into());
    assert_eq!(body(ask().await).await.unwrap(), r#"{"detail":"Internal Server Error"}"#);
    fault(Fault::Garbage.into());
    assert!(std::str::from_utf8(&body(ask().await).await.unwrap()).is_err());
    fault(Fault::Html.into());
    let answer = ask().await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(body(answer).await.unwrap().starts_with(b"<!DOCTYPE html>"));
    fault(Fault::Truncated.into());
    let cut = body(ask().await).await.unwrap();
    assert!(serde_json::from_slice::<Value>(&cut).unwrap_err().is_eof());
    fault(Fault::Broken.into());
    assert!(body(ask().await).await.is_err());
    fault(Fault::Forget.at(Route::Components));
    assert_eq!(bench.ids("/api/components").await, [""; 0]);

    fault(Fault::Delay(Duration::from_secs(5)).into());
    let mut late = Box::pin(ask());
    assert!(futures_util::poll!(&mut late).is_pending());
    bench.clock.advance(Duration::from_secs(5));
    assert_eq!(late.await.status, StatusCode::OK);
    fault(Fault::Hang.into());
    let mut never = Box::pin(ask());
    assert!(futures_util::poll!(&mut never).is_pending());
    bench.clock.advance(Duration::from_secs(86_400));
    assert!(futures_util::poll!(&mut never).is_pending());
}

#[tokio::test]
async fn a_stopped_hub_keeps_its_port_and_comes_back_with_or_without_its_memory() {
    let hub = FakeHermes::start().await.unwrap();
    let address = hub.url().strip_prefix("http://").unwrap().to_owned();
    let connect = || tokio::net::TcpStream::connect(&address);
    hub.register_python("apollo", 8012);
    hub.stop().await;
    hub.stop().await;
    assert_eq!(connect().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    hub.restart().await.unwrap();
    assert_eq!((connect().await.is_ok(), hub.entries().len()), (true, 1));
    hub.restart_empty().await.unwrap();
    assert_eq!((connect().await.is_ok(), hub.entries().len()), (true, 0));
    let port = hub.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = FakeHermes::builder().port(port).start().await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
