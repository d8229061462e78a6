//! Settings under `directory`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// How long the answers of the directory are remembered.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::directory::DirectoryConfig;
///
/// let config = DirectoryConfig::default();
/// assert_eq!(config.ttl, Duration::from_secs(5));
/// assert_eq!(config.stale_for, Duration::from_secs(60));
/// assert_eq!(config.negative_ttl, Duration::from_secs(1));
/// assert_eq!(config.max_entries, 1024);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectoryConfig {
    /// How long an answer is fresh. Default: 5 s.
    #[serde(deserialize_with = "env::duration")]
    pub ttl: Duration,
    /// How long after that it is still given while a new one is fetched; zero switches it off. Default: 60 s.
    #[serde(deserialize_with = "env::duration")]
    pub stale_for: Duration,
    /// How long "not found" is remembered; zero switches it off. Default: 1 s.
    #[serde(deserialize_with = "env::duration")]
    pub negative_ttl: Duration,
    /// How many answers are remembered. Default: 1024.
    pub max_entries: usize,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(5),
            stale_for: Duration::from_secs(60),
            negative_ttl: Duration::from_secs(1),
            max_entries: 1024,
        }
    }
}

impl DirectoryConfig {
    /// Sets [`Self::ttl`].
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`Self::stale_for`].
    #[must_use]
    pub const fn with_stale_for(mut self, stale_for: Duration) -> Self {
        self.stale_for = stale_for;
        self
    }

    /// Sets [`Self::negative_ttl`].
    #[must_use]
    pub const fn with_negative_ttl(mut self, negative_ttl: Duration) -> Self {
        self.negative_ttl = negative_ttl;
        self
    }

    /// Sets [`Self::max_entries`].
    #[must_use]
    pub const fn with_max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("directory.ttl", self.ttl),
            env::check("directory.stale_for", self.stale_for),
            env::check("directory.negative_ttl", self.negative_ttl),
            env::check("directory.max_entries", self.max_entries),
        ];
        checks.into_iter().flatten().collect()
    }
}
