//! Settings under `request`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// How long a call may take, and how large its bodies may be.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::tekton::RequestConfig;
///
/// let config = RequestConfig::default();
/// assert_eq!(config.timeout, Duration::from_secs(30));
/// assert_eq!(config.attempt_timeout, None);
/// assert_eq!(config.connect_timeout, Duration::from_secs(2));
/// assert_eq!(config.max_request_bytes, 16 << 20);
/// assert_eq!(config.max_response_bytes, 16 << 20);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestConfig {
    /// The longest time a call may take, all attempts included. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub timeout: Duration,
    /// The longest time one attempt may take. Default: none, only [`Self::timeout`] holds.
    #[serde(deserialize_with = "env::optional_duration")]
    pub attempt_timeout: Option<Duration>,
    /// The longest wait for a connection. Default: 2 s.
    #[serde(deserialize_with = "env::duration")]
    pub connect_timeout: Duration,
    /// The largest body that is sent. Default: 16 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub max_request_bytes: usize,
    /// The largest body that is collected from an answer. Default: 16 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub max_response_bytes: usize,
}

impl Default for RequestConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempt_timeout: None,
            connect_timeout: Duration::from_secs(2),
            max_request_bytes: 16 << 20,
            max_response_bytes: 16 << 20,
        }
    }
}

impl RequestConfig {
    /// Sets [`Self::timeout`].
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`Self::attempt_timeout`].
    #[must_use]
    pub const fn with_attempt_timeout(mut self, attempt_timeout: Duration) -> Self {
        self.attempt_timeout = Some(attempt_timeout);
        self
    }

    /// Sets [`Self::connect_timeout`].
    #[must_use]
    pub const fn with_connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// Sets [`Self::max_request_bytes`].
    #[must_use]
    pub const fn with_max_request_bytes(mut self, max_request_bytes: usize) -> Self {
        self.max_request_bytes = max_request_bytes;
        self
    }

    /// Sets [`Self::max_response_bytes`].
    #[must_use]
    pub const fn with_max_response_bytes(mut self, max_response_bytes: usize) -> Self {
        self.max_response_bytes = max_response_bytes;
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("request.timeout", self.timeout),
            self.attempt_timeout.and_then(|attempt_timeout| env::check("request.attempt_timeout", attempt_timeout)),
            env::check("request.connect_timeout", self.connect_timeout),
            env::check("request.max_request_bytes", self.max_request_bytes),
            env::check("request.max_response_bytes", self.max_response_bytes),
        ];
        checks.into_iter().flatten().collect()
    }
}
