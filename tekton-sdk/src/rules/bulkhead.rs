//! Settings of the bulkhead.

use std::time::Duration;

/// How many attempts to a component run at once, and how many may wait for their turn.
///
/// ```
/// use tekton_sdk::policy::BulkheadConfig;
///
/// let config = BulkheadConfig::default();
/// assert_eq!((config.max_concurrency, config.max_waiting), (64, 128));
/// assert_eq!(config.max_wait, None);
/// assert!(config.shed);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// How many attempts run at once, at least 1. Default: 64.
    pub max_concurrency: u32,
    /// How many wait for their turn; the next one is refused. Default: 128.
    pub max_waiting: u32,
    /// How long one waits at most. Default: none, until the call's deadline.
    pub max_wait: Option<Duration>,
    /// Whether an attempt is refused at once when its turn will come too late for its deadline, judged by how long attempts take
    /// lately. Default: yes.
    pub shed: bool,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { max_concurrency: 64, max_waiting: 128, max_wait: None, shed: true }
    }
}

impl BulkheadConfig {
    /// Sets [`Self::max_concurrency`].
    #[must_use]
    pub const fn with_max_concurrency(mut self, max_concurrency: u32) -> Self {
        self.max_concurrency = max_concurrency;
        self
    }

    /// Sets [`Self::max_waiting`].
    #[must_use]
    pub const fn with_max_waiting(mut self, max_waiting: u32) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets [`Self::max_wait`].
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Sets [`Self::shed`].
    #[must_use]
    pub const fn with_shed(mut self, shed: bool) -> Self {
        self.shed = shed;
        self
    }
}
