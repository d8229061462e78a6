//! What RFC 6455 says of handshakes and close codes, where the SDK itself touches them.

use serde::Deserialize;
use serde_json::Value;
use tekton_sdk::{
    ErrorKind, Result,
    host::{Server, ServerLimits},
    random::Random,
    testing::{ScriptedWebSocket, WsStep, block_on},
    time::SharedClock,
    transport::{
        Body, CallInfo, Closed, Handler, Inbound, Request, Response, Safety, Transport, WebSocketTransport,
        WebSocketTransportConfig,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Case, Miss, Rule, Suite};

const FRAMES: Rule = Rule {
    name: "frames",
    reason: "`frame_hex`: frames are read and written by tungstenite, and the SDK has no entry point for one; the Autobahn suite judges them",
};

pub(crate) const SUITE: Suite = Suite { name: "websocket", rules: &[FRAMES], capabilities: &[], check };

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Known {
    Accept {
        key: String,
        accept: String,
    },
    Close {
        code: u16,
        valid_on_wire: bool,
    },
    Handshake {
        scenario: String,
        expect: Open,
    },
    Frame {
        #[serde(rename = "frame_hex")]
        _frame_hex: String,
        #[serde(rename = "decoded")]
        _decoded: Value,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    open: bool,
}

fn check(case: &Case<'_>) -> std::result::Result<(), Miss> {
    let report = |error: tekton_sdk::Error| error.report();
    match case.read()? {
        Known::Frame { .. } => Err((&FRAMES).into()),
        Known::Accept { key, accept } => {
            let came = block_on(accepted(&key)).map_err(report)?;
            same("accept", &accept, &came)
        }
        Known::Close { code, valid_on_wire } => {
            // What may not be sent has no code to send.
            same("valid_on_wire", &valid_on_wire, &(Closed::of_code(code).code() == Some(code)))
        }
        Known::Handshake { scenario, expect } => {
            let handshake =
                handshake(&scenario).ok_or_else(|| format!("the scenario {scenario:?} is not understood"))?;
            same("open", &expect.open, &block_on(opens(handshake)).map_err(report)?)
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(key: &str, wanted: &T, came: &T) -> std::result::Result<(), Miss> {
    if wanted == came { Ok(()) } else { Err(format!("{key}: wanted {wanted:?}, got {came:?}").into()) }
}

#[derive(Debug)]
struct Nobody;

#[tekton_sdk::async_trait]
impl Handler for Nobody {
    async fn handle(&self, _request: Inbound) -> Response {
        Response::new(http::StatusCode::NOT_FOUND, Body::empty())
    }
}

/// The accept value with which the host answers a key.
async fn accepted(key: &str) -> Result<String> {
    let broken = |error: std::io::Error| {
        tekton_sdk::Error::new(ErrorKind::Interrupted, "the connection broke").with_source(error)
    };
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let limits = ServerLimits::default();
    let server = Server::bind(any, std::sync::Arc::new(Nobody), limits, SharedClock::default()).await?;
    let mut stream = TcpStream::connect(server.local_addr()).await.map_err(broken)?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let accept = head.lines().find_map(|line| line.strip_prefix("sec-websocket-accept: "));
    Ok(accept.unwrap_or_default().to_owned())
}

/// The answer to an upgrade in this scenario.
fn handshake(scenario: &str) -> Option<String> {
    let (upgrade, connection, accept) = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: $ACCEPT");
    let (status, lines): (&str, Vec<&str>) = match scenario {
        "ok" => ("101 Switching Protocols", vec![upgrade, connection, accept]),
        "status-200" => ("200 OK", vec![upgrade, connection, accept]),
        "no-upgrade" => ("101 Switching Protocols", vec![connection, accept]),
        "no-connection" => ("101 Switching Protocols", vec![upgrade, accept]),
        "accept-missing" => ("101 Switching Protocols", vec![upgrade, connection]),
        "accept-wrong" => {
            ("101 Switching Protocols", vec![upgrade, connection, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
        }
        "subproto-unasked" => {
            ("101 Switching Protocols", vec![upgrade, connection, accept, "Sec-WebSocket-Protocol: chat"])
        }
        "extension-unasked" => (
            "101 Switching Protocols",
            vec![upgrade, connection, accept, "Sec-WebSocket-Extensions: permessage-deflate"],
        ),
        "upgrade-case" => ("101 Switching Protocols", vec!["Upgrade: WebSocket", connection, accept]),
        "connection-list" => ("101 Switching Protocols", vec![upgrade, "Connection: keep-alive, Upgrade", accept]),
        _ => return None,
    };
    Some(format!("HTTP/1.1 {status}\r\n{}\r\n\r\n", lines.join("\r\n")))
}

/// Whether a call comes through behind this answer.
async fn opens(handshake: String) -> Result<bool> {
    let clock = SharedClock::default();
    let server = ScriptedWebSocket::start(clock.clone()).await?;
    server.script([WsStep::Handshake(handshake), WsStep::Echo]);
    let transport = WebSocketTransport::new(&WebSocketTransportConfig::default(), clock, Random::new())?;
    let request = Request::new(http::Method::POST, "/api/v1/x", CallInfo::new("peer", "x", Safety::Read));
    match transport.send(request.with_endpoint(server.endpoint().clone())).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Connect => Ok(false),
        Err(error) => Err(error),
    }
}
