//! What a subscriber holds.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{
    Cursor, Delivery, Feed, FeedCounts, Gap, GapReason, Heard, Incoming, Published,
    acks::{Acks, Done},
    delivery::Guard,
    machine::{Ids, Order, Seen},
};
use crate::{
    error::{Error, Result},
    telemetry::{Event, Observers},
};

/// How many places are remembered, to tell an event that comes late from one that comes twice.
const PLACES: usize = 64;
/// After so many events in one go the others of the thread have their turn.
const STREAK: u8 = 128;

/// A stream of what is [`Heard`]: events, and gaps where some are missing. It ends after an error, after [`drain`](Self::drain),
/// and when the broker is drained.
///
/// An event comes once, unless it is handed over again for want of an acknowledgement: what comes twice by its place or by its
/// publisher's id is left out and counted. Dropping it ends the subscription.
#[must_use = "a subscription does nothing until it is polled"]
// What each event needs stands together.
#[repr(C)]
pub struct Subscription<T> {
    streak: u8,
    over: Over,
    feed: Box<dyn Feed>,
    acks: Option<Box<Acks>>,
    /// What comes after a gap that was told first.
    held: Option<(Arc<Published>, u32)>,
    /// How many events the feed counted as handed over.
    ordinal: u64,
    /// The last place that was heard.
    last: Option<Cursor>,
    order: Order,
    counts: Counts,
    observers: Observers,
    filters: Arc<str>,
    ids: Ids,
    data: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Not,
    /// The feed has ended, and dropped deliveries are being told of.
    Feed,
    All,
}

/// What happened in a subscription so far.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events handed to the subscriber, each time counted.
    pub delivered: u64,
    /// Of these, how many were handed over before.
    pub redelivered: u64,
    /// Events that came twice, and were left out.
    pub duplicates: u64,
    /// Events that came after one of a later place.
    pub late: u64,
    /// Gaps that were told.
    pub gaps: u64,
    /// Dead letters that were written; their events are let go.
    pub dead_lettered: u64,
    /// Attempts to write a dead letter that failed; their events come again.
    pub dead_letters_failed: u64,
    /// What happened in the queue.
    pub queue: FeedCounts,
}

/// What a subscription is made of.
pub(super) struct Made {
    pub(super) feed: Box<dyn Feed>,
    pub(super) acks: Option<Box<Acks>>,
    pub(super) observers: Observers,
    pub(super) filters: Arc<str>,
    pub(super) ids: usize,
}

impl<T> Subscription<T> {
    pub(super) fn new(made: Made) -> Self {
        Self {
            feed: made.feed,
            acks: made.acks,
            observers: made.observers,
            filters: made.filters,
            order: Order::new(PLACES),
            ids: Ids::new(made.ids),
            last: None,
            ordinal: 0,
            held: None,
            streak: 0,
            over: Over::Not,
            counts: Counts::default(),
            data: PhantomData,
        }
    }

