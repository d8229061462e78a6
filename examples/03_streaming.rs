//! Token by token: an operation that streams, while its connection breaks again and again.
//! Run with: `cargo run --example 03_streaming`; with `-- --stay` it is served until SIGTERM or Ctrl-C.
//! Expect: each word as it comes, over several connections, and that the story was told once.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     futures-util = "0.3"
//!                     tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tekton_sdk::{Client, Component, Error, Result, Stream, Tekton, service, time::SharedClock};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Tells stories.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Narrator {
    clock: SharedClock,
    told: AtomicUsize,
}

#[service]
impl Narrator {
    /// Tells a text word by word. A listener whose connection breaks comes back to the same telling.
    ///
    /// # Arguments
    /// * `text` - what to tell
    #[op(write, resumable)]
    fn tell(&self, text: String) -> impl Stream<Item = Result<String>> + Send + use<> {
        self.told.fetch_add(1, Ordering::Relaxed);
        let (clock, words) = (self.clock.clone(), text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        stream::iter(words).then(move |word| {
            let thinking = clock.sleep(Duration::from_millis(20));
            async move {
                thinking.await;
                Ok(word)
            }
        })
    }

    /// Says how many tellings have begun.
    #[op(read)]
    async fn told(&self) -> Result<usize> {
        Ok(self.told.load(Ordering::Relaxed))
    }
}

/// A network between two components, whose connections break whenever somebody says so.
async fn bad_network(to: String) -> Result<(String, watch::Sender<usize>, Arc<AtomicUsize>)> {
    let failed = |error: std::io::Error| Error::internal("there is no network").with_source(error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let (breaks, broken) = watch::channel(0);
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let (mut broken, to) = (broken.clone(), to.clone());
            broken.mark_unchanged();
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    _ = broken.changed() => {}
                }
            });
        }
    });
    Ok((url, breaks, connections))
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("example").build()?;
    let narrator = Narrator { clock: tekton.clock().clone(), told: AtomicUsize::new(0) };
    let served = narrator.serve(&tekton).start().await?;
    if std::env::args().any(|argument| argument == "--stay") {
        println!("serving {}", served.endpoint());
        return served.until_shutdown().await;
    }

    let to = served.endpoint().trim_start_matches("http://").to_owned();
    let (url, breaks, connections) = bad_network(to).await?;
    let narrator = NarratorClient::from_peer(tekton.peer_at(&url)?);
    let text = "Once upon a time there was a stream that broke every four words and nobody noticed .";
    let mut words = narrator.tell(text.to_owned()).await?;
    let (mut count, mut heard) = (0, String::new());
    while let Some(word) = words.next().await {
        let word = word?;
        println!("{word}");
        heard = format!("{heard} {word}");
        count += 1;
        if count % 4 == 0 {
            breaks.send_modify(|breaks| *breaks += 1);
        }
    }
    assert_eq!(heard.trim(), text);
    let told = NarratorClient::from_peer(tekton.peer_at(served.endpoint())?).told().await?;
    println!("{count} words over {} connections, told {told} time", connections.load(Ordering::Relaxed));

    // Whoever has heard enough says so by dropping what it reads: the narrator stops at once.
    let mut words = narrator.tell(text.to_owned()).await?;
    words.next().await.transpose()?;
    words.cancel().await?;
    assert!(served.shutdown().await);
    Ok(())
}
