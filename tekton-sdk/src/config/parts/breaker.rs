//! Settings under `breaker`.

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// When a breaker opens. Kept for the breaker's room; nothing reads it yet.
///
/// ```
/// use tekton_sdk::config::BreakerSettings;
///
/// let config = BreakerSettings::default();
/// assert_eq!(config.failure_threshold, 5);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// How many failures open a breaker. Default: 5.
    pub failure_threshold: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failure_threshold: 5 }
    }
}

impl BreakerSettings {
    /// Sets [`Self::failure_threshold`].
    #[must_use]
    pub const fn with_failure_threshold(mut self, failure_threshold: u32) -> Self {
        self.failure_threshold = failure_threshold;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        env::check("breaker.failure_threshold", self.failure_threshold).into_iter().collect()
    }
}
