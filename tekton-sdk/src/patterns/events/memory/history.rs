//! The events that are kept for those who come later.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    super::{Published, machine::Item},
    channel::Queued,
};

/// The newest events, without a hole.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<Queued>,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
    max_age: Option<Duration>,
}

impl History {
    pub(super) fn new(max_events: usize, max_bytes: usize, max_age: Option<Duration>) -> Self {
        Self { events: VecDeque::new(), bytes: 0, max_events, max_bytes, max_age }
    }

    /// Keeps the next event, and lets go what is too much.
    pub(super) fn push(&mut self, event: &Queued) {
        if self.max_events == 0 {
            return;
        }
        self.bytes += event.bytes();
        self.events.push_back(Arc::clone(event));
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            self.let_go();
        }
        self.expire(event.time);
    }

    /// Lets go what is older than it may be at this time.
    pub(super) fn expire(&mut self, now: SystemTime) {
        let Some(oldest) = self.max_age.and_then(|age| now.checked_sub(age)) else { return };
        while self.events.front().is_some_and(|event| event.time < oldest) {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.bytes -= oldest.bytes();
        }
    }

    /// The sequence of the oldest event; `None` if there is none.
    pub(super) fn first(&self) -> Option<u64> {
        self.events.front().map(|event| event.cursor.sequence())
    }

    /// The sequence of the first event of this time or later.
    pub(super) fn first_at(&self, time: SystemTime) -> Option<u64> {
        let found = self.events.iter().find(|event| event.time >= time);
        found.map(|event| event.cursor.sequence())
    }

    /// The events from this sequence on.
    pub(super) fn from(&self, sequence: u64) -> impl Iterator<Item = &Queued> {
        let skip = self.first().map_or(0, |first| sequence.saturating_sub(first));
        self.events.range(usize::try_from(skip).unwrap_or(usize::MAX).min(self.events.len())..)
    }

    /// Every event, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Published>> {
        self.events.iter().cloned().collect()
    }
}
