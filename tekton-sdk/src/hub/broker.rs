//! The hub as a broker that can be listened to.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_core::Stream;
use tokio_util::sync::CancellationToken;

use super::feed::HermesFeed;
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::{
        events::{
            Broker, BrokerCapabilities, Connection, ConnectionReporter, ConnectionState, Feed, Interest, Message,
            Receipt,
        },
        streaming::{ReconnectConfig, SseClient},
    },
    random::Random,
    time::SharedClock,
    transport::{Endpoint, Transport},
    wire::hermes,
};

/// The events of the hub, Hermes: what it tells of the tasks that agents give each other. Clones share everything.
///
/// A subscription reads the hub's event stream (`/api/a2a/v1/stream/events`) over a connection of its own, and takes it up again when
/// it breaks. The hub keeps nothing and has no cursors: each connection is an epoch of its own, and what happened between two of them
/// is a gap of unknown size. The topic of an event is its type, as `task.created`; the key is the task; id, source and time are the
/// hub's; `taskid`, `taskname` and `agentid` are attributes. An event that is none, or whose type is no topic, is a gap of one.
///
/// Nothing waits here: what is not read stays with the hub, whatever the subscription's `when_full` says. There is no history, no
/// acknowledgement and no group, and nothing can be published: upstream's `channel.publish` always fails.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
///
/// use serde_json::{Value, json};
/// use tekton_sdk::{
///     hub::HermesBroker,
///     patterns::events::{Events, Heard},
///     random::Random,
///     testing::FakeHermes,
///     time::SharedClock,
///     transport::{Endpoint, HttpTransport, HttpTransportConfig},
///     wire::hermes::HubEvent,
/// };
///
/// let hub = FakeHermes::start().await?;
/// let transport = Arc::new(HttpTransport::new(&HttpTransportConfig::default())?);
/// let clock = SharedClock::default();
/// let broker = HermesBroker::new(Endpoint::parse(&hub.url())?, transport, clock.clone(), Random::new());
/// let mut tasks = Events::new(broker, clock).subscribe::<Value>("task.*").await?;
///
/// hub.emit(HubEvent::new("task.created", &json!({ "priority": "low" })).with_task("t-1", "dig"));
/// let Some(Heard::Event(created)) = tasks.next().await.transpose()? else { panic!("it is heard") };
/// assert_eq!((created.topic().as_str(), created.message().key()), ("task.created", "t-1"));
/// assert_eq!(created.data()?["priority"], "low");
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct HermesBroker(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    endpoint: Endpoint,
    transport: Arc<dyn Transport>,
    clock: SharedClock,
    random: Random,
    reconnect: ReconnectConfig,
    reporter: Arc<ConnectionReporter>,
    over: CancellationToken,
}

impl HermesBroker {
    /// Listens to the hub at this endpoint, its base without `/api`.
    #[must_use]
    pub fn new(endpoint: Endpoint, transport: Arc<dyn Transport>, clock: SharedClock, random: Random) -> Self {
        let (reporter, _) = Connection::new(ConnectionState::connecting(1));
        let (reconnect, over) = (ReconnectConfig::default(), CancellationToken::new());
        let reporter = Arc::new(reporter);
        Self(Arc::new(Inner { endpoint, transport, clock, random, reconnect, reporter, over }))
    }

    /// The same with other waits between connections; clones that were made before keep theirs. Default: those of
    /// [`ReconnectConfig`]. A subscription ends with an error when as many connections in a row as it allows have failed.
    #[must_use]
    pub fn with_reconnect(mut self, reconnect: ReconnectConfig) -> Self {
        Arc::make_mut(&mut self.0).reconnect = reconnect;
        self
    }
}

#[async_trait]
impl Broker for HermesBroker {
    async fn publish(&self, message: Message) -> Result<Receipt> {
        let what =
            format!("the hub takes no events, and so none on topic {}: its own can be listened to", message.topic());
        Err(Error::new(ErrorKind::Rejected, what).with_sent(Sent::No))
    }

    /// Waits until the hub has greeted: what happens from then on is heard.
    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>> {
        let Inner { endpoint, transport, clock, random, reconnect, reporter, over } = &*self.0;
        let closed = || Error::new(ErrorKind::Closed, "the events of the hub are not listened to any more");
        interest.check(self.capabilities())?;
        let client = SseClient::get(&format!("{endpoint}{}", hermes::EVENTS))?
            .transport(Arc::clone(transport))
            .clock(clock.clone())
            .random(random.clone())
            .reconnect(*reconnect);
        let mut events = client.open()?;
        let greeted = poll_fn(|cx| Pin::new(&mut events).poll_next(cx));
        let first = over.run_until_cancelled(greeted).await.ok_or_else(closed)?;
        let first = first.transpose().map_err(|error| error.with_target("hermes"))?;
        let first =
            first.ok_or_else(|| Error::new(ErrorKind::Closed, "the hub has ended its events").with_target("hermes"))?;
        reporter.tell(ConnectionState::Up);
        let (reporter, over) = (Arc::clone(reporter), over.clone());
        Ok(Box::new(HermesFeed::new(events, &first, interest, clock.clone(), random.clone(), reporter, over)))
    }

    async fn drain(&self, _within: Duration) -> Result<()> {
        self.0.over.cancel();
        self.0.reporter.tell(ConnectionState::Closed);
        Ok(())
    }

    /// It is said to be up when the hub has greeted. That a connection broke is known when the next one is there, or when a
    /// subscription gave up.
    fn connection(&self) -> Connection {
        self.0.reporter.connection()
    }

    fn capabilities(&self) -> BrokerCapabilities {
        BrokerCapabilities::none()
    }
}

impl fmt::Debug for HermesBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HermesBroker").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}
