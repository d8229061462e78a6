//! The bounds of a broker in memory.

use std::time::Duration;

use crate::error::{Error, Result};

/// The bounds of a [`MemoryBroker`](super::MemoryBroker).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryBrokerConfig {
    /// How many events are kept for those who come later. Default: 10,000; 0 keeps none.
    pub history_events: usize,
    /// How many bytes they have at most. Default: 64 MiB.
    pub history_bytes: usize,
    /// How long they are kept, by the wall clock. Default: 1 hour; `None` is for ever.
    pub history_age: Option<Duration>,
    /// How large an event may be, with its texts. Default: 1 MiB.
    pub max_event_bytes: usize,
    /// How many subscriptions there are at most; the members of a group count one. Default: 16,384.
    pub max_subscriptions: usize,
    /// How many different stars the filters of all subscriptions have at most, which bounds what it costs to find the subscriptions
    /// of an event. `a.*` of two subscriptions is one. Default: 1024.
    pub max_stars: usize,
    /// How long a publisher waits for a subscription that holds it back. Default: 5 s.
    pub max_block: Duration,
    /// A subscription that loses events is told of once in so long. Default: 10 s.
    pub slow_window: Duration,
}

impl Default for MemoryBrokerConfig {
    fn default() -> Self {
        Self {
            history_events: 10_000,
            history_bytes: 64 << 20,
            history_age: Some(Duration::from_secs(3600)),
            max_event_bytes: 1 << 20,
            max_subscriptions: 16_384,
            max_stars: 1024,
            max_block: Duration::from_secs(5),
            slow_window: Duration::from_secs(10),
        }
    }
}

impl MemoryBrokerConfig {
    /// Sets how many events are kept; 0 keeps none.
    #[must_use]
    pub const fn with_history_events(mut self, events: usize) -> Self {
        self.history_events = events;
        self
    }

    /// Sets how many bytes are kept.
    #[must_use]
    pub const fn with_history_bytes(mut self, bytes: usize) -> Self {
        self.history_bytes = bytes;
        self
    }

    /// Sets how long events are kept.
    #[must_use]
    pub const fn with_history_age(mut self, age: Option<Duration>) -> Self {
        self.history_age = age;
        self
    }

    /// Sets how large an event may be.
    #[must_use]
    pub const fn with_max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// Sets how many subscriptions there are at most.
    #[must_use]
    pub const fn with_max_subscriptions(mut self, most: usize) -> Self {
        self.max_subscriptions = most;
        self
    }

    /// Sets how many different stars the filters have at most.
    #[must_use]
    pub const fn with_max_stars(mut self, most: usize) -> Self {
        self.max_stars = most;
        self
    }

    /// Sets how long a publisher waits for a subscription that holds it back.
    #[must_use]
    pub const fn with_max_block(mut self, wait: Duration) -> Self {
        self.max_block = wait;
        self
    }

    /// Sets how often a slow subscription is told of.
    #[must_use]
    pub const fn with_slow_window(mut self, window: Duration) -> Self {
        self.slow_window = window;
        self
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the setting.
    pub fn validate(&self) -> Result<()> {
        let least = [
            ("max_event_bytes", self.max_event_bytes),
            ("max_subscriptions", self.max_subscriptions),
            ("max_stars", self.max_stars),
        ];
        match least.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(Error::config(format!("`{key}` of a memory broker must be at least 1"))),
            None => Ok(()),
        }
    }
}
