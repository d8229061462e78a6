//! One subscription's queue, or that of a group: what waits, what is under way, who listens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tokio::sync::Notify;

use super::super::{
    Backpressure, FeedCounts, Gap, Interest, Published,
    machine::{Buffer, Item, Popped, Pushed, Told, Unsettled},
};

/// An event and its size, which is not counted again for each subscription.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) published: Arc<Published>,
    pub(super) bytes: usize,
}

impl Item for Queued {
    fn sequence(&self) -> u64 {
        self.published.cursor.sequence()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn key(&self) -> &str {
        self.published.message.key()
    }
}

/// A queue and those who read from it. Locked after the broker's state, never before.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) interest: Interest,
    /// Tells publishers that are held back that there may be room.
    pub(super) room: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) buffer: Buffer<Queued>,
    /// Read from the history and not given out yet.
    pub(super) backlog: VecDeque<Queued>,
    /// Which event of the history comes next; `None` once events come as they are published.
    pub(super) replay: Option<u64>,
    /// What comes before everything.
    pub(super) gap: Option<Gap>,
    pub(super) unsettled: Option<Unsettled<Queued>>,
    pub(super) members: Vec<Member>,
    /// Whether one of them waits.
    waited_for: bool,
    /// Takes nothing more in.
    pub(super) draining: bool,
    /// Gives nothing more out.
    pub(super) closed: bool,
    pub(super) told: Told,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) waker: Option<Waker>,
}

/// Whom to wake, and whose loss to tell, once no lock is held.
#[derive(Debug, Default)]
pub(super) struct After {
    pub(super) wakers: Vec<Waker>,
    pub(super) losses: Vec<(Arc<Channel>, u64)>,
}

impl Channel {
    pub(super) fn new(id: u64, interest: Interest, after: u64, slow_window: Duration) -> Self {
        let buffer = Buffer::new(interest.when_full, interest.capacity, interest.capacity_bytes, after);
        let unsettled = interest.acks.map(|acks| Unsettled::new(acks.wait));
        let inner = Inner {
            buffer,
            backlog: VecDeque::new(),
            replay: None,
            gap: None,
            unsettled,
            members: Vec::new(),
            waited_for: false,
            draining: false,
            closed: false,
            told: Told::new(slow_window),
        };
        Self { id, interest, room: Notify::new(), inner: Mutex::new(inner) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn blocks(&self) -> bool {
        self.interest.when_full == Backpressure::Block
    }

    /// Takes the next event in.
    pub(super) fn push(self: &Arc<Self>, event: &Queued, after: &mut After) {
        let mut inner = self.lock();
        // More than one of its filters matched.
        if inner.buffer.pushed() >= event.sequence() {
            return;
        }
        if let Pushed::Dropped(lost @ 1..) = inner.buffer.push(event.clone()) {
            after.losses.push((Arc::clone(self), lost));
        }
        inner.wake(&mut after.wakers);
    }

    pub(super) fn counts(&self) -> FeedCounts {
        let inner = self.lock();
        let waiting = inner.buffer.waiting() + inner.backlog.len();
        FeedCounts::new(waiting, inner.buffer.dropped(), inner.buffer.replaced())
    }
}

impl Inner {
    /// Leaves the waker of a member that waits for something to happen.
    pub(super) fn wait(&mut self, member: u64, waker: &Waker) {
        if let Some(me) = self.members.iter_mut().find(|other| other.id == member) {
            match &mut me.waker {
                Some(known) => known.clone_from(waker),
                place => *place = Some(waker.clone()),
            }
            self.waited_for = true;
        }
    }

    /// Takes out what comes next, and so much of what follows into the hands of the only member.
    pub(super) fn take(&mut self, batch: usize, in_hand: &mut VecDeque<Popped<Queued>>) -> Option<Popped<Queued>> {
        let first = match self.backlog.pop_front() {
            Some(event) => {
                // The gap of a later overflow begins where the history ended.
                self.buffer.passed(event.published.cursor.sequence());
                return Some(Popped::Item(event));
            }
            None => self.buffer.pop()?,
        };
        for _ in 1..batch.min(self.buffer.waiting() + 1) {
            match self.buffer.pop() {
                Some(Popped::Overflowed) | None => break,
                Some(next) => in_hand.push_back(next),
            }
        }
        Some(first)
    }

    /// Collects those who wait for something to happen.
    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        if !std::mem::take(&mut self.waited_for) {
            return;
        }
        wakers.extend(self.members.iter_mut().filter_map(|member| member.waker.take()));
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_done(&self) -> bool {
        self.gap.is_none()
            && self.replay.is_none()
            && self.backlog.is_empty()
            && self.buffer.is_empty()
            && self.unsettled.as_ref().is_none_or(|unsettled| unsettled.len() == 0)
    }

    /// How many events are not done, for what is told of a drain that took too long.
    pub(super) fn left(&self) -> usize {
        let unsettled = self.unsettled.as_ref().map_or(0, Unsettled::len);
        self.buffer.waiting() + self.backlog.len() + unsettled
    }
}
