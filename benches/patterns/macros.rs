//! What a generated call costs more than the one written by hand, over a transport that answers at once.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use tekton_sdk::{
    Client, Component, Result, Tekton,
    contract::Entry,
    data,
    directory::MemoryDirectory,
    patterns::request::Reply,
    service,
    transport::{Request, Response, Transport, TransportCapabilities},
};
use tekton_sdk_benches::{Selection, Table, keep};

const TEXT: &str = "Words and more words, until there are enough of them for a summary.";

/// What a text says in short.
#[data]
struct Summary {
    text: String,
    words: usize,
}

/// Summarises texts.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Summarizer;

#[service]
impl Summarizer {
    /// Summarises a text.
    ///
    /// # Arguments
    /// * `text` - what to summarise
    /// * `language` - of the answer
    /// * `limit` - the longest answer, in words
    #[op(write)]
    async fn summarize(&self, text: &str, language: &str, limit: Option<usize>) -> Result<Summary> {
        Ok(Summary { text: format!("{text} ({language})"), words: limit.unwrap_or(0) })
    }
}

/// The arguments, as one writes them by hand.
#[derive(Serialize)]
struct Arguments<'a> {
    text: &'a str,
    language: &'a str,
    limit: Option<usize>,
}

/// Answers a summary at once.
#[derive(Debug)]
struct Summarizes;

#[async_trait]
impl Transport for Summarizes {
    async fn send(&self, request: Request) -> Result<Response> {
        keep(request);
        Ok(Response::new(StatusCode::OK, Bytes::from_static(br#"{"text":"words","words":1}"#)))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

pub(super) fn run(selection: &Selection) {
    let title = "macros: a generated call and one written by hand, over a transport that answers at once";
    if !selection.takes(title) {
        return;
    }
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a machine that runs benchmarks gives a runtime");
    let directory = MemoryDirectory::fixed([Entry::new("summarizer-1", "summarizer", "http://127.0.0.1:8005")]);
    let builder = Tekton::builder().named("bench").transport(Summarizes).directory(directory);
    let builder = builder.configure(|config| config.directory.ttl = Duration::from_secs(3600));
    let tekton = builder.build().expect("the settings are within their bounds");
    let peer = &tekton.peer("summarizer");
    let client = &SummarizerClient::from_peer(peer.clone());
    let (injected, runtime): (&dyn SummarizerApi, _) = (client, &runtime);

    let by_hand = move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let arguments = Arguments { text: TEXT, language: "en", limit: Some(9) };
                let reply: Reply<Summary> = peer.request("summarize").json(&arguments).await.expect("it answers");
                keep(reply.into_inner());
            }
        });
    };
    let untyped = move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let arguments = json!({ "text": TEXT, "language": "en", "limit": 9 });
                let reply: Reply<Summary> = peer.request("summarize").json(&arguments).await.expect("it answers");
                keep(reply.into_inner());
            }
        });
    };
    let generated = move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                keep(client.summarize(TEXT, "en", Some(9)).await.expect("it answers"));
            }
        });
    };
    let boxed = move |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                keep(injected.summarize(TEXT, "en", Some(9)).await.expect("it answers"));
            }
        });
    };
    Table::new(title)
        .case("by hand, a struct of arguments", by_hand)
        .case("by hand, `json!`", untyped)
        .case("generated: `SummarizerClient`", generated)
        .case("generated: `dyn SummarizerApi`", boxed)
        .run(selection);
}
