//! Room 2: tell many, hear what you subscribed to.
//!
//! Events have dotted topics; a subscription hears those that its filters match, in order, and is told where some are missing.
//! What it may lose, and what comes again until it is done, it says itself.
//!
//! ```
//! # tekton_sdk::testing::block_on(async {
//! use tekton_sdk::{Tekton, patterns::events::{Heard, Start}};
//!
//! let tekton = Tekton::builder().named("kitchen").build()?;
//! let events = tekton.events();
//! let mut orders = events.subscribe::<String>("orders.*").acked().await?;
//! events.publisher("orders.new")?.send("soup").await?;
//!
//! let Some(Heard::Event(order)) = orders.next().await.transpose()? else { panic!("it is heard") };
//! assert_eq!((order.data()?, order.message().source()), ("soup".to_owned(), Some("kitchen")));
//! order.ack().await?;
//!
//! // Somebody who was away goes on where they were.
//! let after = orders.cursor().expect("it heard something");
//! events.publisher("orders.paid")?.send("soup").await?;
//! let mut again = events.subscribe::<String>("orders.>").start(Start::After(after)).await?;
//! let paid = again.next().await.transpose()?.and_then(Heard::event).expect("it is kept");
//! assert_eq!(paid.topic().as_str(), "orders.paid");
//! # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
//! ```
//!
//! What can go wrong: [`Rejected`](crate::ErrorKind::Rejected) at a cap and for what a broker does not have,
//! [`Closed`](crate::ErrorKind::Closed) after a drain, [`Invalid`](crate::ErrorKind::Invalid) for what is no topic.

mod acks;
mod broker;
mod cloud;
mod config;
mod connection;
mod cursor;
mod delivery;
pub(crate) mod derived;
mod handle;
mod handler;
mod machine;
mod memory;
mod message;
#[cfg(feature = "websocket")]
mod said;
mod subscription;
mod topic;
mod trie;
mod typed;
#[cfg(feature = "websocket")]
mod websocket;
#[cfg(feature = "host")]
pub(crate) mod wire;

use std::sync::{Arc, OnceLock};

use crate::tekton::Tekton;

pub use broker::{
    AckConfig, Broker, BrokerCapabilities, Feed, FeedCounts, Incoming, Interest, Outcome, Receipt, Settle,
};
pub use config::Backpressure;
pub use connection::{Connection, ConnectionReporter, ConnectionState};
pub use cursor::{Cursor, Gap, GapReason, Start};
pub use delivery::{Delivery, Heard};
pub use handle::{Events, Publisher, Subscribe};
pub use handler::HandlerConfig;
#[cfg(feature = "host")]
pub(crate) use handler::{Calls, Steer};
pub use memory::{History, MemoryBroker, MemoryBrokerConfig};
pub use message::{Message, Published};
pub use subscription::{Counts, Subscription};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use tekton_sdk_macros::Event;
pub use topic::{Topic, TopicFilter};
pub use typed::TypedEvent;
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use websocket::{WebSocketBroker, WebSocketBrokerBuilder, WebSocketBrokerConfig};

/// The broker of a handle, as a setting of it; one in memory is made when it is first asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<OnceLock<Arc<dyn Broker>>>);

impl Shared {
    pub(crate) fn new(broker: Option<Arc<dyn Broker>>) -> Self {
        Self(Arc::new(broker.map_or_else(OnceLock::new, OnceLock::from)))
    }
}

impl Tekton {
    /// The events of this process: published and heard through the broker that the builder was given, one in memory by default.
    /// A handle that was made from parts of one's own has a broker in memory for each call of this.
    #[must_use]
    pub fn events(&self) -> Events {
        let Shared(broker) = self.setting().unwrap_or_default();
        let broker = broker.get_or_init(|| {
            let broker = MemoryBroker::with_defaults(self.clock().clone(), self.random());
            Arc::new(broker.with_observers(self.observers().clone()))
        });
        Events::shared(Arc::clone(broker), self.clock().clone())
            .with_source(self.source())
            .with_observers(self.observers().clone())
    }
}
