//! The road inside the mesh: what a connection lives through.

pub(crate) mod carrier;
mod faults;
#[cfg(unix)]
pub(crate) mod folder;
mod pool;
mod shared;
mod stress;
#[cfg(unix)]
mod unix;
mod wire;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Method;
use tekton_sdk::{
    Result,
    telemetry::Introspect,
    time::SharedClock,
    transport::{Body, CallInfo, Endpoint, MeshTransport, MeshTransportConfig, Request, Response, Safety, Transport},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// An answer of four bytes.
const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

/// A far end that does with each connection what a test says.
struct Far {
    endpoint: Endpoint,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Far {
    /// Runs this for each connection; it is given the connection's number, which begins with 1.
    async fn new<F>(with: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listening(TcpListener::bind("127.0.0.1:0").await.unwrap(), with)
    }

    fn listening<F>(listener: TcpListener, with: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            // Dropped with the task, it ends every connection.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                open.spawn(with(count.fetch_add(1, Ordering::SeqCst) + 1, stream));
            }
        });
        Self { endpoint, connections, task }
    }

    /// Answers every request of every connection with these bytes.
    async fn answering(bytes: impl Into<String>) -> Self {
        let bytes: Arc<str> = bytes.into().into();
        Self::new(move |_, mut stream| {
            let bytes = Arc::clone(&bytes);
            async move {
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(bytes.as_bytes()).await.unwrap();
                }
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a request with its body of known length; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let byte = stream.read_u8().await.ok()?;
        read.push(byte);
        if read.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let mut text = String::from_utf8(read).unwrap();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8(body).unwrap());
    Some(text)
}

/// Reads until the other side closes.
async fn read_to_the_end(stream: &mut TcpStream) {
    // A reset is an end too.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

fn transport() -> MeshTransport {
    MeshTransport::new(&MeshTransportConfig::default(), SharedClock::default()).unwrap()
}

fn request(endpoint: &Endpoint) -> Request {
    Request::new(Method::POST, "/x", CallInfo::new("far", "x", Safety::Write))
        .with_endpoint(endpoint.clone())
        .with_body(Body::full("{}"))
}

async fn send(transport: &MeshTransport, endpoint: &Endpoint) -> Result<Response> {
    transport.send(request(endpoint)).await
}

/// Sends, and reads the answer.
async fn call(transport: &MeshTransport, endpoint: &Endpoint) -> Result<String> {
    let body = send(transport, endpoint).await?.into_body().collect(1 << 20).await?;
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// How many connections to an endpoint are open, and how many of them idle.
fn numbers(transport: &MeshTransport, endpoint: &Endpoint) -> (u64, u64) {
    let shown = transport.introspect();
    let of = |what: &str| shown["endpoints"][endpoint.to_string()][what].as_u64().unwrap_or(0);
    (of("open"), of("idle"))
}
