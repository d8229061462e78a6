//! The topics of a served component: what `/ws` and `/events` give of its broker, and to whom.

mod guard;
mod query;
mod sse;
mod watched;

#[cfg(feature = "websocket")]
use std::net::SocketAddr;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
#[cfg(feature = "websocket")]
use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;

pub use self::guard::TopicGuard;
pub(in crate::host) use self::watched::Watched;
use super::{Identify, client::Clients, refusal::Refusal};
#[cfg(feature = "websocket")]
use super::{
    RequestHead,
    client::{Seat, Source},
};
use crate::{
    config::HostConfig,
    context::Identity,
    patterns::events::{Backpressure, Broker, Interest, Message, Receipt, Topic, wire::Wanted},
    time::SharedClock,
};

/// The methods of `/ws` that are about topics.
pub(in crate::host) const TOPIC_METHODS: [&str; 6] = ["subscribe", "unsubscribe", "publish", "ack", "nack", "progress"];

/// Who may come in, and how often. A request of HTTP is admitted by the router.
#[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "only calls over WebSockets are admitted here"))]
pub(in crate::host) struct Entry {
    /// `None`: nobody is identified.
    pub(in crate::host) identify: Option<Arc<dyn Identify>>,
    /// `None`: clients have no limits.
    pub(in crate::host) clients: Option<Arc<Clients>>,
    pub(in crate::host) clock: SharedClock,
    /// How long it may take to say who asks.
    pub(in crate::host) limit: Duration,
}

/// What is known of a connection since it was opened.
#[cfg(feature = "websocket")]
pub(in crate::host) struct Handshake {
    pub(in crate::host) headers: HeaderMap,
    pub(in crate::host) peer: Option<SocketAddr>,
    /// Who opened it with a ticket.
    pub(in crate::host) proven: Option<Identity>,
}

/// What a component that serves events has of them.
pub(in crate::host) struct Topics {
    broker: Arc<dyn Broker>,
    /// `None`: whoever may connect may hear and publish everything.
    guard: Option<Arc<dyn TopicGuard>>,
    #[cfg(feature = "websocket")]
    entry: Entry,
    #[cfg(feature = "websocket")]
    max_subscriptions: usize,
    max_filters: usize,
    queue_events: usize,
    queue_bytes: usize,
    drain: CancellationToken,
    open: AtomicUsize,
    dropped: AtomicU64,
}

impl Topics {
    #[cfg_attr(
        not(feature = "websocket"),
        expect(unused_variables, reason = "only calls over WebSockets are admitted here")
    )]
    pub(in crate::host) fn new(
        broker: Arc<dyn Broker>,
        guard: Option<Arc<dyn TopicGuard>>,
        entry: Entry,
        config: &HostConfig,
    ) -> Self {
        Self {
            broker,
            guard,
            #[cfg(feature = "websocket")]
            entry,
            #[cfg(feature = "websocket")]
            max_subscriptions: config.topic_subscriptions,
            max_filters: config.topic_filters,
            queue_events: config.topic_queue_events,
            queue_bytes: config.topic_queue_bytes,
            drain: CancellationToken::new(),
            open: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// How many subscriptions one connection may have.
    #[cfg(feature = "websocket")]
    pub(in crate::host) const fn max_subscriptions(&self) -> usize {
        self.max_subscriptions
    }

    /// Ends the subscriptions of `/events` once they have given what waits.
    pub(in crate::host) fn drain(&self) {
        self.drain.cancel();
    }

    /// For `/introspect`: how many subscriptions are open, and how many events those that ended had lost by being slow.
    pub(in crate::host) fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "subscriptions": self.open.load(Ordering::Relaxed),
            "dropped": self.dropped.load(Ordering::Relaxed),
        })
    }

    /// Who stands behind a connection, and its share of the limits of that client for one call.
    #[cfg(feature = "websocket")]
    pub(in crate::host) async fn admit(
        &self,
        handshake: &Handshake,
    ) -> Result<(Option<Identity>, Option<Seat>), Box<Refusal>> {
        let Entry { identify, clients, clock, limit } = &self.entry;
        let from = Source { headers: &handshake.headers, peer: handshake.peer };
        let who = match (&handshake.proven, identify) {
            (Some(proven), _) => Some(proven.clone()),
            (None, None) => None,
            (None, Some(identify)) => {
                let Source { headers, peer } = from;
                let head = RequestHead { method: &Method::GET, path: "/ws", query: None, headers, peer };
                let proven = clock.timeout(*limit, identify.identify(&head)).await;
                match proven.ok_or_else(|| Refusal::not_proven(*limit))? {
                    Ok(who) => who,
                    Err(error) => {
                        if let Some(clients) = clients {
                            clients.unproven(from, clock.now()).map_err(|(_, refusal)| refusal)?;
                        }
                        return Err(error.into());
                    }
                }
            }
        };
        let seat = match clients {
            Some(clients) => clients.admit(who.as_ref(), from, clock.now()).map_err(|(_, refusal)| refusal)?,
            None => None,
        };
        Ok((who, seat))
    }

    /// What a subscription is to be, within the host's bounds.
    pub(in crate::host) fn interest(&self, wanted: Wanted<'_>) -> Result<Interest, Box<Refusal>> {
        if wanted.topics.len() > self.max_filters {
            let most = self.max_filters;
            let detail =
                format!("topics: a subscription has at most {most} topics, this one has {}", wanted.topics.len());
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_topics", detail));
        }
        Ok(wanted.interest(self.queue_events, self.queue_bytes)?)
    }

    /// Begins a subscription.
    pub(in crate::host) async fn subscribe(
        self: &Arc<Self>,
        who: Option<Identity>,
        interest: Interest,
    ) -> Result<Watched, Box<Refusal>> {
        if let Some(guard) = &self.guard {
            for filter in &interest.filters {
                match Topic::parse(filter.as_str()) {
                    Ok(topic) if !guard.may_hear(who.as_ref(), &topic) => return Err(refused("hear", topic.as_str())),
                    Ok(_) => {}
                    // What one member must not see would be lost to the others.
                    Err(_) if interest.group.is_some() => {
                        let detail = format!("a group listens to topics without wildcards here, not to {filter}");
                        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "group_of_wildcards", detail));
                    }
                    Err(_) => {}
                }
            }
        }
        let kind = watched::Kind {
            is_acked: interest.acks.is_some(),
            keeps_latest: interest.when_full == Backpressure::KeepLatest,
        };
        let feed = self.broker.subscribe(interest).await?;
        Ok(Watched::new(Arc::clone(self), feed, who, kind))
    }

    /// Publishes.
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "nothing is published over HTTP"))]
    pub(in crate::host) async fn publish(
        &self,
        who: Option<&Identity>,
        message: Message,
    ) -> Result<Receipt, Box<Refusal>> {
        if self.guard.as_ref().is_some_and(|guard| !guard.may_publish(who, message.topic())) {
            return Err(refused("publish on", message.topic().as_str()));
        }
        Ok(self.broker.publish(message).await?)
    }
}

fn refused(what: &str, topic: &str) -> Box<Refusal> {
    Refusal::new(StatusCode::FORBIDDEN, "topic_refused", format!("you may not {what} {topic}"))
}

/// The filters of a list with commas between them.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|filter| !filter.is_empty())
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").field("broker", &self.broker).field("guard", &self.guard).finish_non_exhaustive()
    }
}
