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
use serde::{Deserialize, Serialize};
use tekton_sdk::{
    Component, Peer, Tekton, async_trait,
    contract::{Descriptor, Operation},
    host::{Operations, Server, ServerLimits},
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

#[derive(Debug, Deserialize, Serialize)]
struct Token {
    id: u64,
    text: String,
}

impl Token {
    fn new(id: u64) -> Self {
        Self { id: 100_000 + id, text: "a".repeat(77) }
    }
}

/// Answers everything with the same stream of tokens, 100 bytes each.
#[derive(Clone, Debug)]
struct Tokens(Bytes);

impl Tokens {
    fn new() -> Self {
        let mut body = Vec::new();
        for id in 0..ITEMS as u64 {
            let data = serde_json::to_string(&Token::new(id)).expect("it is plain data");
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

/// The same tokens, made one by one.
struct Source;

impl Component for Source {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("source", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        const PLAIN: Operation = Operation::read("plain", "Gives tokens.").streams();
        const RESUMABLE: Operation = Operation::read("resumable", "Gives tokens to those who come back.").resumable();
        const ONE: Operation = Operation::read("one", "Gives one token.");
        let all = || stream::iter((0..ITEMS as u64).map(|id| Ok(Token::new(id))));
        Operations::new()
            .on_stream(&self, PLAIN, move |_, _, _| async move { Ok(all()) })
            .on_stream(&self, RESUMABLE, move |_, _, _| async move { Ok(all()) })
            .on(&self, ONE, |_, _, _| async { Ok(Token::new(0)) })
    }
}

/// The component on a thread of its own.
fn serve_source() -> String {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async move {
            let tekton = Tekton::builder().build().expect("the settings are the defaults");
            let served = Source.serve(&tekton).instance("1").start().await.expect("loopback has a free port");
            tell.send(served.endpoint().to_owned()).expect("the starter waits for the address");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("the component tells its address before anything else")
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

/// Reads whole streams of this operation.
fn chunks(runtime: &Runtime, peer: &Peer, operation: &str, items: u64) {
    runtime.block_on(async {
        for _ in 0..streams(items) {
            let mut tokens = peer.stream::<Token>(operation).await.expect("the answer is a stream");
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
    whole(selection);
    first(selection);
}

/// An operation is a stream that is begun, read up to its first item, and dropped.
fn first(selection: &Selection) {
    let title = "streaming: until the first item has come";
    if !selection.takes(title) {
        return;
    }
    let (runtime, endpoint) = (runtime(), serve_source());
    let source = Tekton::builder().build().and_then(|tekton| tekton.peer_at(&endpoint)).expect("the endpoint is right");
    let first = |operation: &'static str| {
        let (runtime, source) = (&runtime, &source);
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    let mut tokens = source.stream::<Token>(operation).await.expect("the answer is a stream");
                    keep(tokens.next().await.expect("it has not ended").expect("it is a token").id);
                    tokens.cancel().await.expect("the callee stops");
                }
            });
        }
    };
    Table::new(title)
        .case("limit: a call that answers one token", |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    keep(source.request::<Token>("one").await.expect("it answers").into_inner().id);
                }
            });
        })
        .case("tekton, a plain stream", first("plain"))
        .case("tekton, one that can be resumed, and its cancel", first("resumable"))
        .run(selection);
}

fn whole(selection: &Selection) {
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
    let source = Tekton::builder().build().and_then(|tekton| tekton.peer_at(&serve_source()));
    let source = source.expect("the endpoint is right");
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
        .case("tekton, Chunks in memory", |items| chunks(&runtime, &near, "tokens", items))
        .case("tekton, Chunks over a socket", |items| chunks(&runtime, &far, "tokens", items))
        .case("tekton, Chunks of a component over a socket", |items| chunks(&runtime, &source, "plain", items))
        .case("tekton, the same, to be resumed", |items| chunks(&runtime, &source, "resumable", items))
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
