//! The bodies of `/health`: all of upstream's shapes in, its shared model out.
//!
//! Only `status` is common to all shapes. [`read_health`] is total: every answer has a reading, even HTML.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::lenient::{self, Object, number, take, text, truth};

/// How well a component, or a dependency of it, is.
#[expect(clippy::exhaustive_enums, reason = "the wire knows these four and no others")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// It cannot be said.
    #[default]
    Unknown,
}

impl HealthStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a word in any case. A word that nobody knows is healthy, as upstream holds it: `initializing` is.
    ///
    /// ```
    /// use tekton_sdk::wire::health::HealthStatus;
    ///
    /// assert_eq!(HealthStatus::from_word("WARN"), HealthStatus::Degraded);
    /// assert_eq!(HealthStatus::from_word("initializing"), HealthStatus::Healthy);
    /// ```
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::from_known_word(word).unwrap_or(Self::Healthy)
    }

    fn from_known_word(word: &str) -> Option<Self> {
        const WORDS: [(HealthStatus, &[&str]); 4] = [
            (HealthStatus::Healthy, &["healthy", "ok", "up", "pass"]),
            (HealthStatus::Degraded, &["degraded", "warn", "warning"]),
            (HealthStatus::Unhealthy, &["unhealthy", "fail", "failed", "down", "error", "critical"]),
            (HealthStatus::Unknown, &["unknown", ""]),
        ];
        let word = word.trim();
        WORDS
            .iter()
            .find(|(_, words)| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
            .map(|(status, _)| *status)
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HealthStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a component says of one that it needs.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DependencyHealth {
    /// The dependency's name.
    pub name: String,
    /// How well it is.
    pub status: HealthStatus,
    /// A sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a component says of itself at `/health`.
///
/// Written in snake_case with the fields of upstream's shared model.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct HealthBody {
    /// How well it is.
    pub status: HealthStatus,
    /// Its name; written in lower case.
    pub component: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its time, as it wrote it: upstream has several forms.
    pub timestamp: Option<String>,
    /// How long it has been up, in seconds.
    pub uptime: Option<f64>,
    /// The port it listens on.
    pub port: Option<u16>,
    /// Whether it is registered with the hub.
    pub registered_with_hermes: Option<bool>,
    /// How well those are that it needs.
    pub dependencies: Vec<DependencyHealth>,
    /// Figures.
    pub metrics: Object,
    /// Anything else.
    pub details: Object,
    /// A sentence; not a field of upstream's model, and written only if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl HealthBody {
    /// A body that says no more than this.
    #[must_use]
    pub fn new(status: HealthStatus) -> Self {
        Self { status, ..Self::default() }
    }

    /// Sets name, in lower case, and version.
    #[must_use]
    pub fn with_component(mut self, name: &str, version: impl Into<String>) -> Self {
        self.component = Some(name.to_lowercase());
        self.version = Some(version.into());
        self
    }

    /// Sets the time, as upstream writes it: ISO 8601 with `Z`.
    #[must_use]
    pub fn with_timestamp(mut self, timestamp: impl Into<String>) -> Self {
        self.timestamp = Some(timestamp.into());
        self
    }

    /// Sets how long the component has been up, in seconds.
    #[must_use]
    pub fn with_uptime(mut self, seconds: f64) -> Self {
        self.uptime = Some(seconds).filter(|seconds| seconds.is_finite());
        self
    }

    /// Sets the port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Says whether the component is registered with the hub.
    #[must_use]
    pub fn with_registered(mut self, registered: bool) -> Self {
        self.registered_with_hermes = Some(registered);
        self
    }

    /// Adds a dependency.
    #[must_use]
    pub fn with_dependency(mut self, name: impl Into<String>, status: HealthStatus) -> Self {
        self.dependencies.push(DependencyHealth { name: name.into(), status, message: None });
        self
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }
}

/// Reads the answer to `GET /health`, whatever it is.
///
/// A status other than 2xx is [`Unhealthy`](HealthStatus::Unhealthy), whatever the body says. A 2xx whose body cannot be
/// read, or says no status, is [`Unknown`](HealthStatus::Unknown): the component answers, and no more is known.
///
/// ```
/// use http::StatusCode;
/// use tekton_sdk::wire::health::{HealthStatus, read_health};
///
/// let health = read_health(StatusCode::OK, br#"{"status":"ok","uptime":12.5,"component_name":"apollo"}"#);
/// assert_eq!(health.status, HealthStatus::Healthy);
/// assert_eq!(health.component.as_deref(), Some("apollo"));
/// assert_eq!(read_health(StatusCode::OK, b"<html>").status, HealthStatus::Unknown);
/// ```
#[must_use]
pub fn read_health(status: StatusCode, body: &[u8]) -> HealthBody {
    let mut health = match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => of_object(object),
        Ok(Value::String(word)) => HealthBody::new(bare_word(&word)),
        Ok(_) => HealthBody::default(),
        Err(_) => HealthBody::new(std::str::from_utf8(body).map_or(HealthStatus::Unknown, bare_word)),
    };
    if !status.is_success() {
        health.status = HealthStatus::Unhealthy;
    }
    health
}

/// A body that is one word: believed only if the word is known.
fn bare_word(word: &str) -> HealthStatus {
    HealthStatus::from_known_word(word).unwrap_or_default()
}

fn of_object(mut object: Object) -> HealthBody {
    let mut part = |keys: &[&str]| take(&mut object, keys);
    let inner = |value: Option<Value>| if let Some(Value::Object(inner)) = value { inner } else { Object::new() };
    HealthBody {
        status: part(&["status"]).as_ref().map(status_of).unwrap_or_default(),
        component: part(&["component", "component_name", "componentName", "service", "name"]).and_then(text),
        version: part(&["version"]).and_then(text),
        timestamp: part(&["timestamp"]).and_then(text),
        uptime: part(&["uptime"]).as_ref().and_then(number).filter(|seconds| *seconds >= 0.0),
        port: part(&["port"]).as_ref().and_then(lenient::port),
        registered_with_hermes: part(&["registered_with_hermes", "registeredWithHermes", "registered"])
            .as_ref()
            .and_then(truth),
        dependencies: part(&["dependencies"]).map(dependencies).unwrap_or_default(),
        metrics: inner(part(&["metrics"])),
        details: inner(part(&["details"])),
        message: part(&["message"]).and_then(text),
    }
}

fn status_of(value: &Value) -> HealthStatus {
    match value {
        Value::String(word) => HealthStatus::from_word(word),
        Value::Bool(true) => HealthStatus::Healthy,
        Value::Bool(false) => HealthStatus::Unhealthy,
        _ => HealthStatus::Unknown,
    }
}

/// A list of `{name, status, message}`, or a map from name to status or to such an object.
fn dependencies(value: Value) -> Vec<DependencyHealth> {
    let of_parts = |name: Option<String>, mut parts: Object| {
        Some(DependencyHealth {
            name: name.or_else(|| take(&mut parts, &["name"]).and_then(text))?,
            status: take(&mut parts, &["status"]).as_ref().map(status_of).unwrap_or_default(),
            message: take(&mut parts, &["message"]).and_then(text),
        })
    };
    match value {
        Value::Array(entries) => entries
            .into_iter()
            .filter_map(|entry| match entry {
                Value::Object(parts) => of_parts(None, parts),
                name => Some(DependencyHealth { name: text(name)?, status: HealthStatus::Unknown, message: None }),
            })
            .collect(),
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .filter_map(|(name, entry)| match entry {
                Value::Object(parts) => of_parts(Some(name), parts),
                status => Some(DependencyHealth { name, status: status_of(&status), message: None }),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
