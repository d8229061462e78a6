//! Seam: who takes events and hands them on.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;

use super::{Backpressure, Connection, Cursor, Gap, Message, Published, Start, TopicFilter};
use crate::error::{Error, ErrorKind, Result};

/// Takes events and hands them to those who asked for their topics. Clones, where there are any, share everything.
///
/// Events go to a subscription in the order of their cursors; what is handed over again may come later than what followed it.
/// [`broker_conformance!`](crate::broker_conformance) holds a broker to what it declares.
#[async_trait]
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// **When:** something is to be told. **Given** a message. It is in the broker's hands when this returns `Ok`, and every
    /// subscription that matches will be handed it.
    ///
    /// **Errors:** [`Invalid`](ErrorKind::Invalid) for a message that is too large; [`Rejected`](ErrorKind::Rejected) if a
    /// subscription that holds publishers back had no room in time; [`Closed`](ErrorKind::Closed) after a drain; those of the
    /// road. An error whose [`Error::sent`] is not `No` may come of an event that was taken.
    ///
    /// **Must not** take a part of it: either all subscriptions are handed the event or none. Dropped before its end, it has
    /// published the event or not.
    async fn publish(&self, message: Message) -> Result<Receipt>;

    /// **When:** somebody wants to hear. **Given** what and how. Events published after it returns are heard.
    ///
    /// **Errors:** [`Rejected`](ErrorKind::Rejected) for what is not declared, and at a cap; [`Closed`](ErrorKind::Closed)
    /// after a drain; those of the road.
    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>>;

    /// **When:** the process is about to end. Refuses what comes from then on, and waits until what was taken is handed over and
    /// settled, at most so long. Every subscription ends then.
    ///
    /// **Errors:** [`Timeout`](ErrorKind::Timeout), naming how many events are left. The broker is closed all the same.
    async fn drain(&self, within: Duration) -> Result<()>;

    /// How the road to the broker stands.
    fn connection(&self) -> Connection;

    /// What it can do. It does not change.
    fn capabilities(&self) -> BrokerCapabilities;
}

/// What one subscription reads from. Dropping it ends the subscription; what it held un-settled goes to another of its group.
#[async_trait]
pub trait Feed: fmt::Debug + Send {
    /// **When:** the subscription is polled. Gives what comes next; `None` after the end, for ever. After an error comes `None`.
    ///
    /// **Must not** wake by itself what was not polled: timers run while somebody polls.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>>;

    /// The place after which it began, where the broker knows that and nothing is missing there: whoever loses the feed before it
    /// heard anything goes on with [`Start::After`] it.
    fn begins_after(&self) -> Option<Cursor>;

    /// Who is told what became of the events; `None` for a subscription without acknowledgements.
    fn settle(&self) -> Option<Arc<dyn Settle>>;

    /// Takes in nothing more. What waits is still given out, then it ends.
    fn drain(&mut self);

    /// What happened in the queue so far.
    fn counts(&self) -> FeedCounts;
}

/// Is told what became of events that were handed over to be acknowledged.
#[async_trait]
pub trait Settle: fmt::Debug + Send + Sync + 'static {
    /// **Given** the place of the event, which delivery of it, and the outcome. An acknowledgement counts whichever delivery it is
    /// of; the others only while that delivery is the newest. What is settled already stays so.
    ///
    /// **Errors:** those of the road; the event then comes again.
    async fn settle(&self, cursor: Cursor, delivery: u32, outcome: Outcome) -> Result<()>;
}

/// What became of an event.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done: let it go.
    Ack,
    /// It is not: hand it over again, after this time.
    Nack(Duration),
    /// It is under way: give it the whole time again.
    Progress,
}

/// What a [`Feed`] gives.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Incoming {
    /// An event.
    #[non_exhaustive]
    Event {
        /// What was published.
        published: Arc<Published>,
        /// The number of this handing over in the feed: 1, 2, …; a number left out is an event lost on the road.
        ordinal: u64,
        /// Which delivery of this event it is, the first is 1; 0 where nothing is acknowledged.
        delivery: u32,
    },
    /// Events that will not come. In a box, because it is rare and events are small.
    Gap(Box<Gap>),
}

impl Incoming {
    /// Events that will not come.
    #[must_use]
    pub fn gap(gap: Gap) -> Self {
        Self::Gap(Box::new(gap))
    }

    /// An event that need not be acknowledged.
    #[must_use]
    pub const fn event(published: Arc<Published>, ordinal: u64) -> Self {
        Self::Event { published, ordinal, delivery: 0 }
    }

    /// The `delivery`th handing over of an event that is to be acknowledged.
    #[must_use]
    pub const fn delivery(published: Arc<Published>, ordinal: u64, delivery: u32) -> Self {
        Self::Event { published, ordinal, delivery }
    }
}

/// What a publisher is told.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's place; `None` where the broker does not confirm it.
    pub cursor: Option<Cursor>,
}

impl Receipt {
    /// The event stands at this place.
    #[must_use]
    pub const fn at(cursor: Cursor) -> Self {
        Self { cursor: Some(cursor) }
    }

    /// The event was handed to the road.
    #[must_use]
    pub const fn unconfirmed() -> Self {
        Self { cursor: None }
    }
}

