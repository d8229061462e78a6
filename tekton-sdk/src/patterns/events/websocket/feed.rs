//! What a subscription to a host reads from, and where it says what became of its events.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;

use super::{Handle, queue::Queue};
use crate::{
    error::Result,
    patterns::events::{Cursor, Feed, FeedCounts, Incoming, Outcome, Settle},
};

pub(super) struct WebSocketFeed {
    handle: Arc<Handle>,
    queue: Arc<Queue>,
    /// The number of the subscription.
    number: u64,
    begins_after: Option<Cursor>,
    is_acked: bool,
    in_hand: VecDeque<Incoming>,
    ordinal: u64,
    ended: bool,
}

impl WebSocketFeed {
    pub(super) fn new(
        handle: Arc<Handle>,
        queue: Arc<Queue>,
        number: u64,
        begins_after: Option<Cursor>,
        is_acked: bool,
    ) -> Self {
        Self { handle, queue, number, begins_after, is_acked, in_hand: VecDeque::new(), ordinal: 0, ended: false }
    }

    /// The host has begun it, after this place.
    pub(super) const fn beginning(mut self, after: Option<Cursor>) -> Self {
        self.begins_after = after;
        self
    }
}

#[async_trait]
impl Feed for WebSocketFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        loop {
            match self.in_hand.pop_front() {
                Some(Incoming::Event { published, delivery, .. }) => {
                    // A connection loses nothing in its middle, and what is missing between two is a gap.
                    self.ordinal += 1;
                    return Poll::Ready(Some(Ok(Incoming::Event { published, ordinal: self.ordinal, delivery })));
                }
                Some(gap) => return Poll::Ready(Some(Ok(gap))),
                None if self.ended => return Poll::Ready(None),
                None => {}
            }
            match self.queue.take(&mut self.in_hand, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(()))) => {}
                Poll::Ready(end) => {
                    self.ended = true;
                    self.handle.shared.left.notify_waiters();
                    return Poll::Ready(end.and_then(Result::err).map(Err));
                }
            }
        }
    }

    fn begins_after(&self) -> Option<Cursor> {
        self.begins_after
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        let settle = WebSocketSettle { handle: Arc::clone(&self.handle), number: self.number };
        self.is_acked.then(|| Arc::new(settle) as Arc<dyn Settle>)
    }

    fn drain(&mut self) {
        self.handle.shared.with(|machine| machine.drain_one(self.number));
    }

    fn counts(&self) -> FeedCounts {
        self.queue.counts(self.in_hand.len())
    }
}

impl Drop for WebSocketFeed {
    fn drop(&mut self) {
        self.queue.leave();
        self.handle.shared.with(|machine| machine.unsubscribe(self.number));
        self.handle.shared.left.notify_waiters();
    }
}

impl fmt::Debug for WebSocketFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketFeed").field("number", &self.number).finish_non_exhaustive()
    }
}

struct WebSocketSettle {
    handle: Arc<Handle>,
    number: u64,
}

#[async_trait]
impl Settle for WebSocketSettle {
    async fn settle(&self, cursor: Cursor, delivery: u32, outcome: Outcome) -> Result<()> {
        let shared = &self.handle.shared;
        let begin = |machine: &mut super::shared::Calls, token| {
            Ok(((), machine.settle(self.number, cursor, delivery, outcome, token)))
        };
        let settled = shared.call("settle an event", begin).await;
        shared.left.notify_waiters();
        settled.map(|((), _)| ())
    }
}

impl fmt::Debug for WebSocketSettle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketSettle").field("number", &self.number).finish_non_exhaustive()
    }
}
