//! The connection of the SDK as an echo, for suites that test the protocol from outside.

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    error::{Error, ErrorKind, Result},
    time::SharedClock,
    transport::{Closed, websocket::upgrade},
};

/// How an echo went.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// Why it ended.
    pub closed: Closed,
    /// The last message.
    pub last: Option<Bytes>,
}

/// Opens a WebSocket at this URL, as `ws://127.0.0.1:9001/path?query`, and sends every message back until the other side closes it:
/// what the Autobahn suite asks of a client. The messages may have 64 MiB.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if the URL is none, [`Connect`](ErrorKind::Connect) if it cannot be opened.
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn echo_until_closed(url: &str) -> Result<Echoed> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Connect, "the WebSocket cannot be opened").with_source(error)
    };
    let parsed = url::Url::parse(url).map_err(|e| Error::invalid("the URL is malformed").with_source(e))?;
    let (host, port) = (parsed.host_str().unwrap_or("localhost"), parsed.port_or_known_default().unwrap_or(80));
    let stream = TcpStream::connect((host, port)).await.map_err(|e| refused(e.into()))?;
    stream.set_nodelay(true).map_err(|e| refused(e.into()))?;
    let host = HeaderValue::from_str(parsed.authority()).map_err(|e| refused(e.into()))?;
    let target = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
    let mut socket = upgrade(TokioIo::new(stream), host, target, &http::HeaderMap::new(), 64 << 20)
        .await
        .map_err(|e| refused(e.into()))?;
    let mut last = None;
    let closed = poll_fn(|cx| socket.poll_echo(cx, &mut last)).await;
    socket.close(None, &SharedClock::default()).await;
    Ok(Echoed { closed, last })
}
