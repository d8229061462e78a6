//! One subscription to the events of the hub.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio_util::sync::CancellationToken;

use crate::{
    error::Result,
    patterns::{
        events::{
            ConnectionReporter, ConnectionState, Cursor, Feed, FeedCounts, Gap, GapReason, Incoming, Interest, Message,
            Published, Settle, Topic,
        },
        streaming::{self, StreamEvent},
    },
    random::Random,
    time::{BoxFuture, SharedClock},
    wire::{hermes::HubEvent, rfc3339},
};

/// How many events that nobody wants are read before others of the thread have their turn.
const AT_ONCE: usize = 64;

/// The hub's events as a broker's.
pub(super) struct HermesFeed {
    events: streaming::Events,
    interest: Interest,
    clock: SharedClock,
    random: Random,
    reporter: Arc<ConnectionReporter>,
    over: BoxFuture<'static, ()>,
    /// The place of what came last.
    at: Cursor,
    ordinal: u64,
    ready: Option<Incoming>,
    ended: bool,
}

impl HermesFeed {
    /// A feed whose connection has begun with this event, which upstream sends to greet.
    pub(super) fn new(
        events: streaming::Events,
        first: &StreamEvent,
        interest: Interest,
        clock: SharedClock,
        random: Random,
        reporter: Arc<ConnectionReporter>,
        over: CancellationToken,
    ) -> Self {
        let mut feed = Self {
            events,
            interest,
            at: Cursor::new(random.next_u64(), 0),
            clock,
            random,
            reporter,
            over: Box::pin(over.cancelled_owned()),
            ordinal: 0,
            ready: None,
            ended: false,
        };
        if first.kind != HubEvent::ESTABLISHED {
            feed.ready = feed.taken(first);
        }
        feed
    }

    fn taken(&mut self, event: &StreamEvent) -> Option<Incoming> {
        let before = self.at;
        if event.kind == HubEvent::ESTABLISHED {
            // Nobody knows what happened since the connection before.
            self.at = Cursor::new(self.random.next_u64(), 0);
            self.reporter.tell(ConnectionState::Up);
            return Some(Incoming::gap(Gap::new(before, self.at, GapReason::Restarted)));
        }
        self.at = Cursor::new(before.epoch(), before.sequence() + 1);
        let message = match HubEvent::read(event.data.as_bytes()).and_then(|event| Ok((message(&event)?, event))) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(error = %error.report(), "an event of the hub cannot be read");
                return Some(Incoming::gap(Gap::new(before, self.at, GapReason::Skipped).with_lost(1)));
            }
        };
        let (message, HubEvent { timestamp, .. }) = message;
        if !self.interest.matches(message.topic()) {
            return None;
        }
        self.ordinal += 1;
        let time = timestamp.and_then(|time| rfc3339::parse(&time)).unwrap_or_else(|| self.clock.wall());
        Some(Incoming::event(Arc::new(Published::new(self.at, time, message)), self.ordinal))
    }

    fn end(&mut self) {
        self.ended = true;
        self.events.close();
    }
}

/// What the hub tells, as it is told on.
fn message(event: &HubEvent) -> Result<Message> {
    let topic = Topic::parse(&event.kind)?;
    let data = event.data.as_ref().map_or("null", |data| data.get());
    let mut message = Message::raw(topic, data.to_owned())?;
    if !event.id.is_empty() {
        message = message.with_id(event.id.as_str());
    }
    if let Some(source) = &event.source {
        message = message.with_source(source.as_str());
    }
    if let Some(task) = &event.task_id {
        message = message.with_key(task.as_str());
    }
    let attributes = [("taskid", &event.task_id), ("taskname", &event.task_name), ("agentid", &event.agent_id)];
    for (name, value) in attributes.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        message = message.with_attribute(name, value);
    }
    Ok(message)
}

impl Feed for HermesFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.over.as_mut().poll(cx).is_ready() {
            self.end();
            return Poll::Ready(None);
        }
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(ready)));
        }
        for _ in 0..AT_ONCE {
            let Poll::Ready(came) = Pin::new(&mut self.events).poll_next(cx) else { return Poll::Pending };
            match came.transpose() {
                Ok(Some(event)) => {
                    if let Some(taken) = self.taken(&event) {
                        return Poll::Ready(Some(Ok(taken)));
                    }
                }
                Ok(None) => {
                    self.end();
                    return Poll::Ready(None);
                }
                Err(error) => {
                    self.end();
                    self.reporter.tell(ConnectionState::down(1, None));
                    return Poll::Ready(Some(Err(error.with_target("hermes"))));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn begins_after(&self) -> Option<Cursor> {
        None
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        None
    }

    fn drain(&mut self) {
        self.end();
    }

    fn counts(&self) -> FeedCounts {
        FeedCounts::new(0, 0, 0)
    }
}

impl fmt::Debug for HermesFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HermesFeed")
            .field("interest", &self.interest.describe())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
