//! A broker in another process: the topics of a served component, over a WebSocket.
//!
//! A broker has one task, which makes connections, reads and writes ([`driver`]). What is said on them, what is said again on the next
//! one, and what becomes of what comes is decided by a pure machine ([`machine`]). What comes waits for its subscriber in a queue of
//! its subscription, which asks the host for more as it is read ([`queue`]).

mod builder;
mod config;
mod driver;
mod feed;
mod machine;
mod queue;
mod read;
mod say;
mod shared;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::StatusCode;

pub use self::{builder::WebSocketBrokerBuilder, config::WebSocketBrokerConfig};
use self::{feed::WebSocketFeed, queue::Queue, shared::Shared};
use super::{Broker, BrokerCapabilities, Connection, Feed, Interest, Message, Receipt};
use crate::{
    error::{Error, ErrorKind, RemoteError, Result},
    transport::Closed,
};

/// The broker of a component that is served with `Serve::events`, over one WebSocket to its `/ws`. Clones share it.
///
/// It does what the component's broker does, but for [`Backpressure::Block`](super::Backpressure::Block): nobody far away holds publishers back. A subscription has its
/// queue on the host; up to an eighth of its capacity is on its way or waits on this side, where nothing is dropped or replaced any
/// more, and one event at a time where they are acknowledged, shared in a group or replaced by the latest.
///
/// # When the connection is lost
/// Another is made, for as long as there is a handle or a subscription: at a random time within `reconnect_spread`, then with full
/// jitter, doubled each time, the URLs in turn. A bearer token is fetched for each. Every subscription is begun again, in their
/// order, after the last event that came over the connection; what the host does not have any more is told as a gap. With
/// acknowledgements, what is open stays with the subscriber: the host hands it over again, this side recognises it, and an
/// acknowledgement that was under way or comes meanwhile is told then. Where events are shared in a group, what was open has gone
/// to the others, and its acknowledgement fails.
///
/// What is published waits for the connection, as far as the settings allow. An event that was sent and not confirmed is sent again
/// if it has an [id](Message::with_id), which is heard once; else publishing fails as [`Interrupted`](ErrorKind::Interrupted), and
/// its [`sent`](Error::sent) is `Maybe`. The source of the error says why the connection ended, as a [`Closed`].
///
/// # Cancel safety
/// Dropping the future of a call gives it up; an event may have been published.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// # use std::sync::Arc;
/// # use tekton_sdk::{Component, contract::Descriptor, host::Operations};
/// # struct Kitchen;
/// # impl Component for Kitchen {
/// #     fn descriptor(&self) -> Descriptor { Descriptor::new("kitchen", "1.0.0") }
/// #     fn operations(self: Arc<Self>) -> Operations { Operations::new() }
/// # }
/// use tekton_sdk::{Tekton, patterns::events::{Events, Heard, WebSocketBroker}, time::SharedClock};
///
/// let tekton = Tekton::builder().named("kitchen").build()?;
/// let served = Kitchen.serve(&tekton).events(&tekton.events()).start().await?;
///
/// let broker = WebSocketBroker::to(served.endpoint())?.connect().await?;
/// let events = Events::new(broker.clone(), SharedClock::default());
/// let mut orders = events.subscribe::<String>("orders.*").await?;
/// tekton.events().publisher("orders.new")?.send("soup").await?;
/// let Some(Heard::Event(order)) = orders.next().await.transpose()? else { panic!("it is heard") };
/// assert_eq!(order.data()?, "soup");
/// # drop(orders); broker.shutdown().await; served.shutdown().await;
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct WebSocketBroker(Arc<Handle>);

