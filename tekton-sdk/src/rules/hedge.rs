//! Settings of the hedge.

use std::time::Duration;

/// When a second attempt is sent beside a slow one, and how many calls may have one.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::policy::HedgeConfig;
///
/// let config = HedgeConfig::default();
/// assert_eq!((config.percentile, config.max_hedges, config.budget_percent), (95, 1, 5));
/// assert_eq!((config.min_delay, config.max_delay), (Duration::from_millis(5), Duration::from_secs(2)));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeConfig {
    /// The share of recent answers, in percent, that came sooner than a hedge waits; 1 to 99. Default: 95.
    pub percentile: u32,
    /// The shortest wait before a hedge. Default: 5 ms.
    pub min_delay: Duration,
    /// The longest wait before a hedge, and the wait while too few answers are known. Default: 2 s.
    pub max_delay: Duration,
    /// How many hedges one attempt has at most, at least 1. Default: 1.
    pub max_hedges: u32,
    /// How many hedges the calls to a target pay for, as a percentage of the calls; 1 to 100. Default: 5.
    pub budget_percent: u32,
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self {
            percentile: 95,
            min_delay: Duration::from_millis(5),
            max_delay: Duration::from_secs(2),
            max_hedges: 1,
            budget_percent: 5,
        }
    }
}

impl HedgeConfig {
    /// Sets [`Self::percentile`].
    #[must_use]
    pub const fn with_percentile(mut self, percentile: u32) -> Self {
        self.percentile = percentile;
        self
    }

    /// Sets [`Self::min_delay`].
    #[must_use]
    pub const fn with_min_delay(mut self, min_delay: Duration) -> Self {
        self.min_delay = min_delay;
        self
    }

    /// Sets [`Self::max_delay`].
    #[must_use]
    pub const fn with_max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Sets [`Self::max_hedges`].
    #[must_use]
    pub const fn with_max_hedges(mut self, max_hedges: u32) -> Self {
        self.max_hedges = max_hedges;
        self
    }

    /// Sets [`Self::budget_percent`].
    #[must_use]
    pub const fn with_budget_percent(mut self, budget_percent: u32) -> Self {
        self.budget_percent = budget_percent;
        self
    }
}
