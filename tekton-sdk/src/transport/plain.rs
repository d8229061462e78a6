//! The short road of `http://` calls: a request straight to hyper's pool of connections.

use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{Body, Endpoint, HttpTransportConfig, Request};
use crate::{error::Result, time::BoxFuture};

/// When a silent connection is probed, and how often after that. These, and the two below, are reqwest's own.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// How many probes go unanswered before the connection counts as broken.
const PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Sends requests over kept connections. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Plain(Client<Limited, Body>);

impl Plain {
    pub(super) fn new(config: &HttpTransportConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_keepalive(Some(PROBE_AFTER));
        connector.set_keepalive_interval(Some(PROBE_AFTER));
        connector.set_keepalive_retries(Some(PROBES));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        connector.set_connect_timeout(Some(config.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(config.max_idle_per_endpoint)
            .pool_idle_timeout(config.idle_timeout)
            .build(Limited { connector, limit: config.connect_timeout });
        Self(client)
    }

    /// Begins to send a request; the future is the head of the answer.
    pub(super) fn send(&self, endpoint: &Endpoint, request: Request) -> Result<ResponseFuture> {
        let request = request.into_parts();
        let mut outgoing = http::Request::new(request.body);
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = endpoint.uri(request.path, request.query.as_deref())?;
        *outgoing.headers_mut() = request.headers;
        Ok(self.0.request(outgoing))
    }
}

/// A connector with one limit over all its work: the name's look-up is under no other.
#[derive(Clone, Debug)]
struct Limited {
    connector: HttpConnector,
    limit: Duration,
}

impl Service<Uri> for Limited {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), Self::Error>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    #[expect(clippy::disallowed_methods, reason = "the pool's tasks run on the runtime's time, as reqwest's do")]
    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, limit) = (self.connector.call(to), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => Ok(connected?),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long").into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use crate::{
        error::{Error, ErrorKind, Result},
        transport::{
            Body, CallInfo, Endpoint, HttpTransport, HttpTransportConfig, Request, Response, Safety, Transport,
        },
    };

    /// Both roads: the settings that take the short one, and some that need reqwest's.
    fn roads() -> [HttpTransport; 2] {
        let (short, long) = (HttpTransportConfig::default(), HttpTransportConfig::default().with_max_redirects(1));
        let roads = [&short, &long].map(|config| HttpTransport::new(config).unwrap());
        assert_eq!(roads.each_ref().map(HttpTransport::takes_the_short_road), [true, false]);
        roads
    }

    /// Calls a server that reads what comes first, writes this and hangs up.
    async fn call(road: &HttpTransport, answer: &'static str, body: Body) -> Result<Response> {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        send(road, &format!("http://{address}"), body).await
    }

    async fn send(road: &HttpTransport, endpoint: &str, body: Body) -> Result<Response> {
        let request = Request::new(Method::POST, "/x", CallInfo::new("t", "x", Safety::Write)).with_body(body);
        road.send(request.with_endpoint(Endpoint::parse(endpoint)?)).await
    }

    #[tokio::test]
    async fn every_way_to_break_has_its_kind_on_both_roads() {
        for road in &roads() {
            // Bound but not listening, so that nobody else can be there.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let free = socket.local_addr().unwrap();
            let refused = send(road, &format!("http://{free}"), Body::empty()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Connect, "{refused:?}");
            let silent = call(road, "", Body::full("{}")).await.unwrap_err();
            assert_eq!(silent.kind(), ErrorKind::Interrupted, "{silent:?}");
            let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
            let cut = call(road, half, Body::empty()).await.unwrap();
            assert_eq!(cut.into_body().collect(100).await.unwrap_err().kind(), ErrorKind::Interrupted);
            let own = [Ok(Bytes::from("a")), Err(Error::new(ErrorKind::Rejected, "over the cap"))];
            let own = call(road, "", Body::stream(futures_util::stream::iter(own))).await.unwrap_err();
            assert_eq!((own.kind(), own.to_string()), (ErrorKind::Rejected, "over the cap".to_owned()));
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_on_both_roads() {
        let pieces = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nnu\r\n2\r\nll\r\n0\r\n\r\n";
        for road in &roads() {
            for (answer, whole) in [
                ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull", "null"),
                ("HTTP/1.1 204 No Content\r\n\r\n", ""),
                (pieces, "null"),
            ] {
                let answer = call(road, answer, Body::full("{}")).await.unwrap();
                assert_eq!(answer.into_body().collect(4).await.unwrap(), whole);
            }
        }
    }
}
