//! The door: publish, and subscribe with options.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    AckConfig, Backpressure, Broker, Interest, Message, Receipt, Start, Subscription, Topic, TopicFilter, TypedEvent,
    acks::{Acks, DeadLetters, Rules},
    subscription::Made,
};
use crate::{
    context::Context,
    error::{Error, Result},
    telemetry::Observers,
    time::{BoxFuture, SharedClock},
};

/// Publishes and subscribes through one broker; cheap to clone.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use tekton_sdk::{patterns::events::{Events, Heard, MemoryBroker}, time::SharedClock};
///
/// let events = Events::new(MemoryBroker::default(), SharedClock::default());
/// let mut numbers = events.subscribe::<u32>("numbers.*").await?;
/// events.publisher("numbers.even")?.send(&42).await?;
/// match numbers.next().await.unwrap()? {
///     Heard::Event(event) => assert_eq!(event.data()?, 42),
///     Heard::Gap(gap) => panic!("{gap:?}"),
///     # _ => unreachable!(),
/// }
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Events {
    broker: Arc<dyn Broker>,
    clock: SharedClock,
    observers: Observers,
    source: Option<Arc<str>>,
}

impl Events {
    /// Events through this broker.
    pub fn new(broker: impl Broker, clock: SharedClock) -> Self {
        Self::shared(Arc::new(broker), clock)
    }

    /// Events through a broker that others hold too.
    pub fn shared(broker: Arc<dyn Broker>, clock: SharedClock) -> Self {
        Self { broker, clock, observers: Observers::default(), source: None }
    }

    /// Names who publishes, unless a message does.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Tells these what happens.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    /// The broker.
    #[must_use]
    pub const fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// A publisher of this topic.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the token of the topic that is wrong.
    pub fn publisher(&self, topic: impl AsRef<str>) -> Result<Publisher> {
        Ok(Publisher { events: self.clone(), topic: Topic::parse(topic.as_ref())? })
    }

    /// Publishes a message, with this handle's name and the running operation's trace if it has none of its own.
    ///
    /// # Errors
    /// Those of [`Broker::publish`].
    ///
    /// # Cancel safety
    /// Dropped before its end, the message is published or not.
    pub async fn publish(&self, mut message: Message) -> Result<Receipt> {
        if message.source().is_none()
            && let Some(source) = &self.source
        {
            message = message.with_source(Arc::clone(source));
        }
        if message.trace().is_none()
            && let Some(trace) = Context::current().as_ref().and_then(Context::trace)
        {
            message = message.with_trace(trace.clone());
        }
        self.broker.publish(message).await
    }

    /// Publishes an event on the topic that its type is bound to, as [`publish`](Self::publish) does.
    ///
    /// # Errors
    /// Those of [`TypedEvent::to_message`] and [`Broker::publish`].
    ///
    /// # Cancel safety
    /// Dropped before its end, the event is published or not.
    pub async fn tell<E: TypedEvent + Sync>(&self, event: &E) -> Result<Receipt> {
        self.publish(event.to_message()?).await
    }

    /// A subscription to the topics that this type is bound to. Await it, and read what it hears with [`told`](super::Delivery::told).
    pub fn hear<E: TypedEvent>(&self) -> Subscribe<E> {
        self.subscribe_all(E::TOPICS)
    }

    /// A subscription to these topics, `*` standing for one token and a last `>` for one or more. Await it.
    pub fn subscribe<T>(&self, filter: impl AsRef<str>) -> Subscribe<T> {
        self.subscribe_all(&[filter.as_ref()])
    }

    pub(crate) fn subscribe_all<T>(&self, filters: &[&str]) -> Subscribe<T> {
        Subscribe {
            events: self.clone(),
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            interest: Interest::new(Vec::new()),
            dead_letters: None,
            again_after: (Duration::from_millis(100), Duration::from_secs(30)),
            ids: 1024,
            data: PhantomData,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("broker", &self.broker).field("source", &self.source).finish_non_exhaustive()
    }
}

/// Publishes on one topic; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    events: Events,
    topic: Topic,
}

impl Publisher {
    /// Publishes this value.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec) if it is no JSON; those of [`Broker::publish`].
    ///
    /// # Cancel safety
    /// Dropped before its end, the event is published or not.
    pub async fn send<T: Serialize + Sync + ?Sized>(&self, data: &T) -> Result<Receipt> {
        self.events.publish(self.message(data)?).await
    }

    /// A message on its topic, to be given an id, a key or attributes, for [`Events::publish`].
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec) if the value is no JSON.
    pub fn message<T: Serialize + ?Sized>(&self, data: &T) -> Result<Message> {
        Message::json(self.topic.clone(), data)
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }
}

/// Where dead letters go, if not to the same broker, on which topic, and after how many deliveries.
struct Burial {
    broker: Option<Arc<dyn Broker>>,
    topic: String,
    after: u32,
}

