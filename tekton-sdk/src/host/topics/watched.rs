//! A subscription as its caller may see it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use futures_util::stream::{FuturesUnordered, Stream};

use super::Topics;
use crate::{
    context::Identity,
    error::Result,
    patterns::events::{Cursor, Feed, Gap, GapReason, Incoming, Outcome, Published, Settle},
    time::BoxFuture,
};

/// After so many events that its caller may not see, the others of the thread have their turn.
const HIDDEN_AT_ONCE: usize = 64;

/// What kind of subscription it is.
pub(super) struct Kind {
    pub(super) is_acked: bool,
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "it is told over WebSockets alone"))]
    pub(super) keeps_latest: bool,
}

/// A feed of the broker, without what its caller may not see.
pub(in crate::host) struct Watched {
    topics: Arc<Topics>,
    feed: Box<dyn Feed>,
    settle: Option<Arc<dyn Settle>>,
    who: Option<Identity>,
    is_acked: bool,
    #[cfg(feature = "websocket")]
    keeps_latest: bool,
    #[cfg(feature = "websocket")]
    replaced: u64,
    ordinal: u64,
    last: Option<Cursor>,
    /// What comes after a gap that was told first.
    ready: VecDeque<Incoming>,
    /// What is let go because its caller may not see it.
    hidden: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Watched {
    pub(super) fn new(topics: Arc<Topics>, feed: Box<dyn Feed>, who: Option<Identity>, wanted: Kind) -> Self {
        topics.open.fetch_add(1, Ordering::Relaxed);
        Self {
            settle: feed.settle(),
            last: feed.begins_after(),
            topics,
            feed,
            who,
            is_acked: wanted.is_acked,
            #[cfg(feature = "websocket")]
            keeps_latest: wanted.keeps_latest,
            #[cfg(feature = "websocket")]
            replaced: 0,
            ordinal: 0,
            ready: VecDeque::new(),
            hidden: FuturesUnordered::new(),
        }
    }

    pub(in crate::host) fn begins_after(&self) -> Option<Cursor> {
        self.feed.begins_after()
    }

    /// Who is told what became of its events.
    #[cfg(feature = "websocket")]
    pub(in crate::host) fn settle(&self) -> Option<Arc<dyn Settle>> {
        self.settle.clone()
    }

    /// Whether its events are to be acknowledged.
    #[cfg(feature = "websocket")]
    pub(in crate::host) const fn is_acked(&self) -> bool {
        self.is_acked
    }

    /// How many events made room for a newer one of their key since this was asked last.
    #[cfg(feature = "websocket")]
    pub(in crate::host) fn replaced(&mut self) -> u64 {
        if !self.keeps_latest {
            return 0;
        }
        let replaced = self.feed.counts().replaced;
        replaced.saturating_sub(std::mem::replace(&mut self.replaced, replaced))
    }

    pub(in crate::host) fn drain(&mut self) {
        self.feed.drain();
    }

    /// What comes next; `None` after the end.
    pub(in crate::host) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        if let Some(ready) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(ready)));
        }
        for _ in 0..HIDDEN_AT_ONCE {
            let came = match self.feed.poll_next(cx) {
                Poll::Ready(came) => came,
                // What was let go may make room for the next one.
                Poll::Pending if self.poll_hidden(cx) => continue,
                Poll::Pending => return Poll::Pending,
            };
            match came {
                Some(Ok(Incoming::Event { published, ordinal, delivery })) => {
                    let gap = self.skipped(ordinal, published.cursor);
                    let is_shown = self.is_shown(&published);
                    if !is_shown {
                        self.let_go(&published, delivery);
                    }
                    let event = is_shown.then_some(Incoming::Event { published, ordinal, delivery });
                    match (gap, event) {
                        (Some(gap), event) => {
                            self.ready.extend(event);
                            return Poll::Ready(Some(Ok(Incoming::gap(gap))));
                        }
                        (None, Some(event)) => return Poll::Ready(Some(Ok(event))),
                        (None, None) => {}
                    }
                }
                Some(Ok(Incoming::Gap(gap))) => {
                    self.last = Some(gap.to);
                    return Poll::Ready(Some(Ok(Incoming::gap(self.seen(*gap)))));
                }
                other => return Poll::Ready(other),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on with what is let go; whether any of it is done.
    fn poll_hidden(&mut self, cx: &mut Context<'_>) -> bool {
        let mut done = false;
        while let Poll::Ready(Some(())) = Pin::new(&mut self.hidden).poll_next(cx) {
            done = true;
        }
        done
    }

    fn is_shown(&self, published: &Published) -> bool {
        let topic = published.message.topic();
        self.topics.guard.as_ref().is_none_or(|guard| guard.may_hear(self.who.as_ref(), topic))
    }

    /// How many events were lost may count some that its caller may not see.
    fn seen(&self, mut gap: Gap) -> Gap {
        if self.topics.guard.is_some() {
            gap.lost = None;
        }
        gap
    }

    /// The gap that a number left out means. With acknowledgements it means none: the event comes again.
    fn skipped(&mut self, ordinal: u64, cursor: Cursor) -> Option<Gap> {
        let skipped = ordinal.saturating_sub(self.ordinal + 1);
        self.ordinal = self.ordinal.max(ordinal);
        let from = self.last.replace(cursor).unwrap_or(Cursor::new(cursor.epoch(), 0));
        if skipped == 0 || self.is_acked {
            return None;
        }
        let before = Cursor::new(cursor.epoch(), cursor.sequence().saturating_sub(1));
        Some(self.seen(Gap::new(from, before, GapReason::Skipped).with_lost(skipped)))
    }

    fn let_go(&self, published: &Published, delivery: u32) {
        if let Some(settle) = self.settle.clone().filter(|_| delivery > 0) {
            let cursor = published.cursor;
            self.hidden.push(Box::pin(async move {
                // If that fails, it comes again and is hidden again.
                let _ = settle.settle(cursor, delivery, Outcome::Ack).await;
            }));
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.topics.open.fetch_sub(1, Ordering::Relaxed);
        self.topics.dropped.fetch_add(self.feed.counts().dropped, Ordering::Relaxed);
    }
}
