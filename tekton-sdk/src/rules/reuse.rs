//! Settings of the reuse of answers.

use std::time::Duration;

/// Which equal reads share one answer.
///
/// ```
/// use tekton_sdk::policy::ReuseConfig;
///
/// let config = ReuseConfig::default();
/// assert!(config.single_flight);
/// assert_eq!(config.ttl, None);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReuseConfig {
    /// Whether equal reads that are under way at once are sent once. Default: yes.
    pub single_flight: bool,
    /// How long an answer serves equal reads that come later. Default: none, answers are not kept.
    pub ttl: Option<Duration>,
}

impl Default for ReuseConfig {
    fn default() -> Self {
        Self { single_flight: true, ttl: None }
    }
}

impl ReuseConfig {
    /// Sets [`Self::single_flight`].
    #[must_use]
    pub const fn with_single_flight(mut self, single_flight: bool) -> Self {
        self.single_flight = single_flight;
        self
    }

    /// Sets [`Self::ttl`].
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}
