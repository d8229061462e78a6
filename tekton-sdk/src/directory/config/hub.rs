//! Settings under `hub`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// Where the hub is, and how often it hears from this process.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::directory::HubConfig;
///
/// let config = HubConfig::default();
/// assert_eq!(config.url, None);
/// assert_eq!(config.timeout, Duration::from_secs(5));
/// assert_eq!(config.heartbeat_interval, Duration::from_secs(30));
/// assert_eq!(config.renew_interval, Duration::from_secs(45 * 60));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The hub's address, as `http://localhost:8001`; a trailing `/` or `/api` does no harm. Default: none.
    pub url: Option<String>,
    /// The longest wait for one answer of the hub. Default: 5 s.
    #[serde(deserialize_with = "env::duration")]
    pub timeout: Duration,
    /// The time between two heartbeats. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub heartbeat_interval: Duration,
    /// The time between two registrations, well below the hour after which the hub's token ends. Default: 45 min.
    #[serde(deserialize_with = "env::duration")]
    pub renew_interval: Duration,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(30),
            renew_interval: Duration::from_secs(45 * 60),
        }
    }
}

impl HubConfig {
    /// Sets [`Self::url`].
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`Self::heartbeat_interval`].
    #[must_use]
    pub const fn with_heartbeat_interval(mut self, heartbeat_interval: Duration) -> Self {
        self.heartbeat_interval = heartbeat_interval;
        self
    }

    /// Sets [`Self::renew_interval`].
    #[must_use]
    pub const fn with_renew_interval(mut self, renew_interval: Duration) -> Self {
        self.renew_interval = renew_interval;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            self.url.as_deref().and_then(|url| env::check("hub.url", url)),
            env::check("hub.timeout", self.timeout),
            env::check("hub.heartbeat_interval", self.heartbeat_interval),
            env::check("hub.renew_interval", self.renew_interval),
        ];
        checks.into_iter().flatten().collect()
    }
}
