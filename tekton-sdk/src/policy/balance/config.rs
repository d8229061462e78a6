//! Settings under `balance`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// How calls are spread over the instances of a component, and when one of them is kept out.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::policy::BalanceConfig;
///
/// let config = BalanceConfig::default();
/// assert!(config.enabled);
/// assert_eq!(config.consecutive_failures, 5);
/// assert_eq!((config.ejection_time, config.max_ejection_time), (Duration::from_secs(30), Duration::from_secs(300)));
/// assert_eq!((config.max_ejected_percent, config.panic_percent), (50, 50));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BalanceConfig {
    /// Whether calls are spread, and instances ejected. Otherwise the first in the directory's order is called that can be
    /// reached. Default: yes.
    pub enabled: bool,
    /// How many failures in a row eject an instance. Default: 5.
    pub consecutive_failures: u32,
    /// How long an instance is ejected the first time; the second time twice as long, the third time thrice. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub ejection_time: Duration,
    /// The longest that an instance is ejected, at least [`Self::ejection_time`]. Default: 5 min.
    #[serde(deserialize_with = "env::duration")]
    pub max_ejection_time: Duration,
    /// The share of a component's instances that may be ejected at once, in percent. One of several may always be unless this
    /// is 0, and one always stays. Default: 50.
    pub max_ejected_percent: u32,
    /// When a smaller share of a component's instances than this is well, in percent, the failure is not one of single
    /// instances: ejections are ignored, and all are called. Default: 50.
    pub panic_percent: u32,
}

impl Default for BalanceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            consecutive_failures: 5,
            ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejected_percent: 50,
            panic_percent: 50,
        }
    }
}

impl BalanceConfig {
    /// Sets [`Self::enabled`].
    #[must_use]
    pub const fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets [`Self::consecutive_failures`].
    #[must_use]
    pub const fn with_consecutive_failures(mut self, consecutive_failures: u32) -> Self {
        self.consecutive_failures = consecutive_failures;
        self
    }

    /// Sets [`Self::ejection_time`].
    #[must_use]
    pub const fn with_ejection_time(mut self, ejection_time: Duration) -> Self {
        self.ejection_time = ejection_time;
        self
    }

    /// Sets [`Self::max_ejection_time`].
    #[must_use]
    pub const fn with_max_ejection_time(mut self, max_ejection_time: Duration) -> Self {
        self.max_ejection_time = max_ejection_time;
        self
    }

    /// Sets [`Self::max_ejected_percent`].
    #[must_use]
    pub const fn with_max_ejected_percent(mut self, max_ejected_percent: u32) -> Self {
        self.max_ejected_percent = max_ejected_percent;
        self
    }

    /// Sets [`Self::panic_percent`].
    #[must_use]
    pub const fn with_panic_percent(mut self, panic_percent: u32) -> Self {
        self.panic_percent = panic_percent;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("balance.consecutive_failures", self.consecutive_failures),
            env::check("balance.ejection_time", self.ejection_time),
            env::check("balance.max_ejection_time", self.max_ejection_time),
            env::check("balance.max_ejected_percent", self.max_ejected_percent),
            env::check("balance.panic_percent", self.panic_percent),
            env::check_order(
                "balance.max_ejection_time",
                self.max_ejection_time,
                "balance.ejection_time",
                self.ejection_time,
            ),
        ];
        checks.into_iter().flatten().collect()
    }
}
