//! The one server that all cases call: plain hyper on a thread of its own, and beside it bare TCP for the floor.

use std::{convert::Infallible, io, net::SocketAddr, sync::mpsc, thread};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
};

use super::{document::Document, runtime};

/// The bytes of a request on the wire: 1 KiB and a head.
pub(super) const REQUEST_BYTES: usize = 1024 + 350;
/// The bytes of an answer on the wire: 1 KiB and a head.
pub(super) const ANSWER_BYTES: usize = 1024 + 110;

/// Where the server listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// The endpoint of the Unix socket.
    pub(super) socket: &'static str,
    pub(super) http: SocketAddr,
    pub(super) ping_pong: SocketAddr,
}

/// Starts the server; it runs until the process ends.
pub(super) fn start() -> Server {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async move {
            let path = std::env::temp_dir().join(format!("tekton-bench-{}.sock", std::process::id()));
            // Of a server that this process started before.
            let _ = std::fs::remove_file(&path);
            let unix = UnixListener::bind(&path).expect("the folder for temporary files takes a socket");
            let socket = format!("unix:{}", path.display()).leak();
            let http = listen().await;
            let ping_pong = listen().await;
            let address = |listener: &TcpListener| listener.local_addr().expect("a bound listener has an address");
            let server = Server { socket, http: address(&http), ping_pong: address(&ping_pong) };
            tell.send(server).expect("the starter waits for the addresses");
            tokio::spawn(accept(ping_pong, |stream| async move {
                // The client closes the connection when it is done.
                let _ = answer_bytes(stream).await;
            }));
            tokio::spawn(async move {
                while let Ok((stream, _)) = unix.accept().await {
                    tokio::spawn(serve(stream));
                }
            });
            accept(http, serve).await;
        });
    });
    told.recv().expect("the server tells its addresses before anything else")
}

async fn listen() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port")
}

async fn accept<F: Future<Output = ()> + Send + 'static>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let answer = Bytes::from(Document::sample().json());
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let _ = request.into_body().collect().await;
            let mut response = Response::new(Full::new(answer));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok::<_, Infallible>(response)
        }
    });
    // The client closes the connection when it is done.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer_bytes(mut stream: TcpStream) -> io::Result<()> {
    let (mut question, answer) = ([0; REQUEST_BYTES], [0; ANSWER_BYTES]);
    loop {
        stream.read_exact(&mut question).await?;
        stream.write_all(&answer).await?;
    }
}
