//! The settings of a [`MeshTransport`](super::MeshTransport).

use std::time::Duration;

use crate::error::{Error, Result};

/// Settings of a [`MeshTransport`](super::MeshTransport).
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::transport::MeshTransportConfig;
///
/// let config = MeshTransportConfig::default();
/// assert_eq!(config.connect_timeout, Duration::from_secs(2));
/// assert_eq!(config.max_idle_per_endpoint, 64);
/// assert_eq!(config.idle_timeout, Duration::from_secs(4));
/// assert_eq!(config.max_age, Duration::from_secs(300));
/// assert_eq!(config.max_endpoints, 1024);
/// assert_eq!(config.max_header_bytes, 64 << 10);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshTransportConfig {
    /// How long making a connection may take: the look-up of the name, every address that is tried, and TLS. Default: 2 s.
    pub connect_timeout: Duration,
    /// How many idle connections are kept for each endpoint. Default: 64.
    pub max_idle_per_endpoint: usize,
    /// How long an idle connection is kept. Default: 4 s, because uvicorn, under upstream's components, closes after 5 s.
    pub idle_timeout: Duration,
    /// How long a connection is used, so that a changed address or a new instance behind it is noticed. Default: 5 min.
    pub max_age: Duration,
    /// For how many endpoints connections are kept; beyond, the one that was called longest ago loses its idle ones. Default: 1024.
    pub max_endpoints: usize,
    /// The largest head of an answer. Default: 64 KiB.
    pub max_header_bytes: usize,
    /// Whether every endpoint is spoken to in HTTP/2, without asking it first (RFC 9113 §3.3), over `https` by ALPN. Default: no.
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub http2: bool,
    /// How many calls share one connection of HTTP/2, if the callee does not allow fewer; more of them open another connection.
    /// Default: 100.
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub max_streams_per_connection: usize,
}

impl Default for MeshTransportConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            max_idle_per_endpoint: 64,
            idle_timeout: Duration::from_secs(4),
            max_age: Duration::from_secs(300),
            max_endpoints: 1024,
            max_header_bytes: 64 << 10,
            #[cfg(feature = "http2")]
            http2: false,
            #[cfg(feature = "http2")]
            max_streams_per_connection: 100,
        }
    }
}

impl MeshTransportConfig {
    /// Sets how long making a connection may take.
    #[must_use]
    pub const fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Keeps so many idle connections for each endpoint.
    #[must_use]
    pub const fn with_max_idle_per_endpoint(mut self, count: usize) -> Self {
        self.max_idle_per_endpoint = count;
        self
    }

    /// Keeps an idle connection so long.
    #[must_use]
    pub const fn with_idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Uses a connection so long.
    #[must_use]
    pub const fn with_max_age(mut self, limit: Duration) -> Self {
        self.max_age = limit;
        self
    }

    /// Keeps connections for so many endpoints.
    #[must_use]
    pub const fn with_max_endpoints(mut self, count: usize) -> Self {
        self.max_endpoints = count;
        self
    }

    /// Sets the largest head of an answer.
    #[must_use]
    pub const fn with_max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// Speaks HTTP/2 to every endpoint.
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub const fn with_http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Lets so many calls share one connection of HTTP/2.
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub const fn with_max_streams_per_connection(mut self, count: usize) -> Self {
        self.max_streams_per_connection = count;
        self
    }

    /// Checks the settings against their bounds.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the field and its bound.
    pub fn validate(&self) -> Result<()> {
        let least = |name: &str, value: usize, least: usize| match value < least {
            true => Err(Error::config(format!("{name} must be at least {least}, is {value}"))),
            false => Ok(()),
        };
        if self.connect_timeout.is_zero() {
            return Err(Error::config("connect_timeout must be more than nothing"));
        }
        least("max_endpoints", self.max_endpoints, 1)?;
        #[cfg(feature = "http2")]
        least("max_streams_per_connection", self.max_streams_per_connection, 1)?;
        // Below it hyper would have no room for a usual answer.
        least("max_header_bytes", self.max_header_bytes, 8192)
    }
}
