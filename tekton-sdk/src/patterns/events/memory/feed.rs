//! What a subscription reads from.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use async_trait::async_trait;

use super::{
    super::{
        Backpressure, Cursor, Feed, FeedCounts, Gap, GapReason, Incoming, Outcome, Settle,
        machine::{Lost, Popped},
    },
    Shared,
    channel::{Channel, Queued},
};
use crate::{
    error::{Error, ErrorKind, Result},
    time::BoxFuture,
};

/// How many events are taken out of the queue at once at most. They are in the subscriber's hands and no longer wait.
const BATCH: u8 = 32;

/// What each event needs stands together.
#[repr(C)]
pub(super) struct MemoryFeed {
    channel: Arc<Channel>,
    in_hand: VecDeque<Popped<Queued>>,
    ordinal: u64,
    batch: u8,
    /// Whether it holds publishers back.
    blocks: bool,
    draining: bool,
    /// Whether the broker drains, and waits to hear what was given out.
    watched: bool,
    ended: bool,
    shared: Arc<Shared>,
    member: u64,
    begins_after: Option<Cursor>,
    timer: Option<(Instant, BoxFuture<'static, ()>)>,
}

/// What a look into the queue found.
enum Found {
    Event(Queued, u32),
    Popped(Popped<Queued>),
    Gap(Box<Gap>),
    /// The history is to be read first.
    Replay,
    Nothing(Option<Instant>),
    End,
}

impl MemoryFeed {
    pub(super) fn new(shared: Arc<Shared>, channel: Arc<Channel>, member: u64, begins_after: Option<Cursor>) -> Self {
        let interest = &channel.interest;
        let alone = interest.acks.is_none() && interest.group.is_none();
        let batch = match interest.when_full {
            // What is in hand cannot be replaced any more.
            Backpressure::KeepLatest => 1,
            _ if alone => u8::try_from(interest.capacity / 8).unwrap_or(BATCH).clamp(1, BATCH),
            _ => 1,
        };
        Self {
            blocks: channel.blocks(),
            channel,
            in_hand: VecDeque::new(),
            ordinal: 0,
            batch,
            draining: false,
            watched: false,
            ended: false,
            shared,
            member,
            begins_after,
            timer: None,
        }
    }

    /// Looks into the queue; where nothing is found, the waker is left.
    #[inline]
    fn look(&mut self, cx: &Context<'_>) -> Found {
        let Self { shared, channel, member, batch, in_hand, .. } = self;
        let mut inner = channel.lock();
        // Of a group, the others go on with what waits.
        if inner.closed || (self.draining && inner.members.len() > 1) {
            return Found::End;
        }
        self.watched = inner.draining;
        if let Some(gap) = inner.take_gap() {
            return Found::Gap(Box::new(gap));
        }
        let (mut due, mut handed_over) = (None, None);
        if let (Some(unsettled), Some(acks)) = (&mut inner.unsettled, channel.interest.acks) {
            let now = shared.clock.now();
            if let Some((event, delivery)) = unsettled.take_due(now, *member) {
                return Found::Event(event, delivery);
            }
            due = unsettled.next_due();
            handed_over = Some(now);
            if unsettled.len() >= acks.max_unsettled {
                inner.wait(*member, cx.waker());
                return Found::Nothing(due);
            }
        }
        if let Some(first) = inner.take(usize::from(*batch), in_hand) {
            return match (&mut inner.unsettled, handed_over, first) {
                (Some(unsettled), Some(now), Popped::Item(event)) => {
                    let sequence = event.cursor.sequence();
                    unsettled.hand_over(now, *member, sequence, Arc::clone(&event));
                    Found::Event(event, 1)
                }
                (_, _, first) => Found::Popped(first),
            };
        }
        if inner.replay().is_some() {
            return Found::Replay;
        }
        if (inner.draining || self.draining) && inner.is_done() {
            return Found::End;
        }
        inner.wait(*member, cx.waker());
        Found::Nothing(due)
    }

    #[inline]
    fn give(&mut self, published: Queued, delivery: u32) -> Incoming {
        self.ordinal += 1;
        Incoming::Event { published, ordinal: self.ordinal, delivery }
    }

