//! What a breaker shows of itself.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::BreakerState;

/// A breaker at one moment.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakerSnapshot {
    /// Its name.
    #[serde(serialize_with = "as_text")]
    pub name: Arc<str>,
    /// Its state.
    #[serde(serialize_with = "by_name")]
    pub state: BreakerState,
    /// How long it has been in it.
    #[serde(rename = "state_for_ms", serialize_with = "as_millis")]
    pub state_for: Duration,
    /// How many calls it remembers: those of the window, or the probes' of a half-open one. An open breaker shows what
    /// opened it.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them were slow.
    pub slow: u64,
    /// The share that failed; `None` while there are fewer calls than the settings ask for.
    pub failure_rate: Option<f64>,
    /// The share that was slow; `None` while there are fewer calls than the settings ask for.
    pub slow_rate: Option<f64>,
    /// How many calls it refused since it entered its state.
    pub refused: u64,
    /// How much longer an open breaker refuses; zero once it lets the next call probe.
    #[serde(rename = "retry_after_ms", serialize_with = "as_optional_millis")]
    pub retry_after: Option<Duration>,
}

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn by_name<S: serde::Serializer>(state: &BreakerState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}

fn as_millis<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn as_optional_millis<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_millis(time, serializer),
        None => serializer.serialize_none(),
    }
}
