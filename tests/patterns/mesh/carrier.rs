//! A far end that speaks HTTP/2.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::TryStreamExt;
use http_body_util::BodyDataStream;
use hyper::{body::Incoming, server::conn::http2::Builder, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tekton_sdk::{
    Error, ErrorKind,
    transport::{Body, Endpoint, Handler, Inbound},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server of HTTP/2; dropping it ends its connections.
pub(crate) struct Far {
    endpoint: Endpoint,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Far {
    /// Answers with this handler, and allows so many calls at once on a connection.
    pub(crate) async fn serving(handler: Arc<dyn Handler>, streams: u32) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").await.unwrap(), handler, streams)
    }

    pub(super) fn listening(listener: TcpListener, handler: Arc<dyn Handler>, streams: u32) -> Self {
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let handler = Arc::clone(&handler);
                let service = service_fn(move |request| answer(Arc::clone(&handler), request));
                let mut builder = Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams);
                open.spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { endpoint, connections, task }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    handler: Arc<dyn Handler>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let broken = |e| Error::new(ErrorKind::Interrupted, "the stream broke").with_source(e);
    let mut inbound = Inbound::new(head.method, head.uri.path());
    inbound.query = head.uri.query().map(str::to_owned);
    inbound.headers = head.headers;
    inbound.body = Body::stream(BodyDataStream::new(body).map_err(broken));
    let answered = handler.handle(inbound).await.into_parts();
    let mut response = http::Response::new(answered.body);
    *response.status_mut() = answered.status;
    *response.headers_mut() = answered.headers;
    Ok(response)
}
