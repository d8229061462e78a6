//! Settings under `retry`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// How often a call is tried, how long it waits in between, and how many calls of a target may be tried again.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::policy::RetryConfig;
///
/// let config = RetryConfig::default();
/// assert_eq!(config.max_attempts, 4);
/// assert_eq!(config.base_delay, Duration::from_millis(100));
/// assert_eq!(config.max_delay, Duration::from_secs(10));
/// assert_eq!(config.budget_percent, 10);
/// assert_eq!(config.budget_reserve, 3);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// How often a call is tried, the first attempt included. Default: 4.
    pub max_attempts: u32,
    /// The wait before the second attempt; each further one is longer. Default: 100 ms.
    #[serde(deserialize_with = "env::duration")]
    pub base_delay: Duration,
    /// The longest wait between two attempts, at least [`Self::base_delay`]. Default: 10 s.
    #[serde(deserialize_with = "env::duration")]
    pub max_delay: Duration,
    /// How many retries the calls to a target pay for, as a percentage of the calls. Default: 10.
    pub budget_percent: u32,
    /// How many retries a target has in ten seconds beside those that its calls pay for. Default: 3, so that a call which is
    /// the only one has all its attempts.
    pub budget_reserve: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            budget_percent: 10,
            budget_reserve: 3,
        }
    }
}

impl RetryConfig {
    /// Sets [`Self::max_attempts`].
    #[must_use]
    pub const fn with_max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// Sets [`Self::base_delay`].
    #[must_use]
    pub const fn with_base_delay(mut self, base_delay: Duration) -> Self {
        self.base_delay = base_delay;
        self
    }

    /// Sets [`Self::max_delay`].
    #[must_use]
    pub const fn with_max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Sets [`Self::budget_percent`].
    #[must_use]
    pub const fn with_budget_percent(mut self, budget_percent: u32) -> Self {
        self.budget_percent = budget_percent;
        self
    }

    /// Sets [`Self::budget_reserve`].
    #[must_use]
    pub const fn with_budget_reserve(mut self, budget_reserve: u32) -> Self {
        self.budget_reserve = budget_reserve;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("retry.max_attempts", self.max_attempts),
            env::check("retry.base_delay", self.base_delay),
            env::check("retry.max_delay", self.max_delay),
            env::check("retry.budget_percent", self.budget_percent),
            env::check("retry.budget_reserve", self.budget_reserve),
            env::check_order("retry.max_delay", self.max_delay, "retry.base_delay", self.base_delay),
        ];
        checks.into_iter().flatten().collect()
    }
}