    /// What is heard next; `None` after the end.
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) if it fell behind and is to fail then; those of the road to the broker.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Heard<T>>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Takes in nothing more. What waits is still heard, and what is open may be settled; then it ends.
    pub fn drain(&mut self) {
        self.feed.drain();
    }

    /// From where to go on, with [`Start::After`](super::Start::After), after everything that was heard. With acknowledgements, it is the place
    /// before the first event that is not acknowledged; where nothing was heard, the place after which it began. `None` if the broker does not
    /// know that; it says nothing for a member of a group.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        let heard = self.acks.as_ref().and_then(|acks| acks.open_after()).or(self.last);
        heard.or_else(|| self.feed.begins_after())
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { queue: self.feed.counts(), ..self.counts }
    }

    /// The topics it listens to, as one text.
    #[must_use]
    pub fn filters(&self) -> &str {
        &self.filters
    }

    pub(super) const fn observers(&self) -> &Observers {
        &self.observers
    }

    pub(super) const fn shared_filters(&self) -> &Arc<str> {
        &self.filters
    }

    /// How long after this delivery the next one comes.
    pub(super) fn again_after(&self, delivery: u32) -> std::time::Duration {
        self.acks.as_ref().map_or(std::time::Duration::ZERO, |acks| acks.rules().again_after(delivery))
    }

    /// Goes on with what the broker is to be told.
    fn run(&mut self, cx: &mut Context<'_>) {
        let Some(acks) = &mut self.acks else { return };
        while let Poll::Ready(done) = acks.poll(cx) {
            let outcome = match done {
                Done::Settled => continue,
                Done::Buried => {
                    self.counts.dead_lettered += 1;
                    "written"
                }
                Done::NotBuried => {
                    self.counts.dead_letters_failed += 1;
                    "failed"
                }
            };
            if self.observers.any() {
                self.observers.tell(&Event::DeadLettered { subscription: &self.filters, outcome });
            }
        }
    }

    /// What becomes of an event that came: `None` if it is not to be heard, else its guard where it is to be acknowledged.
    #[inline]
    fn hear(&mut self, published: &Published, delivery: u32) -> Option<Option<Guard>> {
        let cursor = published.cursor;
        if delivery < 2 && self.is_known(published, delivery) {
            self.counts.duplicates += 1;
            return None;
        }
        if self.last.is_none_or(|last| last.epoch() != cursor.epoch() || last.sequence() < cursor.sequence()) {
            self.last = Some(cursor);
        }
        let guard = match &mut self.acks {
            Some(acks) if delivery > 0 => {
                if acks.is_dead(delivery) {
                    acks.bury(published, delivery);
                    return None;
                }
                Some(acks.guard(cursor, delivery))
            }
            _ => None,
        };
        self.counts.delivered += 1;
        self.counts.redelivered += u64::from(delivery > 1);
        Some(guard)
    }

    /// Whether an event that comes for the first time was heard already.
    #[inline]
    fn is_known(&mut self, published: &Published, delivery: u32) -> bool {
        let cursor = published.cursor;
        match self.order.hear(cursor.epoch(), cursor.sequence()) {
            Seen::Next => {}
            Seen::Late => self.counts.late += 1,
            Seen::Before => return true,
        }
        if published.message.shared_id().is_none_or(|id| self.ids.is_new(id)) {
            return false;
        }
        if let Some(acks) = self.acks.as_mut().filter(|_| delivery > 0) {
            acks.let_go(cursor, delivery);
        }
        true
    }

    /// The gap that a number left out means. With acknowledgements it means none: the event comes again.
    #[inline]
    fn skipped(&mut self, ordinal: u64, cursor: Cursor) -> Option<Gap> {
        let skipped = ordinal.saturating_sub(self.ordinal + 1);
        self.ordinal = self.ordinal.max(ordinal);
        if skipped == 0 || self.acks.is_some() {
            return None;
        }
        let before = Cursor::new(cursor.epoch(), cursor.sequence().saturating_sub(1));
        let from = self.last.unwrap_or(Cursor::new(cursor.epoch(), 0));
        Some(Gap::new(from, before, GapReason::Skipped).with_lost(skipped))
    }

    /// What comes next from the feed, once gaps in front of it are told.
    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Came> {
        let incoming = match self.held.take() {
            Some((published, delivery)) => return Poll::Ready(Came::Event(published, delivery)),
            None => match ready!(self.feed.poll_next(cx)) {
                Some(Ok(incoming)) => incoming,
                Some(Err(error)) => return Poll::Ready(Came::Error(error)),
                None => return Poll::Ready(Came::End),
            },
        };
        Poll::Ready(match incoming {
            Incoming::Event { published, ordinal, delivery } => match self.skipped(ordinal, published.cursor) {
                None => Came::Event(published, delivery),
                Some(gap) => {
                    self.held = Some((published, delivery));
                    Came::Gap(Box::new(gap))
                }
            },
            Incoming::Gap(gap) => {
                self.last = Some(gap.to);
                Came::Gap(gap)
            }
        })
    }
}

/// What came from the feed.
enum Came {
    Event(Arc<Published>, u32),
    Gap(Box<Gap>),
    Error(Error),
    End,
}

impl<T> Stream for Subscription<T> {
    type Item = Result<Heard<T>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.acks.is_some() {
            this.run(cx);
        }
        loop {
            if this.over == Over::All {
                return Poll::Ready(None);
            }
            if this.over == Over::Feed {
                let told = this.acks.as_ref().is_none_or(|acks| acks.is_idle());
                if !told {
                    return Poll::Pending;
                }
                this.over = Over::All;
                continue;
            }
            this.streak += 1;
            if this.streak > STREAK {
                this.streak = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match this.poll_event(cx) {
                Poll::Ready(Came::Event(published, delivery)) => {
                    if let Some(guard) = this.hear(&published, delivery) {
                        return Poll::Ready(Some(Ok(Heard::Event(Delivery::new(published, delivery, guard)))));
                    }
                }
                Poll::Ready(Came::Gap(gap)) => {
                    this.counts.gaps += 1;
                    return Poll::Ready(Some(Ok(Heard::Gap(*gap))));
                }
                Poll::Ready(Came::Error(error)) => {
                    this.over = Over::Feed;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Came::End) => {
                    this.over = Over::Feed;
                    continue;
                }
                Poll::Pending => {
                    this.streak = 0;
                    return Poll::Pending;
                }
            }
            // A duplicate or a dead letter: both may have left something to be told.
            this.run(cx);
        }
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("filters", &self.filters)
            .field("last", &self.last)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
