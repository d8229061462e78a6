//! Settings under `breaker`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    env,
    error::FieldError,
    patterns::breaker::{BreakerConfig, Scope},
};

/// When the breakers of the default pipeline open, and how they close again; see
/// [`BreakerConfig`] for what each means.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::config::BreakerSettings;
///
/// let config = BreakerSettings::default();
/// assert!(config.enabled && !config.shadow && !config.per_operation);
/// assert_eq!((config.failure_threshold, config.failure_percent), (5, 50));
/// assert_eq!((config.window_calls, config.min_calls), (100, 20));
/// assert_eq!((config.slow_call, config.slow_percent), (None, 100));
/// assert_eq!((config.open_wait, config.max_open_wait), (Duration::from_secs(5), Duration::from_secs(60)));
/// assert_eq!((config.half_open_calls, config.max_half_open), (3, Duration::from_secs(60)));
/// assert_eq!(config.max_keys, 1024);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Whether calls go through breakers. Default: yes.
    pub enabled: bool,
    /// Whether breakers only say when they would have opened. Default: no.
    pub shadow: bool,
    /// Whether each operation has a breaker of its own, rather than each component. Default: each component.
    pub per_operation: bool,
    /// How many failures in a row open a breaker. Default: 5.
    pub failure_threshold: u32,
    /// The share of failures that opens a breaker, in percent. Default: 50.
    pub failure_percent: u32,
    /// How many calls a breaker remembers. Default: 100.
    pub window_calls: u32,
    /// How many calls it must remember before a share counts. Default: 20.
    pub min_calls: u32,
    /// What takes longer is slow. Default: none, calls are not timed.
    #[serde(deserialize_with = "env::optional_duration")]
    pub slow_call: Option<Duration>,
    /// The share of slow calls that opens a breaker, in percent. Default: 100.
    pub slow_percent: u32,
    /// How long an open breaker refuses, the first time; doubled each time the probes fail. Default: 5 s.
    #[serde(deserialize_with = "env::duration")]
    pub open_wait: Duration,
    /// The longest that an open breaker refuses, at least [`Self::open_wait`]. Default: 60 s.
    #[serde(deserialize_with = "env::duration")]
    pub max_open_wait: Duration,
    /// How many probes a half-open breaker lets through. Default: 3.
    pub half_open_calls: u32,
    /// How long a half-open breaker waits for its probes. Default: 60 s.
    #[serde(deserialize_with = "env::duration")]
    pub max_half_open: Duration,
    /// How many breakers are kept. Default: 1024.
    pub max_keys: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            shadow: false,
            per_operation: false,
            failure_threshold: 5,
            failure_percent: 50,
            window_calls: 100,
            min_calls: 20,
            slow_call: None,
            slow_percent: 100,
            open_wait: Duration::from_secs(5),
            max_open_wait: Duration::from_secs(60),
            half_open_calls: 3,
            max_half_open: Duration::from_secs(60),
            max_keys: 1024,
        }
    }
}

impl BreakerSettings {
    /// Sets [`Self::enabled`].
    #[must_use]
    pub const fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets [`Self::shadow`].
    #[must_use]
    pub const fn with_shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Sets [`Self::per_operation`].
    #[must_use]
    pub const fn with_per_operation(mut self, per_operation: bool) -> Self {
        self.per_operation = per_operation;
        self
    }

    /// Sets [`Self::failure_threshold`].
    #[must_use]
    pub const fn with_failure_threshold(mut self, failure_threshold: u32) -> Self {
        self.failure_threshold = failure_threshold;
        self
    }

    /// Sets [`Self::failure_percent`].
    #[must_use]
    pub const fn with_failure_percent(mut self, failure_percent: u32) -> Self {
        self.failure_percent = failure_percent;
        self
    }

    /// Sets [`Self::window_calls`].
    #[must_use]
    pub const fn with_window_calls(mut self, window_calls: u32) -> Self {
        self.window_calls = window_calls;
        self
    }

    /// Sets [`Self::min_calls`].
    #[must_use]
    pub const fn with_min_calls(mut self, min_calls: u32) -> Self {
        self.min_calls = min_calls;
        self
    }

    /// Sets [`Self::slow_call`].
    #[must_use]
    pub const fn with_slow_call(mut self, slow_call: Option<Duration>) -> Self {
        self.slow_call = slow_call;
        self
    }

    /// Sets [`Self::slow_percent`].
    #[must_use]
    pub const fn with_slow_percent(mut self, slow_percent: u32) -> Self {
        self.slow_percent = slow_percent;
        self
    }

    /// Sets [`Self::open_wait`].
    #[must_use]
    pub const fn with_open_wait(mut self, open_wait: Duration) -> Self {
        self.open_wait = open_wait;
        self
    }

    /// Sets [`Self::max_open_wait`].
    #[must_use]
    pub const fn with_max_open_wait(mut self, max_open_wait: Duration) -> Self {
        self.max_open_wait = max_open_wait;
        self
    }

    /// Sets [`Self::half_open_calls`].
    #[must_use]
    pub const fn with_half_open_calls(mut self, half_open_calls: u32) -> Self {
        self.half_open_calls = half_open_calls;
        self
    }

    /// Sets [`Self::max_half_open`].
    #[must_use]
    pub const fn with_max_half_open(mut self, max_half_open: Duration) -> Self {
        self.max_half_open = max_half_open;
        self
    }

    /// Sets [`Self::max_keys`].
    #[must_use]
    pub const fn with_max_keys(mut self, max_keys: u32) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("breaker.failure_threshold", self.failure_threshold),
            env::check("breaker.failure_percent", self.failure_percent),
            env::check("breaker.window_calls", self.window_calls),
            env::check("breaker.min_calls", self.min_calls),
            self.slow_call.and_then(|slow_call| env::check("breaker.slow_call", slow_call)),
            env::check("breaker.slow_percent", self.slow_percent),
            env::check("breaker.open_wait", self.open_wait),
            env::check("breaker.max_open_wait", self.max_open_wait),
            env::check("breaker.half_open_calls", self.half_open_calls),
            env::check("breaker.max_half_open", self.max_half_open),
            env::check("breaker.max_keys", self.max_keys),
            env::check_order("breaker.max_open_wait", self.max_open_wait, "breaker.open_wait", self.open_wait),
        ];
        checks.into_iter().flatten().collect()
    }

    /// What one breaker is set to.
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        BreakerConfig::default()
            .with_failure_threshold(Some(self.failure_threshold))
            .with_failure_rate(Some(f64::from(self.failure_percent) / 100.0))
            .with_window_calls(self.window_calls)
            .with_min_calls(self.min_calls)
            .with_slow_call(self.slow_call)
            .with_slow_rate(f64::from(self.slow_percent) / 100.0)
            .with_open_wait(self.open_wait)
            .with_max_open_wait(self.max_open_wait)
            .with_half_open_calls(self.half_open_calls)
            .with_max_half_open(self.max_half_open)
    }

    /// What has a breaker of its own.
    pub(in crate::config) const fn scope(&self) -> Scope {
        if self.per_operation { Scope::Operation } else { Scope::Component }
    }
}
