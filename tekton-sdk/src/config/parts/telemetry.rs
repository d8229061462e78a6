//! Settings under `telemetry`.

use serde::{Deserialize, Serialize};

use crate::{env, error::FieldError};

/// What is told to whom.
///
/// ```
/// use tekton_sdk::config::TelemetryConfig;
///
/// let config = TelemetryConfig::default();
/// assert!(config.baggage_peers.is_empty());
/// assert_eq!(config.with_baggage_peers(["engram"]).baggage_peers, ["engram"]);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// To whom the caller's baggage is passed on, by the name that they are called by; `*` is everybody. Default: nobody.
    #[serde(deserialize_with = "env::names")]
    pub baggage_peers: Vec<String>,
}

impl TelemetryConfig {
    /// Sets [`Self::baggage_peers`].
    #[must_use]
    pub fn with_baggage_peers(mut self, peers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.baggage_peers = peers.into_iter().map(Into::into).collect();
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        env::check("telemetry.baggage_peers", &*self.baggage_peers.join(",")).into_iter().collect()
    }
}
