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

/// An event in a queue: one pointer, which is moved in a register.
pub(super) type Queued = Arc<Published>;

impl Item for Queued {
    #[inline]
    fn sequence(&self) -> u64 {
        self.cursor.sequence()
    }

    #[inline]
    fn bytes(&self) -> usize {
        self.message.size_bytes()
    }

    fn key(&self) -> &str {
        self.message.key()
    }
}

/// A queue and those who read from it. Locked after the broker's state, never before.
///
/// What an event needs of it stands together and first: one event of many subscribers touches it in each of their queues, and what
/// does not fit into the processor's caches costs more than all the rest.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Channel {
    inner: Mutex<Inner>,
    pub(super) id: u64,
    pub(super) interest: Interest,
    /// Tells publishers that are held back that there may be room.
    pub(super) room: Notify,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Inner {
    /// Whether one of the members waits.
    waited_for: bool,
    /// Takes nothing more in.
    pub(super) draining: bool,
    /// Gives nothing more out.
    pub(super) closed: bool,
    /// What comes before the rest; `None` once there is nothing of it.
    past: Option<Box<Past>>,
    pub(super) unsettled: Option<Box<Unsettled<Queued>>>,
    pub(super) buffer: Buffer<Queued>,
    pub(super) members: Vec<Member>,
    pub(super) told: Told,
}

/// What was published before a subscription, or is not there any more.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// What comes before everything.
    pub(super) gap: Option<Gap>,
    /// Read from the history and not given out yet.
    pub(super) backlog: VecDeque<Queued>,
    /// Which event of the history comes next; `None` once events come as they are published.
    pub(super) replay: Option<u64>,
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
        let unsettled = interest.acks.map(|acks| Box::new(Unsettled::new(acks.wait)));
        let inner = Inner {
            waited_for: false,
            draining: false,
            closed: false,
            past: None,
            unsettled,
            buffer,
            members: Vec::new(),
            told: Told::new(slow_window),
        };
        Self { inner: Mutex::new(inner), id, interest, room: Notify::new() }
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
        if let Pushed::Dropped(lost @ 1..) = inner.buffer.push(Arc::clone(event)) {
            after.losses.push((Arc::clone(self), lost));
        }
        inner.wake(&mut after.wakers);
    }

    pub(super) fn counts(&self) -> FeedCounts {
        let inner = self.lock();
        let waiting = inner.buffer.waiting() + inner.backlog();
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

    /// What came before, to be added to.
    pub(super) fn past(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    /// Which event of the history comes next.
    pub(super) fn replay(&self) -> Option<u64> {
        self.past.as_ref()?.replay
    }

    /// Reads no more of the history.
    pub(super) fn end_replay(&mut self) {
        if let Some(past) = &mut self.past {
            past.replay = None;
        }
        self.tidy();
    }

    /// What is to be told first.
    pub(super) fn take_gap(&mut self) -> Option<Gap> {
        let gap = self.past.as_mut()?.gap.take();
        self.tidy();
        gap
    }

    fn backlog(&self) -> usize {
        self.past.as_ref().map_or(0, |past| past.backlog.len())
    }

    fn tidy(&mut self) {
        let over = |past: &mut Box<Past>| past.gap.is_none() && past.replay.is_none() && past.backlog.is_empty();
        self.past.take_if(over);
    }

    /// Takes out what comes next, and so much of what follows into the hands of the only member.
    pub(super) fn take(&mut self, batch: usize, in_hand: &mut VecDeque<Popped<Queued>>) -> Option<Popped<Queued>> {
        if let Some(past) = &mut self.past
            && let Some(event) = past.backlog.pop_front()
        {
            // The gap of a later overflow begins where the history ended.
            self.buffer.passed(event.sequence());
            self.tidy();
            return Some(Popped::Item(event));
        }
        let first = self.buffer.pop()?;
        for _ in 0..(batch - 1).min(self.buffer.waiting()) {
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
        self.past.is_none()
            && self.buffer.is_empty()
            && self.unsettled.as_ref().is_none_or(|unsettled| unsettled.len() == 0)
    }

    /// How many events are not done, for what is told of a drain that took too long.
    pub(super) fn left(&self) -> usize {
        let unsettled = self.unsettled.as_ref().map_or(0, |unsettled| unsettled.len());
        self.buffer.waiting() + self.backlog() + unsettled
    }
}
