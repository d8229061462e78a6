//! From an open stream to a WebSocket, as the client (RFC 6455 §4.1).

use std::{
    fmt,
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

use futures_util::future::poll_fn;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::{
    body::Incoming,
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::Role,
    },
};

use super::socket::{Socket, frames};
use crate::transport::Body;

/// The largest head of an answer.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Why a stream did not become a WebSocket.
#[derive(Debug)]
pub(crate) enum NoUpgrade {
    /// It broke, or what came is no HTTP.
    Http(hyper::Error),
    /// It was answered otherwise.
    Status(StatusCode),
    /// The answer lacks what it must have, or has what was not asked for.
    Answer(&'static str),
    /// The host or the path cannot stand in a request.
    Request,
}

impl fmt::Display for NoUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(_) => f.write_str("the upgrade to a WebSocket failed"),
            Self::Status(status) => write!(f, "the upgrade to a WebSocket was answered with {status}"),
            Self::Answer(what) => write!(f, "the answer to the upgrade to a WebSocket {what}"),
            Self::Request => f.write_str("the host or the path cannot stand in a request"),
        }
    }
}

impl std::error::Error for NoUpgrade {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            _ => None,
        }
    }
}

/// Asks for the upgrade with these headers besides, and checks the answer.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub(crate) async fn upgrade<S>(
    stream: S,
    host: HeaderValue,
    target: &str,
    headers: &HeaderMap,
    max_message_bytes: usize,
) -> Result<Socket<TokioIo<S>>, NoUpgrade>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let key = generate_key();
    let mut request = http::Request::builder()
        .method(Method::GET)
        .uri(target)
        .header(HOST, host)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .body(Body::empty())
        .map_err(|_| NoUpgrade::Request)?;
    for (name, value) in headers {
        request.headers_mut().append(name, value.clone());
    }
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES);
    let (mut sender, mut connection) = builder.handshake(stream).await.map_err(NoUpgrade::Http)?;
    let answer = {
        let mut sending = pin!(sender.send_request(request));
        poll_fn(|cx: &mut Context<'_>| {
            if let Poll::Ready(answer) = sending.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            // What came of the connection, its request is told.
            let _ = connection.poll_without_shutdown(cx);
            sending.as_mut().poll(cx)
        })
        .await
        .map_err(NoUpgrade::Http)?
    };
    check(&answer, &key)?;
    drop(answer);
    poll_fn(|cx| connection.poll_without_shutdown(cx)).await.map_err(NoUpgrade::Http)?;
    let parts = connection.into_parts();
    let stream = WebSocketStream::from_partially_read(
        TokioIo::new(parts.io),
        parts.read_buf.into(),
        Role::Client,
        Some(frames(max_message_bytes)),
    );
    Ok(Socket::of(stream.await))
}

fn check(answer: &Response<Incoming>, key: &str) -> Result<(), NoUpgrade> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(NoUpgrade::Status(answer.status()));
    }
    let headers = answer.headers();
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT).map(|accept| accept.as_bytes().trim_ascii());
    let what = if !has_token(headers, &UPGRADE, "websocket") {
        "has no `Upgrade: websocket`"
    } else if !has_token(headers, &CONNECTION, "upgrade") {
        "has no `Connection: Upgrade`"
    } else if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        "has no `Sec-WebSocket-Accept` for the key that was sent"
    } else if headers.get(SEC_WEBSOCKET_EXTENSIONS).is_some() {
        "has an extension that was not asked for"
    } else if headers.get(SEC_WEBSOCKET_PROTOCOL).is_some() {
        "has a subprotocol that was not asked for"
    } else {
        return Ok(());
    };
    Err(NoUpgrade::Answer(what))
}

/// Whether a header that is a list has this word, in any case.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}
