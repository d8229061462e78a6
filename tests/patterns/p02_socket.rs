//! A broker behind a WebSocket: over real sockets, against a component that is served, and against a server that plays a script.

mod laws;

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    Component, Tekton,
    config::HostConfig,
    contract::Descriptor,
    host::{Operations, Serve, Served},
    patterns::events::{Events, History, MemoryBroker, MemoryBrokerConfig, WebSocketBroker, WebSocketBrokerBuilder},
    random::Random,
    time::{ManualClock, SharedClock},
};

/// A component that serves events and no operation.
struct Quiet;

impl Component for Quiet {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("quiet", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
    }
}

/// A host and its clients, all by one clock that the test moves.
#[derive(Clone)]
struct World(ManualClock);

impl World {
    fn new() -> Self {
        Self(ManualClock::new())
    }

    fn clock(&self) -> SharedClock {
        SharedClock::new(self.0.clone())
    }

    /// A broker in memory: its epoch is the seed's, and what it holds is the history's.
    fn memory(&self, seed: u64, history: Option<History>) -> MemoryBroker {
        self.memory_with(MemoryBrokerConfig::default(), seed, history)
    }

    fn memory_with(&self, config: MemoryBrokerConfig, seed: u64, history: Option<History>) -> MemoryBroker {
        match history {
            Some(history) => MemoryBroker::resumed(config, self.clock(), history).unwrap(),
            None => MemoryBroker::new(config, self.clock(), &Random::seeded(seed)).unwrap(),
        }
    }

    fn events(&self, broker: impl tekton_sdk::patterns::events::Broker) -> Events {
        Events::new(broker, self.clock())
    }

    /// Serves a broker on this port; 0 is any.
    async fn serve(&self, broker: &MemoryBroker, port: u16) -> Served {
        self.serve_with(broker, port, |_| {}, |serve| serve).await
    }

    async fn serve_with(
        &self,
        broker: &MemoryBroker,
        port: u16,
        change: impl FnOnce(&mut HostConfig),
        more: impl FnOnce(Serve) -> Serve,
    ) -> Served {
        let tekton = Tekton::builder().named("host").clock(self.0.clone()).build().unwrap();
        let mut config = HostConfig::default();
        change(&mut config);
        let serve = Quiet.serve(&tekton).with_config(config).port(port).events(&self.events(broker.clone()));
        more(serve).start().await.unwrap()
    }

    fn to(&self, url: &str) -> WebSocketBrokerBuilder {
        WebSocketBroker::to(url).unwrap().clock(self.clock()).random(Random::seeded(7))
    }

    async fn connect(&self, served: &Served) -> WebSocketBroker {
        self.to(served.endpoint()).connect().await.unwrap()
    }

    /// Lets everything happen that needs no time, then that which this time brings.
    async fn pass(&self, time: Duration) {
        quiet().await;
        self.0.advance(time);
        quiet().await;
    }
}

/// Lets tasks and sockets of this thread go on until there is nothing to do.
async fn quiet() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
