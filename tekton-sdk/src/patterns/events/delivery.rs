//! One event in a subscriber's hands, and the guard that says what became of it.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::task::AtomicWaker;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Cursor, Gap, Message, Outcome, Published, Settle, Topic, TypedEvent};
use crate::error::Result;

/// What a subscription hears.
#[non_exhaustive]
#[derive(Debug)]
pub enum Heard<T> {
    /// An event.
    Event(Delivery<T>),
    /// Events that will not come, or may have been missed. What comes next lies after it.
    Gap(Gap),
}

impl<T> Heard<T> {
    /// The event, if it is one.
    #[must_use]
    pub fn event(self) -> Option<Delivery<T>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Gap(_) => None,
        }
    }

    /// The gap, if it is one.
    #[must_use]
    pub const fn gap(&self) -> Option<Gap> {
        match self {
            Self::Gap(gap) => Some(*gap),
            Self::Event(_) => None,
        }
    }

    /// The same, with its data as another type.
    #[cfg(feature = "host")]
    pub(crate) fn retyped<U>(self) -> Heard<U> {
        match self {
            Self::Event(event) => Heard::Event(event.retyped()),
            Self::Gap(gap) => Heard::Gap(gap),
        }
    }
}

/// One event, handed over. Its data is JSON text until [`data`](Self::data) is asked.
///
/// In a subscription with acknowledgements, [`ack`](Self::ack) lets the event go. Dropped without, it counts as not done and
/// comes again. In one without, `ack` and `nack` do nothing.
#[must_use = "dropped without `ack` it comes again, where the subscription has acknowledgements"]
pub struct Delivery<T> {
    published: Arc<Published>,
    number: u32,
    guard: Option<Guard>,
    data: PhantomData<fn() -> T>,
}

impl<T> Delivery<T> {
    pub(super) const fn new(published: Arc<Published>, number: u32, guard: Option<Guard>) -> Self {
        Self { published, number, guard, data: PhantomData }
    }

    /// The data as the subscription's type, read anew each time.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), naming the topic, if it is no such value.
    pub fn data(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        self.published.message.read()
    }

    /// What was told, by its topic and its data, read anew each time.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), naming the topic, if it is none of the type's or the data is not what the type says.
    pub fn told(&self) -> Result<T>
    where
        T: TypedEvent,
    {
        T::from_message(&self.published.message)
    }

    /// The data as another type, which may borrow from the event.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), naming the topic, if it is no such value.
    pub fn read<'a, U: Deserialize<'a>>(&'a self) -> Result<U> {
        self.published.message.read()
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        self.published.message.topic()
    }

    /// Everything that was published.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.published.message
    }

    /// Where it stands in the history.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.published.cursor
    }

    /// When the broker took it, by the broker's wall clock.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.published.time
    }

    /// Which delivery of this event it is; the first is 1. It is 1 too where nothing is acknowledged.
    #[must_use]
    pub const fn number(&self) -> u32 {
        if self.number == 0 { 1 } else { self.number }
    }

    /// It is done: the event does not come again.
    ///
    /// # Errors
    /// Those of the road to the broker; the event then comes again.
    ///
    /// # Cancel safety
    /// Dropped before its end, the event is let go or comes again.
    pub async fn ack(mut self) -> Result<()> {
        match self.guard.take() {
            Some(guard) => guard.settle(Outcome::Ack).await,
            None => Ok(()),
        }
    }

    /// It is not done: the event comes again after this time.
    ///
    /// # Errors
    /// Those of the road to the broker; the event comes again all the same.
    ///
    /// # Cancel safety
    /// Dropped before its end, the event comes again, perhaps at another time.
    pub async fn nack(mut self, delay: Duration) -> Result<()> {
        match self.guard.take() {
            Some(guard) => guard.settle(Outcome::Nack(delay)).await,
            None => Ok(()),
        }
    }

    /// It is under way, and has the whole time for it again.
    ///
    /// # Errors
    /// Those of the road to the broker.
    pub async fn progress(&self) -> Result<()> {
        match &self.guard {
            Some(guard) => guard.progress().await,
            None => Ok(()),
        }
    }

    /// The same, with its data as another type.
    #[cfg(feature = "host")]
    pub(crate) fn retyped<U>(self) -> Delivery<U> {
        let Self { published, number, guard, data: _ } = self;
        Delivery { published, number, guard, data: PhantomData }
    }

    pub(super) const fn take_guard(&mut self) -> Option<Guard> {
        self.guard.take()
    }
}

impl<T> fmt::Debug for Delivery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("cursor", &self.published.cursor)
            .field("message", &self.published.message)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Says what became of one delivery: by an outcome, or by being dropped.
pub(super) struct Guard(Arc<Ticket>);

/// How a delivery stands, for the subscription that gave it out.
pub(super) struct Ticket {
    pub(super) cursor: Cursor,
    pub(super) delivery: u32,
    standing: AtomicU8,
    signal: Arc<Signal>,
    settle: Arc<dyn Settle>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Held,
    /// Let go: it does not come again.
    Done,
    /// The broker knows that it is to come again.
    Refused,
    /// Dropped: the broker does not know yet.
    Dropped,
}

/// Wakes the subscription when a delivery of it was dropped.
#[derive(Debug, Default)]
pub(super) struct Signal {
    raised: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    /// Whether something changed since this was asked last; wakes this task when something does.
    pub(super) fn lower(&self, waker: &std::task::Waker) -> bool {
        self.waker.register(waker);
        self.raised.swap(false, Ordering::AcqRel)
    }

    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Ticket {
    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Held,
            1 => Standing::Done,
            2 => Standing::Refused,
            _ => Standing::Dropped,
        }
    }

    pub(super) fn stand(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }
}

impl Guard {
    /// A guard, and what the subscription keeps of it.
    pub(super) fn new(
        cursor: Cursor,
        delivery: u32,
        settle: Arc<dyn Settle>,
        signal: Arc<Signal>,
    ) -> (Self, Arc<Ticket>) {
        let standing = AtomicU8::new(Standing::Held as u8);
        let ticket = Arc::new(Ticket { cursor, delivery, standing, signal, settle });
        (Self(Arc::clone(&ticket)), ticket)
    }

    /// Tells the broker. If that fails or is given up, dropping the guard raises the flag.
    pub(super) async fn settle(self, outcome: Outcome) -> Result<()> {
        let ticket = &*self.0;
        ticket.settle.settle(ticket.cursor, ticket.delivery, outcome).await?;
        ticket.stand(if outcome == Outcome::Ack { Standing::Done } else { Standing::Refused });
        Ok(())
    }

    async fn progress(&self) -> Result<()> {
        let ticket = &*self.0;
        ticket.settle.settle(ticket.cursor, ticket.delivery, Outcome::Progress).await
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.standing() == Standing::Held {
            self.0.stand(Standing::Dropped);
        }
        self.0.signal.raise();
    }
}