/// A subscription that is being set up; await it. Without options it hears new events, 1024 of which wait, and the oldest are
/// dropped and told as a gap when there are more; nothing is acknowledged.
#[must_use = "a subscription begins when this is awaited"]
pub struct Subscribe<T> {
    events: Events,
    filters: Vec<String>,
    interest: Interest,
    dead_letters: Option<Burial>,
    again_after: (Duration, Duration),
    ids: usize,
    data: PhantomData<fn() -> T>,
}

impl<T> Subscribe<T> {
    /// Listens to these topics too. An event that several filters match comes once.
    pub fn and(mut self, filter: impl AsRef<str>) -> Self {
        self.filters.push(filter.as_ref().to_owned());
        self
    }

    /// Begins here. Default: with what is published from now on.
    pub const fn start(mut self, start: Start) -> Self {
        self.interest.start = start;
        self
    }

    /// What happens when its queue is full. Default: the oldest event is dropped.
    pub const fn when_full(mut self, policy: Backpressure) -> Self {
        self.interest.when_full = policy;
        self
    }

    /// How many events wait at most. Default: 1024.
    pub const fn capacity(mut self, events: usize) -> Self {
        self.interest.capacity = events;
        self
    }

    /// How many bytes wait at most. Default: 16 MiB.
    pub const fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.interest.capacity_bytes = bytes;
        self
    }

    /// Each event is to be acknowledged, within 30 s unless [`acks`](Self::acks) says otherwise, or comes again.
    pub fn acked(self) -> Self {
        let acks = self.interest.acks.unwrap_or_default();
        self.acks(acks)
    }

    /// Each event is to be acknowledged, like this.
    pub const fn acks(mut self, acks: AckConfig) -> Self {
        self.interest.acks = Some(acks);
        self
    }

    /// How long an event that was dropped or that a handler failed on waits before it comes again: so long the first time, twice
    /// as long each time after that, at most `most`. Default: 100 ms, 30 s.
    pub const fn again_after(mut self, first: Duration, most: Duration) -> Self {
        self.again_after = (first, most);
        self
    }

    /// Shares its events with the others of this group, each going to one of them. The first member says how the events wait and
    /// are acknowledged; the group ends with its last one.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.interest.group = Some(name.into());
        self
    }

    /// Hands an event over so many times at most, then publishes it on this topic of the same broker. It is let go only when that
    /// is confirmed; until then it comes again, and is not handed to the subscriber. Switches acknowledgements on.
    pub fn dead_letters(mut self, topic: impl AsRef<str>, after: u32) -> Self {
        self.dead_letters = Some(Burial { broker: None, topic: topic.as_ref().to_owned(), after });
        self.acked()
    }

    /// The same with another broker.
    pub fn dead_letters_to(mut self, broker: Arc<dyn Broker>, topic: impl AsRef<str>, after: u32) -> Self {
        self.dead_letters = Some(Burial { broker: Some(broker), topic: topic.as_ref().to_owned(), after });
        self.acked()
    }

    /// How many ids of publishers are remembered, to leave out events that come twice. Default: 1024; 0 leaves none out.
    pub const fn remember_ids(mut self, ids: usize) -> Self {
        self.ids = ids;
        self
    }

    async fn begin(mut self) -> Result<Subscription<T>> {
        let Events { broker, clock, observers, .. } = self.events;
        let filters = self.filters.iter().map(|filter| TopicFilter::parse(filter));
        self.interest.filters = filters.collect::<Result<_>>()?;
        let dead_letters = match self.dead_letters {
            None => None,
            Some(Burial { after: 0, .. }) => {
                return Err(Error::config("`dead_letters` needs at least 1 delivery before"));
            }
            Some(Burial { broker: other, topic, after }) => {
                let topic = Topic::parse(&topic)?;
                let letters = DeadLetters { broker: other.unwrap_or_else(|| Arc::clone(&broker)), topic, after };
                // A letter that comes back would be buried again and again.
                if Arc::ptr_eq(&letters.broker, &broker) && self.interest.matches(&letters.topic) {
                    let topic = &letters.topic;
                    return Err(Error::config(format!("the subscription hears its own dead letters on {topic}")));
                }
                Some(letters)
            }
        };
        let filters = self.interest.describe().into();
        let (acks, alone) = (self.interest.acks, self.interest.group.is_none());
        let feed = broker.subscribe(self.interest).await?;
        let acks = acks.zip(feed.settle()).map(|(config, settle)| {
            let bury_within = (config.wait / 2).min(Duration::from_secs(10));
            let rules = Rules { dead_letters, again_after: self.again_after, bury_within };
            Box::new(Acks::new(settle, clock, rules, alone))
        });
        Ok(Subscription::new(Made { feed, acks, observers, filters, ids: self.ids }))
    }
}

impl<T: 'static> IntoFuture for Subscribe<T> {
    type Output = Result<Subscription<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

impl<T> fmt::Debug for Subscribe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("filters", &self.filters)
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}
