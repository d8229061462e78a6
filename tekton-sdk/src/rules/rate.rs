//! Settings of the rate limit.

use std::time::Duration;

/// How many attempts a component is sent in a second.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::policy::RateConfig;
///
/// let config = RateConfig::default();
/// assert_eq!((config.per_second, config.burst), (100, 100));
/// assert_eq!(config.max_wait, Duration::ZERO);
/// assert!(config.adaptive);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// How many attempts a second are sent in the long run, at least 1. Default: 100.
    pub per_second: u32,
    /// How many are sent at once after a silence, at least 1. Default: 100.
    pub burst: u32,
    /// How long an attempt waits for its turn. Default: 0, it is refused at once.
    pub max_wait: Duration,
    /// Whether 429 and 503 make the rate lower for a while. Default: yes.
    pub adaptive: bool,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self { per_second: 100, burst: 100, max_wait: Duration::ZERO, adaptive: true }
    }
}

impl RateConfig {
    /// Sets [`Self::per_second`].
    #[must_use]
    pub const fn with_per_second(mut self, per_second: u32) -> Self {
        self.per_second = per_second;
        self
    }

    /// Sets [`Self::burst`].
    #[must_use]
    pub const fn with_burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Sets [`Self::max_wait`].
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Sets [`Self::adaptive`].
    #[must_use]
    pub const fn with_adaptive(mut self, adaptive: bool) -> Self {
        self.adaptive = adaptive;
        self
    }
}
