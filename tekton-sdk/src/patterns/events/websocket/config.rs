//! The settings of a broker behind a WebSocket.

use std::time::Duration;

use super::machine::Rules;
use crate::{
    error::Result,
    transport::websocket::{Pauses, bounds},
};

/// Settings of a [`WebSocketBroker`](super::WebSocketBroker).
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::patterns::events::WebSocketBrokerConfig;
///
/// let config = WebSocketBrokerConfig::default();
/// assert_eq!(config.path, "/ws");
/// assert!(!config.retry_on_initial_connect);
/// assert_eq!((config.connect_timeout, config.request_timeout), (Duration::from_secs(5), Duration::from_secs(10)));
/// assert_eq!((config.max_event_bytes, config.max_message_bytes), (1 << 20, 2 << 20));
/// assert_eq!((config.max_in_flight, config.max_waiting, config.max_waiting_bytes), (128, 1024, 16 << 20));
/// assert_eq!(config.ping_interval, Duration::from_secs(15));
/// assert_eq!(config.reconnect_spread, Duration::from_secs(5));
/// assert_eq!((config.base_delay, config.max_delay), (Duration::from_secs(1), Duration::from_secs(30)));
/// assert_eq!(config.stable_after, Duration::from_secs(5));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketBrokerConfig {
    /// The path of the WebSocket, below each URL's own. Default: `/ws`.
    pub path: String,
    /// Whether the first connection is waited for in the background, however long that takes. If not, each URL is tried once, and
    /// the broker is not made if none can be reached. Connections after the first are always made again. Default: no.
    pub retry_on_initial_connect: bool,
    /// How long making a connection may take: the token, the look-up of the name, every address that is tried, TLS and the
    /// upgrade. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long publishing, subscribing and acknowledging may take, the wait for a connection included. Default: 10 s.
    pub request_timeout: Duration,
    /// The largest message by which an event is published. More than `host.ws_max_message_bytes` would have the host close the
    /// connection. Default: 1 MiB.
    pub max_event_bytes: usize,
    /// The largest message that is read, of all its frames together. Default: 2 MiB.
    pub max_message_bytes: usize,
    /// How many calls may be sent and not answered; more of them wait. Default: 128, half of what a host takes.
    pub max_in_flight: usize,
    /// How many calls may wait, for a connection or for their answers; beyond, publishing is refused. Default: 1024.
    pub max_waiting: usize,
    /// How many bytes they may have; one may have more. Default: 16 MiB.
    pub max_waiting_bytes: usize,
    /// How often the other side is pinged; a dead one is seen within two intervals. Default: 15 s.
    pub ping_interval: Duration,
    /// Over how long the reconnections after a loss are spread, so that the subscribers of a component that restarts do not come
    /// back all at once. If that fails, the pauses begin with twice as much. Default: 5 s.
    pub reconnect_spread: Duration,
    /// The longest pause after the first attempt that failed, before there was any connection; twice as long after each further
    /// one. Default: 1 s.
    pub base_delay: Duration,
    /// The longest pause between two attempts. Default: 30 s.
    pub max_delay: Duration,
    /// A connection that ends sooner counts as an attempt that failed. Default: 5 s.
    pub stable_after: Duration,
}

impl Default for WebSocketBrokerConfig {
    fn default() -> Self {
        Self {
            path: "/ws".to_owned(),
            retry_on_initial_connect: false,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            max_event_bytes: 1 << 20,
            max_message_bytes: 2 << 20,
            max_in_flight: 128,
            max_waiting: 1024,
            max_waiting_bytes: 16 << 20,
            ping_interval: Duration::from_secs(15),
            reconnect_spread: Duration::from_secs(5),
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(5),
        }
    }
}

impl WebSocketBrokerConfig {
    /// Sets [`Self::path`].
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets [`Self::retry_on_initial_connect`].
    #[must_use]
    pub const fn with_retry_on_initial_connect(mut self, retry: bool) -> Self {
        self.retry_on_initial_connect = retry;
        self
    }

    /// Sets [`Self::connect_timeout`].
    #[must_use]
    pub const fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets [`Self::request_timeout`].
    #[must_use]
    pub const fn with_request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// Sets [`Self::max_event_bytes`].
    #[must_use]
    pub const fn with_max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// Sets [`Self::max_message_bytes`].
    #[must_use]
    pub const fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets [`Self::max_in_flight`].
    #[must_use]
    pub const fn with_max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets [`Self::max_waiting`].
    #[must_use]
    pub const fn with_max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = calls;
        self
    }

    /// Sets [`Self::max_waiting_bytes`].
    #[must_use]
    pub const fn with_max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.max_waiting_bytes = bytes;
        self
    }

    /// Sets [`Self::ping_interval`].
    #[must_use]
    pub const fn with_ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets [`Self::reconnect_spread`].
    #[must_use]
    pub const fn with_reconnect_spread(mut self, spread: Duration) -> Self {
        self.reconnect_spread = spread;
        self
    }

    /// Sets [`Self::base_delay`].
    #[must_use]
    pub const fn with_base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Sets [`Self::max_delay`].
    #[must_use]
    pub const fn with_max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets [`Self::stable_after`].
    #[must_use]
    pub const fn with_stable_after(mut self, life: Duration) -> Self {
        self.stable_after = life;
        self
    }

    /// Checks the settings against their bounds.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the field and its bound.
    pub fn validate(&self) -> Result<()> {
        bounds::path(&self.path)?;
        bounds::some("connect_timeout", self.connect_timeout)?;
        bounds::some("request_timeout", self.request_timeout)?;
        bounds::some("ping_interval", self.ping_interval)?;
        bounds::least("max_event_bytes", self.max_event_bytes, 1024)?;
        bounds::least("max_message_bytes", self.max_message_bytes, 1024)?;
        bounds::least("max_in_flight", self.max_in_flight, 1)?;
        bounds::least("max_waiting", self.max_waiting, 1)?;
        bounds::delays(self.base_delay, self.max_delay)
    }

    pub(super) fn rules(&self, urls: usize, has_tokens: bool) -> Rules {
        Rules {
            pauses: Pauses {
                spread: self.reconnect_spread,
                base: self.base_delay,
                again: self.reconnect_spread.saturating_mul(2).max(self.base_delay),
                max: self.max_delay,
                stable_after: self.stable_after,
            },
            urls,
            has_tokens,
            patient: self.retry_on_initial_connect,
            max_in_flight: self.max_in_flight,
            max_waiting: self.max_waiting,
            max_waiting_bytes: self.max_waiting_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_names_its_field() {
        let config = WebSocketBrokerConfig::default;
        for (wrong, name) in [
            (config().with_path("ws"), "path"),
            (config().with_path("/ws?x"), "path"),
            (config().with_connect_timeout(Duration::ZERO), "connect_timeout"),
            (config().with_request_timeout(Duration::ZERO), "request_timeout"),
            (config().with_ping_interval(Duration::ZERO), "ping_interval"),
            (config().with_max_event_bytes(1), "max_event_bytes"),
            (config().with_max_message_bytes(1), "max_message_bytes"),
            (config().with_max_in_flight(0), "max_in_flight"),
            (config().with_max_waiting(0), "max_waiting"),
            (config().with_base_delay(Duration::from_secs(31)), "max_delay"),
        ] {
            let error = wrong.validate().unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
        assert!(config().with_max_waiting_bytes(0).validate().is_ok(), "one may have more");
    }
}
