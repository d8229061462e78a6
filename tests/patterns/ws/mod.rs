//! JSON-RPC over WebSockets: what a connection lives through, on both sides.

mod answers;
mod close;
mod host;
mod host_limits;
mod life;
pub(crate) mod raw;
mod streams;

use std::{sync::Arc, time::Duration};

use http::Method;
use tekton_sdk::{
    Error, Result,
    random::Random,
    telemetry::Introspect,
    testing::{ScriptedWebSocket, WsStep},
    time::{ManualClock, SharedClock},
    transport::{
        Body, CallInfo, Closed, Endpoint, Request, Response, Safety, Transport, WebSocketTransport,
        WebSocketTransportConfig,
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// An answer with this result to the first call.
const FINE: &str = r#"{"jsonrpc":"2.0","result":"fine","id":$ID}"#;

fn fine() -> WsStep {
    WsStep::Say(FINE.to_owned())
}

async fn server() -> ScriptedWebSocket {
    ScriptedWebSocket::start(SharedClock::default()).await.unwrap()
}

fn transport() -> WebSocketTransport {
    with(WebSocketTransportConfig::default(), SharedClock::default())
}

fn with(config: WebSocketTransportConfig, clock: SharedClock) -> WebSocketTransport {
    WebSocketTransport::new(&config, clock, Random::seeded(1)).unwrap()
}

/// A transport whose time is moved by the test.
fn manual(config: WebSocketTransportConfig) -> (WebSocketTransport, ManualClock) {
    let clock = ManualClock::new();
    (with(config, SharedClock::new(clock.clone())), clock)
}

fn request(endpoint: &Endpoint, operation: &str) -> Request {
    Request::new(Method::POST, format!("/api/v1/{operation}"), CallInfo::new("far", "x", Safety::Write))
        .with_endpoint(endpoint.clone())
}

async fn send(transport: &WebSocketTransport, endpoint: &Endpoint, operation: &str, body: &str) -> Result<Response> {
    transport.send(request(endpoint, operation).with_body(Body::full(body.to_owned()))).await
}

/// Sends, and reads the answer.
async fn call(transport: &WebSocketTransport, server: &ScriptedWebSocket, body: &str) -> Result<String> {
    let answer = send(transport, server.endpoint(), "x", body).await?;
    assert_eq!(answer.status, 200);
    text(answer).await
}

async fn text(answer: Response) -> Result<String> {
    let body = answer.into_body().collect(1 << 20).await?;
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// A call in a task of its own.
fn calling(
    transport: &WebSocketTransport,
    server: &Arc<ScriptedWebSocket>,
    body: &str,
) -> tokio::task::JoinHandle<Result<String>> {
    let (transport, server, body) = (transport.clone(), Arc::clone(server), body.to_owned());
    tokio::spawn(async move { call(&transport, &server, &body).await })
}

/// Why the connection of a call is no more.
fn why(error: &Error) -> Option<Closed> {
    std::error::Error::source(error)?.downcast_ref().copied()
}

/// What `/introspect` shows of the connection to an endpoint.
fn shown(transport: &WebSocketTransport, endpoint: &Endpoint) -> serde_json::Value {
    transport.introspect()["endpoints"][endpoint.to_string()].clone()
}