    /// Gives what was taken out of the queue.
    #[inline]
    fn popped(&mut self, popped: Popped<Queued>) -> Option<Result<Incoming>> {
        match popped {
            Popped::Item(event) => Some(Ok(self.give(event, 0))),
            Popped::Lost(lost) => Some(Ok(self.lost(*lost))),
            Popped::Overflowed => Some(Err(self.overflowed())),
        }
    }

    #[cold]
    fn lost(&self, lost: Lost) -> Incoming {
        let at = |sequence| Cursor::new(self.shared.epoch, sequence);
        Incoming::gap(Gap::new(at(lost.from), at(lost.to), GapReason::Overflow).with_lost(lost.count))
    }

    #[cold]
    fn overflowed(&mut self) -> Error {
        self.ended = true;
        let (filters, capacity) = (self.channel.interest.describe(), self.channel.interest.capacity);
        let what =
            format!("the subscription to {filters} fell behind more than {capacity} events: go on after its cursor");
        Error::new(ErrorKind::Rejected, what)
    }

    /// Wakes the task when the next event is due; gives whether one is due already.
    fn is_due(&mut self, due: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let Some(due) = due else {
            self.timer = None;
            return false;
        };
        if self.timer.as_ref().is_none_or(|(at, _)| *at != due) {
            let left = due.saturating_duration_since(self.shared.clock.now());
            self.timer = Some((due, self.shared.clock.sleep(left)));
        }
        let is_due = self.timer.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if is_due {
            self.timer = None;
        }
        is_due
    }
}

#[async_trait]
impl Feed for MemoryFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        if let Some(popped) = self.in_hand.pop_front() {
            return Poll::Ready(self.popped(popped));
        }
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let found = self.look(cx);
            if self.watched {
                self.shared.left.notify_waiters();
            }
            if self.blocks && matches!(found, Found::Event(..) | Found::Popped(_)) {
                self.channel.room.notify_waiters();
            }
            match found {
                Found::Event(event, delivery) => return Poll::Ready(Some(Ok(self.give(event, delivery)))),
                Found::Popped(popped) => return Poll::Ready(self.popped(popped)),
                Found::Gap(gap) => return Poll::Ready(Some(Ok(Incoming::Gap(gap)))),
                Found::Replay => drop(self.shared.refill(&self.channel)),
                Found::Nothing(due) => {
                    if !self.is_due(due, cx) {
                        return Poll::Pending;
                    }
                }
                Found::End => self.ended = true,
            }
        }
    }

    fn begins_after(&self) -> Option<Cursor> {
        self.begins_after
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        self.channel.interest.acks?;
        Some(Arc::new(MemorySettle { shared: Arc::clone(&self.shared), channel: Arc::clone(&self.channel) }))
    }

    fn drain(&mut self) {
        self.draining = true;
        self.shared.hush(&self.channel, self.member);
    }

    fn counts(&self) -> FeedCounts {
        self.channel.counts()
    }
}

impl Drop for MemoryFeed {
    fn drop(&mut self) {
        self.shared.leave(&self.channel, self.member);
    }
}

impl fmt::Debug for MemoryFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFeed").field("filters", &self.channel.interest.describe()).finish_non_exhaustive()
    }
}

struct MemorySettle {
    shared: Arc<Shared>,
    channel: Arc<Channel>,
}

#[async_trait]
impl Settle for MemorySettle {
    async fn settle(&self, cursor: Cursor, delivery: u32, outcome: Outcome) -> Result<()> {
        let mut wakers = Vec::new();
        let watched = {
            let mut inner = self.channel.lock();
            let now = self.shared.clock.now();
            let changed = inner
                .unsettled
                .as_mut()
                .is_some_and(|unsettled| unsettled.settle(now, cursor.sequence(), delivery, outcome));
            if changed {
                inner.wake(&mut wakers);
            }
            inner.draining
        };
        wakers.into_iter().for_each(std::task::Waker::wake);
        if watched {
            self.shared.left.notify_waiters();
        }
        Ok(())
    }
}

impl fmt::Debug for MemorySettle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySettle").field("filters", &self.channel.interest.describe()).finish_non_exhaustive()
    }
}
