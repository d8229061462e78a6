//! A broker behind a WebSocket: over real sockets, against a component that is served, and against a server that plays a script.

mod cable;
mod handshakes;
mod laws;
mod restarts;
mod script;
mod slow;

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    Component, Tekton,
    config::HostConfig,
    contract::Descriptor,
    host::{Operations, Serve, Served},
    patterns::events::{
        Broker, Connection, ConnectionState, Delivery, Events, Gap, Heard, History, MemoryBroker, MemoryBrokerConfig,
        Message, Subscription, WebSocketBroker, WebSocketBrokerBuilder,
    },
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

    fn events(&self, broker: impl Broker) -> Events {
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

const SECOND: Duration = Duration::from_secs(1);

/// Shuts a host down, whatever time that takes.
async fn shut(world: &World, served: Served) {
    let ending = tokio::spawn(served.shutdown());
    while !ending.is_finished() {
        world.pass(SECOND / 10).await;
    }
    ending.await.unwrap();
}

/// Lets time pass until the connection is up.
async fn until_up(world: &World, connection: &Connection) {
    for _ in 0..600 {
        if connection.state() == ConnectionState::Up {
            return;
        }
        world.pass(SECOND).await;
    }
    panic!("it does not come up: {:?}", connection.state());
}

fn port(served: &Served) -> u16 {
    served.endpoint().rsplit(':').next().unwrap().parse().unwrap()
}

async fn publish(events: &Events, topic: &str, n: u64) {
    events.publisher(topic).unwrap().send(&n).await.unwrap();
}

async fn heard<T>(subscription: &mut Subscription<T>) -> Heard<T> {
    subscription.next().await.expect("it goes on").unwrap()
}

async fn event<T: std::fmt::Debug>(subscription: &mut Subscription<T>) -> Delivery<T> {
    match heard(subscription).await {
        Heard::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

async fn gap<T: std::fmt::Debug>(subscription: &mut Subscription<T>) -> Gap {
    match heard(subscription).await {
        Heard::Gap(gap) => gap,
        other => panic!("{other:?}"),
    }
}

/// Hears these numbers, and acknowledges them.
async fn numbers(subscription: &mut Subscription<u64>, wanted: impl IntoIterator<Item = u64>) {
    for n in wanted {
        let event = event(subscription).await;
        assert_eq!(event.data().unwrap(), n);
        event.ack().await.unwrap();
    }
}

fn is_silent<T>(subscription: &mut Subscription<T>) -> bool {
    futures_util::FutureExt::now_or_never(subscription.next()).is_none()
}

fn message(topic: &str, n: u64) -> Message {
    Message::json(topic.parse().unwrap(), &n).unwrap()
}

/// Lets tasks and sockets of this thread go on until there is nothing to do.
async fn quiet() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
