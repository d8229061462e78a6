//! What it costs to read the items of a stream through a handle, beside the reading of the bytes alone. An operation is one item.
//!
//! Budget: 50,000 items a second, end to end.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use tekton_sdk::{
    Peer, Tekton, async_trait,
    host::{Server, ServerLimits},
    patterns::streaming::SseClient,
    time::SharedClock,
    transport::{Body, Handler, Inbound, MemoryTransport, Response},
    wire::sse::{Block, Decoder, SseLimits},
};
use tekton_sdk_benches::{Selection, Table, keep};
use tokio::runtime::{Builder, Runtime};

/// A power of two, as the operations of a turn are: then every turn is made of whole streams.
const ITEMS: usize = 4096;

/// How much of the body comes at once.
const PIECE_BYTES: usize = 16 * 1024;

#[derive(Debug, Deserialize)]
struct Token {
    id: u64,
    text: String,
}

/// Answers everything with the same stream of tokens, 100 bytes each.
#[derive(Clone, Debug)]
struct Tokens(Bytes);

impl Tokens {
    fn new() -> Self {
        let mut body = Vec::new();
        for id in 0..ITEMS {
            let id = 100_000 + id;
            let data = format!(r#"{{"id":{id},"text":"{}"}}"#, "a".repeat(77));
            assert_eq!(data.len(), 100);
            Block::data(&data).encode(&mut body).expect("it has neither type nor id");
        }
        Block::data("{}").with_kind("end").encode(&mut body).expect("the type is one line");
        Self(body.into())
    }
}

#[async_trait]
impl Handler for Tokens {
    async fn handle(&self, _: Inbound) -> Response {
        let whole = self.0.clone();
        let pieces = (0..whole.len()).step_by(PIECE_BYTES);
        let piece = move |at| Ok(whole.slice(at..whole.len().min(at + PIECE_BYTES)));
        let answer = Response::new(StatusCode::OK, Body::stream(stream::iter(pieces.map(piece))));
        answer.with_header(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))
    }
}

/// The server on a thread of its own; it runs until the process ends.
fn serve(tokens: Tokens) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async move {
            let (any, handler) = (SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(tokens));
            let server = Server::bind(any, handler, ServerLimits::default(), SharedClock::default()).await;
            let server = server.expect("loopback has a free port");
            tell.send(server.local_addr()).expect("the starter waits for the address");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("the server tells its address before anything else")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the process may have a runtime")
}

fn streams(items: u64) -> u64 {
    items.div_ceil(ITEMS as u64)
}

/// Reads whole streams of this peer.
fn chunks(runtime: &Runtime, peer: &Peer, items: u64) {
    runtime.block_on(async {
        for _ in 0..streams(items) {
            let mut tokens = peer.stream::<Token>("tokens").await.expect("the answer is a stream");
            let mut read = 0;
            while let Some(token) = tokens.next().await {
                let token = token.expect("it is a token");
                keep((token.id, token.text));
                read += 1;
            }
            assert_eq!(read, ITEMS);
        }
    });
}

pub(crate) fn run(selection: &Selection) {
    let title = "streaming: tokens of 100 bytes, end to end";
    if !selection.takes(title) {
        return;
    }
    let (tokens, runtime) = (Tokens::new(), runtime());
    let memory = MemoryTransport::new();
    let _bound = memory.bind("tokens", Arc::new(tokens.clone())).expect("the name is free");
    let address = serve(tokens.clone());
    let near = Tekton::builder().transport(memory).build().and_then(|tekton| tekton.peer_at("memory://tokens"));
    let far = Tekton::builder().build().and_then(|tekton| tekton.peer_at(&format!("http://{address}")));
    let (near, far) = (near.expect("the endpoint is right"), far.expect("the endpoint is right"));
    let url = format!("http://{address}/tokens");
    Table::new(title)
        .case("limit: the bytes alone, decoder and serde_json", |items| {
            for _ in 0..streams(items) {
                let mut decoder = Decoder::new(SseLimits::default());
                for mut piece in tokens.0.chunks(PIECE_BYTES) {
                    while let Some(event) = decoder.next_event(&mut piece).expect("no cap is reached") {
                        if event.kind != "end" {
                            let token: Token = event.json().expect("it is a token");
                            keep((token.id, token.text));
                        }
                    }
                }
            }
        })
        .case("tekton, Chunks in memory", |items| chunks(&runtime, &near, items))
        .case("tekton, Chunks over a socket", |items| chunks(&runtime, &far, items))
        .case("tekton, SseClient over a socket", |items| {
            runtime.block_on(async {
                for _ in 0..streams(items) {
                    let mut events = SseClient::get(&url).and_then(SseClient::open).expect("the URL is right");
                    for _ in 0..ITEMS {
                        keep(events.next().await.expect("it has not ended").expect("it is an event").data);
                    }
                }
            });
        })
        .run(selection);
}