/// What a subscription wants to hear, and how.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The topics; an event that more than one of them matches comes once.
    pub filters: Vec<TopicFilter>,
    /// Where it begins.
    pub start: Start,
    /// What happens when its queue is full.
    pub when_full: Backpressure,
    /// How many events wait for it at most.
    pub capacity: usize,
    /// How many bytes wait for it at most; one event has its place in an empty queue whatever its size.
    pub capacity_bytes: usize,
    /// How events are acknowledged; `None` if they are let go when they are handed over.
    pub acks: Option<AckConfig>,
    /// The group whose members share the events, each going to one of them. Its first member says how; it ends with its last.
    pub group: Option<String>,
}

impl Interest {
    /// How many filters one subscription has at most.
    pub const MAX_FILTERS: usize = 64;

    /// New events of these topics: 1024 wait, and 16 MiB, then the oldest are dropped; nothing is acknowledged.
    #[must_use]
    pub const fn new(filters: Vec<TopicFilter>) -> Self {
        Self {
            filters,
            start: Start::New,
            when_full: Backpressure::DropOldest,
            capacity: 1024,
            capacity_bytes: 16 << 20,
            acks: None,
            group: None,
        }
    }

    /// Whether an event of this topic is wanted.
    #[must_use]
    pub fn matches(&self, topic: &super::Topic) -> bool {
        self.filters.iter().any(|filter| filter.matches(topic))
    }

    /// The filters as one text, for what is told.
    #[must_use]
    pub fn describe(&self) -> String {
        let filters: Vec<_> = self.filters.iter().map(TopicFilter::as_str).collect();
        filters.join(" ")
    }

    /// Refuses what makes no sense, and what these capabilities do not have.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), naming the setting; [`Rejected`](ErrorKind::Rejected), naming the capability.
    pub fn check(&self, can: BrokerCapabilities) -> Result<()> {
        let wrong = |what: &'static str| Err(Error::config(what));
        match self {
            Self { filters, .. } if filters.is_empty() => return wrong("a subscription needs a topic"),
            Self { filters, .. } if filters.len() > Self::MAX_FILTERS => {
                return wrong("a subscription has at most 64 filters");
            }
            Self { capacity: 0, .. } => return wrong("`capacity` must be at least 1"),
            Self { capacity_bytes: 0, .. } => return wrong("`capacity_bytes` must be at least 1"),
            Self { acks: Some(acks), .. } => acks.check()?,
            _ => {}
        }
        let needs = [
            (!matches!(self.start, Start::New), can.history, "keep a history: subscribe with `Start::New`"),
            (self.acks.is_some(), can.acks, "have acknowledgements: subscribe without"),
            (self.group.is_some(), can.groups, "have groups: subscribe without"),
            (
                matches!(self.when_full, Backpressure::Block),
                can.holds_back,
                "hold publishers back: choose another `Backpressure`",
            ),
        ];
        for (needed, has, what) in needs {
            if needed && !has {
                return Err(Error::new(ErrorKind::Rejected, format!("this broker does not {what}")));
            }
        }
        Ok(())
    }
}

/// How events are acknowledged.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckConfig {
    /// How long an event may take; then it is handed over again. Default: 30 s.
    pub wait: Duration,
    /// How many events may be handed over and not settled; more are held back. Default: 256.
    pub max_unsettled: usize,
}

impl AckConfig {
    /// Sets how long an event may take.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets how many events may be unsettled.
    #[must_use]
    pub const fn with_max_unsettled(mut self, most: usize) -> Self {
        self.max_unsettled = most;
        self
    }

    fn check(self) -> Result<()> {
        match self {
            Self { max_unsettled: 0, .. } => Err(Error::config("`max_unsettled` must be at least 1")),
            Self { wait: Duration::ZERO, .. } => {
                Err(Error::config("the acknowledgement's `wait` must be longer than 0"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for AckConfig {
    fn default() -> Self {
        Self { wait: Duration::from_secs(30), max_unsettled: 256 }
    }
}

/// What a broker can do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerCapabilities {
    /// It keeps events for those who come later: every [`Start`] but `New`.
    pub history: bool,
    /// It hands over again what is not acknowledged.
    pub acks: bool,
    /// It has groups that share events.
    pub groups: bool,
    /// A full subscription can hold its publishers back: [`Backpressure::Block`].
    pub holds_back: bool,
    /// A receipt has the event's cursor.
    pub confirms: bool,
}

impl BrokerCapabilities {
    /// It can do nothing but hand on what is published to those who listen at that moment.
    #[must_use]
    pub const fn none() -> Self {
        Self { history: false, acks: false, groups: false, holds_back: false, confirms: false }
    }

    /// It can do everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { history: true, acks: true, groups: true, holds_back: true, confirms: true }
    }
}

/// What happened in a feed's queue.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// How many events wait.
    pub waiting: usize,
    /// How many were dropped because it was full.
    pub dropped: u64,
    /// How many made room for a newer one of their key.
    pub replaced: u64,
}

impl FeedCounts {
    /// These counts, for those who write a broker.
    #[must_use]
    pub const fn new(waiting: usize, dropped: u64, replaced: u64) -> Self {
        Self { waiting, dropped, replaced }
    }
}
