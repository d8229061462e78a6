//! The settings of a [`WebSocketTransport`](super::WebSocketTransport).

use std::time::Duration;

use super::{bounds, machine::Pauses};
use crate::error::Result;

/// Settings of a [`WebSocketTransport`](super::WebSocketTransport).
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::transport::WebSocketTransportConfig;
///
/// let config = WebSocketTransportConfig::default();
/// assert_eq!(config.path, "/ws");
/// assert_eq!(config.connect_timeout, Duration::from_secs(2));
/// assert_eq!((config.max_in_flight, config.max_waiting), (256, 1024));
/// assert_eq!(config.max_message_bytes, 1 << 20);
/// assert_eq!(config.ping_interval, Duration::from_secs(15));
/// assert_eq!(config.idle_timeout, Duration::from_secs(300));
/// assert_eq!(config.reconnect_spread, Duration::from_secs(5));
/// assert_eq!((config.base_delay, config.max_delay), (Duration::from_secs(1), Duration::from_secs(30)));
/// assert_eq!(config.stable_after, Duration::from_secs(5));
/// assert_eq!(config.max_endpoints, 1024);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketTransportConfig {
    /// The path of the WebSocket, below the endpoint's own. Default: `/ws`.
    pub path: String,
    /// How long making a connection may take: the look-up of the name, every address that is tried, TLS and the upgrade. Default: 2 s.
    pub connect_timeout: Duration,
    /// How many calls may be under way on one connection. Default: 256, as many as a host takes.
    pub max_in_flight: usize,
    /// How many calls may wait for their turn; beyond, one is refused. Default: 1024.
    pub max_waiting: usize,
    /// The largest message that is read, of all its frames together. Default: 1 MiB.
    pub max_message_bytes: usize,
    /// How often the other side is pinged; a dead one is seen within two intervals. Default: 15 s.
    pub ping_interval: Duration,
    /// How long a connection without a call is kept, give or take a ping interval. Default: 5 min.
    pub idle_timeout: Duration,
    /// Over how long the reconnections after a loss are spread, so that the clients of a server that restarts do not come back all
    /// at once. Default: 5 s.
    pub reconnect_spread: Duration,
    /// The longest pause after the first attempt that failed; twice as long after each further one. Default: 1 s.
    pub base_delay: Duration,
    /// The longest pause between two attempts. Default: 30 s.
    pub max_delay: Duration,
    /// A connection that ends sooner counts as an attempt that failed. Default: 5 s.
    pub stable_after: Duration,
    /// For how many endpoints connections are kept; beyond, the one called longest ago is forgotten, if no call is under way there.
    /// Default: 1024.
    pub max_endpoints: usize,
}

impl Default for WebSocketTransportConfig {
    fn default() -> Self {
        Self {
            path: "/ws".to_owned(),
            connect_timeout: Duration::from_secs(2),
            max_in_flight: 256,
            max_waiting: 1024,
            max_message_bytes: 1 << 20,
            ping_interval: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(300),
            reconnect_spread: Duration::from_secs(5),
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(5),
            max_endpoints: 1024,
        }
    }
}

impl WebSocketTransportConfig {
    /// Sets [`Self::path`].
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets [`Self::connect_timeout`].
    #[must_use]
    pub const fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
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

    /// Sets [`Self::max_message_bytes`].
    #[must_use]
    pub const fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets [`Self::ping_interval`].
    #[must_use]
    pub const fn with_ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets [`Self::idle_timeout`].
    #[must_use]
    pub const fn with_idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
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

    /// Sets [`Self::max_endpoints`].
    #[must_use]
    pub const fn with_max_endpoints(mut self, count: usize) -> Self {
        self.max_endpoints = count;
        self
    }

    /// Checks the settings against their bounds.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the field and its bound.
    pub fn validate(&self) -> Result<()> {
        bounds::path(&self.path)?;
        bounds::some("connect_timeout", self.connect_timeout)?;
        bounds::some("ping_interval", self.ping_interval)?;
        bounds::least("max_in_flight", self.max_in_flight, 1)?;
        bounds::least("max_endpoints", self.max_endpoints, 1)?;
        // A body of 64 KiB comes in one message, and in base64 it is a third larger.
        bounds::least("max_message_bytes", self.max_message_bytes, 128 << 10)?;
        bounds::delays(self.base_delay, self.max_delay)
    }

    pub(super) const fn pauses(&self) -> Pauses {
        Pauses {
            spread: self.reconnect_spread,
            base: self.base_delay,
            again: self.base_delay,
            max: self.max_delay,
            stable_after: self.stable_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_names_its_field() {
        let config = WebSocketTransportConfig::default;
        for (wrong, name) in [
            (config().with_path("ws"), "path"),
            (config().with_path("/ws?x"), "path"),
            (config().with_connect_timeout(Duration::ZERO), "connect_timeout"),
            (config().with_ping_interval(Duration::ZERO), "ping_interval"),
            (config().with_max_in_flight(0), "max_in_flight"),
            (config().with_max_endpoints(0), "max_endpoints"),
            (config().with_max_message_bytes(1000), "max_message_bytes"),
            (config().with_base_delay(Duration::from_secs(31)), "max_delay"),
        ] {
            let error = wrong.validate().unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
        assert!(config().with_max_waiting(0).validate().is_ok());
    }
}
