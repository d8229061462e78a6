//! Events over real sockets: topics at `/ws` in both dialects, and at `/events`.

mod edges;
mod flood;
mod host;
mod limits;
mod plain;
mod sse;
mod tickets;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tekton_sdk::{
    Component, Tekton,
    config::HostConfig,
    contract::Descriptor,
    host::{Operations, Serve, Served},
    patterns::events::{Events, History, MemoryBroker, MemoryBrokerConfig},
    random::Random,
    time::SharedClock,
};

use crate::{lab::tekton, ws::raw::Raw};

/// A component that serves events and one operation.
struct Quiet;

impl Component for Quiet {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("quiet", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
    }
}

/// A broker in memory: its epoch is the seed's, and what it holds is the history's.
fn broker(seed: u64, history: Option<History>) -> MemoryBroker {
    let (config, clock) = (MemoryBrokerConfig::default(), SharedClock::default());
    match history {
        Some(history) => MemoryBroker::resumed(config, clock, history).unwrap(),
        None => MemoryBroker::new(config, clock, &Random::seeded(seed)).unwrap(),
    }
}

fn events(broker: &MemoryBroker) -> Events {
    Events::new(broker.clone(), SharedClock::default())
}

async fn serve(events: &Events) -> Served {
    serve_with(events, &tekton(), |_| {}, |serve| serve).await
}

async fn serve_with(
    events: &Events,
    tekton: &Tekton,
    change: impl FnOnce(&mut HostConfig),
    more: impl FnOnce(Serve) -> Serve,
) -> Served {
    let mut config = HostConfig::default();
    change(&mut config);
    more(Quiet.serve(tekton).with_config(config).events(events)).start().await.unwrap()
}

async fn publish(events: &Events, topic: &str, data: &(impl serde::Serialize + Sync)) {
    events
        .publish(tekton_sdk::patterns::events::Message::json(topic.parse().unwrap(), &json!(data)).unwrap())
        .await
        .unwrap();
}

/// Subscribes, and gives the result.
async fn subscribe(raw: &mut Raw, params: &str) -> Value {
    let answer = raw.call(900, "subscribe", params).await;
    assert!(answer.get("result").is_some(), "{answer}");
    answer["result"].clone()
}

/// The `params` of the next message, which is a notification.
async fn told(raw: &mut Raw) -> Value {
    let heard = raw.hear().await;
    assert_eq!(heard["method"], "event", "{heard}");
    heard["params"].clone()
}

const SECOND: Duration = Duration::from_secs(1);
