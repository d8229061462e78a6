//! Room 2, events, over the network: a listener survives two restarts of the publisher, and says what it missed.
//! Run with: `cargo run --example 02_topics`; with `-- --stay` it is served until SIGTERM or Ctrl-C.
//! Expect: the orders as they are heard, nothing missed where the history was kept, and a gap where it was not.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use tekton_sdk::{
    Client, Component, Error, Result, Tekton, data,
    host::Served,
    patterns::{
        events::{Events, MemoryBroker, MemoryBrokerConfig},
        streaming::{ReconnectConfig, SseClient},
    },
    random::Random,
    service,
    time::SharedClock,
};

/// Takes orders, and tells everybody who listens.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Kitchen {
    events: Events,
}

#[service]
impl Kitchen {
    /// Takes an order.
    ///
    /// # Arguments
    /// * `dish` - what is to be cooked
    #[op(write)]
    async fn order(&self, dish: String) -> Result<()> {
        self.events.publisher("orders.new")?.send(&dish).await?;
        Ok(())
    }
}

/// An event as `/events` sends it.
#[data]
struct Order {
    data: String,
}

/// What is sent where events are missing.
#[data]
struct Missed {
    from: String,
    reason: String,
}

/// Serves the kitchen: its operation, and its topics at `/ws` and `/events`.
async fn open(tekton: &Tekton, broker: MemoryBroker, port: u16) -> Result<Served> {
    let events = Events::new(broker, tekton.clock().clone());
    let kitchen = Kitchen { events: events.clone() };
    kitchen.serve(tekton).port(port).events(&events).start().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("example").build()?;
    let config = MemoryBrokerConfig::default;
    let fresh = |clock: &SharedClock| MemoryBroker::new(config(), clock.clone(), &Random::new());
    let broker = fresh(tekton.clock())?;
    let served = open(&tekton, broker.clone(), 0).await?;
    if std::env::args().any(|argument| argument == "--stay") {
        println!("serving {}", served.endpoint());
        return served.until_shutdown().await;
    }

    let url = served.endpoint().to_owned();
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let soon =
        ReconnectConfig::default().with_delay(Duration::from_millis(20)).with_max_delay(Duration::from_millis(100));
    let mut heard = SseClient::get(&format!("{url}/events?topics=orders.*&oldest=true"))?.reconnect(soon).open()?;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(async move {
        while let Some(event) = heard.next().await.transpose()? {
            match &*event.kind {
                "gap" => {
                    let Missed { from, reason } = event.json()?;
                    println!("missed: what followed {from} ({reason})");
                }
                "end" => println!("the kitchen has closed"),
                _ => {
                    let Order { data } = event.json()?;
                    println!("heard: {data}");
                    let is_last = data == "cake";
                    // Whoever ordered may have gone.
                    let _ = tell.send(data);
                    if is_last {
                        break;
                    }
                }
            }
        }
        Ok::<(), Error>(())
    });

    let client = KitchenClient::from_peer(tekton.peer_at(&url)?);
    client.order("soup".to_owned()).await?;
    told.recv().await;
    served.shutdown().await;
    println!("the kitchen opens again with its history");
    let kept = MemoryBroker::resumed(config(), tekton.clock().clone(), broker.history())?;
    let served = open(&tekton, kept, port).await?;
    client.order("bread".to_owned()).await?;
    told.recv().await;
    served.shutdown().await;
    println!("the kitchen opens again without it");
    let served = open(&tekton, fresh(tekton.clock())?, port).await?;
    client.order("cake".to_owned()).await?;
    listening.await.map_err(|error| Error::internal("the listener panicked").with_source(error))??;
    served.shutdown().await;
    Ok(())
}
