//! What waits for a subscriber on this side, and how much more the host may send.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::say;
use crate::{
    error::{Error, Result},
    patterns::events::{Backpressure, FeedCounts, Gap, GapReason, Incoming, Interest},
    transport::websocket::Out,
};

/// The most that is asked for ahead of the subscriber, whatever its capacity.
const MAX_WINDOW: usize = 1024;
/// The least that is asked for, in bytes.
const MIN_WINDOW_BYTES: usize = 64 << 10;
/// What a host may send beyond what was asked for when it shuts down: what it has read of its history already, and gaps.
const MORE: usize = 256;

/// The queue of one subscription. What waits in it was taken out of the host's: it is not dropped or replaced any more.
#[derive(Debug)]
pub(super) struct Queue {
    /// How many events and bytes may be on their way and wait here.
    window: (i64, i64),
    /// More than this no host sends that keeps to what was said.
    most: (usize, usize),
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Incoming>,
    bytes: usize,
    waker: Option<Waker>,
    /// `Some` once nothing more comes.
    end: Option<Option<Error>>,
    /// It was given out to its end, or nobody listens any more.
    over: bool,
    /// The connection, and the number of the subscription on it.
    road: Option<(Arc<Out>, u64)>,
    /// What the host may still send.
    allowed: (i64, i64),
    dropped: u64,
    replaced: u64,
}

impl Queue {
    pub(super) fn new(interest: &Interest) -> Self {
        let alone = interest.acks.is_none() && interest.group.is_none();
        let events = match interest.when_full {
            // What is here cannot be replaced any more; what is to be acknowledged has its time from the moment it was sent; and
            // what one member of a group has another cannot do.
            Backpressure::KeepLatest => 1,
            _ if alone => (interest.capacity / 8).clamp(1, MAX_WINDOW),
            _ => 1,
        };
        let bytes = (interest.capacity_bytes / 8).clamp(MIN_WINDOW_BYTES, 1 << 30);
        let most = (interest.capacity.saturating_add(events + MORE), interest.capacity_bytes.saturating_add(2 * bytes));
        Self { window: (signed(events), signed(bytes)), most, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host has begun the subscription, and sends nothing until it is asked to. Where open events come again first (`resumes`)
    /// it is asked at once: a subscriber that acknowledges one of them before it reads on waits for that event.
    pub(super) fn begun(&self, out: &Arc<Out>, far: u64, resumes: bool) {
        let waker = {
            let mut inner = self.lock();
            inner.road = Some((Arc::clone(out), far));
            inner.allowed = (0, 0);
            if resumes {
                self.ask(&mut inner, (0, 0));
            }
            inner.waker.take()
        };
        // Who waits asks for more.
        wake(waker);
    }

    /// The connection is no more.
    pub(super) fn paused(&self) {
        self.lock().road = None;
    }

    /// Takes in what came in a message of this size; nothing if it was dropped. Gives false if it is more than was asked for.
    pub(super) fn push(&self, incoming: Option<Incoming>, bytes: usize, replaced: u64) -> bool {
        let waker = {
            let mut inner = self.lock();
            inner.allowed.0 -= 1;
            inner.allowed.1 -= signed(bytes);
            inner.replaced = inner.replaced.saturating_add(replaced);
            if inner.end.is_some() {
                return true;
            }
            match incoming {
                None => {
                    // Nobody reads it: another one may come in its place.
                    self.ask(&mut inner, (0, 0));
                    return true;
                }
                Some(incoming) => {
                    inner.bytes += bytes;
                    inner.items.push_back(incoming);
                    let (events, bytes) = self.most;
                    if inner.items.len() > events || (inner.bytes > bytes && inner.items.len() > 1) {
                        return false;
                    }
                }
            }
            inner.waker.take()
        };
        wake(waker);
        true
    }

    /// Takes in a gap, which the host may have said or not. Gives false if it is more than was asked for.
    pub(super) fn gap(&self, gap: Gap, bytes: usize) -> bool {
        if gap.reason == GapReason::Overflow {
            let mut inner = self.lock();
            inner.dropped = inner.dropped.saturating_add(gap.lost.unwrap_or_default());
        }
        if bytes == 0 {
            // It was not paid for.
            self.lock().allowed.0 += 1;
        }
        self.push(Some(Incoming::gap(gap)), bytes, 0)
    }

    /// Nothing more comes.
    pub(super) fn end(&self, error: Option<Error>) {
        let waker = {
            let mut inner = self.lock();
            inner.road = None;
            if inner.end.is_none() {
                inner.end = Some(error);
            }
            inner.waker.take()
        };
        wake(waker);
    }

    /// Nothing more is given out.
    pub(super) fn close(&self) -> usize {
        let left = {
            let mut inner = self.lock();
            inner.bytes = 0;
            std::mem::take(&mut inner.items).len()
        };
        self.end(None);
        left
    }

    /// Nobody listens any more.
    pub(super) fn leave(&self) {
        let mut inner = self.lock();
        inner.over = true;
        inner.road = None;
        inner.items.clear();
    }

    /// Whether all that came was given out, and nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Takes out all that waits, once what was taken out before was given out, and asks the host for more. `None` is the end.
    pub(super) fn take(&self, in_hand: &mut VecDeque<Incoming>, cx: &Context<'_>) -> Poll<Option<Result<()>>> {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.items, in_hand);
        let taken = (signed(in_hand.len()), signed(std::mem::take(&mut inner.bytes)));
        self.ask(&mut inner, taken);
        if !in_hand.is_empty() {
            return Poll::Ready(Some(Ok(())));
        }
        match inner.end.as_mut() {
            Some(error) => {
                let error = error.take();
                inner.over = true;
                Poll::Ready(error.map(Err))
            }
            None => {
                match &mut inner.waker {
                    Some(known) => known.clone_from(cx.waker()),
                    place => *place = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Lets the host send more, if it may send little.
    fn ask(&self, inner: &mut Inner, taken: (i64, i64)) {
        let Inner { road: Some((out, far)), allowed, .. } = inner else { return };
        let more = |window: i64, allowed: i64, taken: i64| u32::try_from(window - allowed - taken).unwrap_or_default();
        let events = more(self.window.0, allowed.0, taken.0);
        let bytes = more(self.window.1, allowed.1, taken.1);
        let few = events > 0 && allowed.0 * 2 <= self.window.0;
        let small = bytes > 0 && allowed.1 * 2 <= self.window.1;
        if few || small {
            allowed.0 += i64::from(events);
            allowed.1 += i64::from(bytes);
            out.push(say::credit(*far, events, bytes), None);
        }
    }

    pub(super) fn counts(&self, in_hand: usize) -> FeedCounts {
        let inner = self.lock();
        FeedCounts::new(in_hand + inner.items.len(), inner.dropped, inner.replaced)
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