/// What keeps the task alive. The task itself does not hold it.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    capabilities: BrokerCapabilities,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl WebSocketBroker {
    /// Sets up a broker at this URL, as `ws://127.0.0.1:8005`; `http` means `ws`, and `https` means `wss`.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), saying what is wrong with the URL.
    pub fn to(url: &str) -> Result<WebSocketBrokerBuilder> {
        WebSocketBrokerBuilder::new(url)
    }

    /// Why the last connection ended; `None` while none has.
    #[must_use]
    pub fn last_closed(&self) -> Option<Closed> {
        self.0.shared.lock().closed
    }

    /// Closes the connection with 1000, and waits until that is done, a second at most. Every subscription ends, and calls that are
    /// under way fail. [`drain`](Broker::drain) waits for what is under way first.
    pub async fn shutdown(&self) {
        let shared = &self.0.shared;
        shared.close();
        shared.stop.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }

    async fn until_done(&self) {
        let shared = &self.0.shared;
        loop {
            let mut changed = std::pin::pin!(shared.left.notified());
            changed.as_mut().enable();
            {
                let state = shared.lock();
                if state.machine.is_done() && state.draining.iter().all(|queue| queue.is_over()) {
                    return;
                }
            }
            changed.await;
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Broker for WebSocketBroker {
    async fn publish(&self, message: Message) -> Result<Receipt> {
        let most = self.0.shared.config.max_event_bytes;
        // The rest of the text is less than what is counted for a message's own rest.
        message.check(most)?;
        let params = say::publish(&message);
        if params.len() + say::AROUND > most {
            let (topic, size) = (message.topic(), params.len() + say::AROUND);
            let what = format!("an event on topic {topic} takes a message of {size} bytes, at most {most} are allowed");
            return Err(Error::invalid(what));
        }
        let has_id = message.id().is_some();
        let begin = |machine: &mut shared::Calls, token| Ok(((), machine.publish(params, has_id, token)?));
        let ((), cursor) = self.0.shared.call("publish an event", begin).await?;
        Ok(cursor.map_or(Receipt::unconfirmed(), Receipt::at))
    }

    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>> {
        interest.check(self.capabilities())?;
        let (queue, is_acked) = (Arc::new(Queue::new(&interest)), interest.acks.is_some());
        let mine = Arc::clone(&queue);
        let mut begun = None;
        let begin = |machine: &mut shared::Calls, token| {
            let (number, id) = machine.subscribe(interest, mine, token)?;
            // Dropped before the host has begun it, it ends the subscription.
            begun = Some(WebSocketFeed::new(Arc::clone(&self.0), queue, number, None, is_acked));
            Ok(((), id))
        };
        let ((), after) = self.0.shared.call("begin a subscription", begin).await?;
        let feed = begun.ok_or_else(|| Error::internal("a subscription that was begun has no feed"))?;
        Ok(Box::new(feed.beginning(after)))
    }

    async fn drain(&self, within: Duration) -> Result<()> {
        let shared = &self.0.shared;
        {
            let mut state = shared.lock();
            state.draining = state.machine.queues();
            state.machine.drain();
            state.apply();
            shared.reporter.tell(state.machine.seen(shared.clock.now()));
        }
        let done = shared.clock.timeout(within, self.until_done()).await;
        let left = shared.close();
        self.shutdown().await;
        match done {
            Some(()) => Ok(()),
            None => {
                let what = format!(
                    "the broker was not drained within {within:?}: at least {left} events were not confirmed, handed over or settled"
                );
                Err(Error::new(ErrorKind::Timeout, what))
            }
        }
    }

    fn connection(&self) -> Connection {
        self.0.shared.reporter.connection()
    }

    fn capabilities(&self) -> BrokerCapabilities {
        self.0.capabilities
    }
}

/// The host does not take the token.
fn unauthorized(error: &Error, status: StatusCode) -> Error {
    Error::new(ErrorKind::Unauthorized, error.to_string()).with_remote(RemoteError::new(status.as_u16()))
}

impl fmt::Display for WebSocketBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.shared.urls[..] {
            [only] => write!(f, "the broker at {only}"),
            [first, ..] => write!(f, "the broker at {first} and others"),
            [] => f.write_str("a broker"),
        }
    }
}
