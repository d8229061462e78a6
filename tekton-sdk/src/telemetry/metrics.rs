//! Request metrics, their handles resolved once.

use std::time::Duration;

#[cfg(feature = "metrics")]
use prometheus::{Counter, CounterVec, Histogram, HistogramOpts, HistogramVec, Opts, Registry};

use crate::error::Result;
#[cfg(feature = "metrics")]
use crate::{error::Error, telemetry::names};

/// The request metrics of one registry.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), non_exhaustive)]
pub struct RequestMetrics {
    #[cfg(feature = "metrics")]
    total: CounterVec,
    #[cfg(feature = "metrics")]
    seconds: HistogramVec,
}

/// The handles of one source, target and endpoint.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), non_exhaustive)]
pub struct CallMetrics {
    #[cfg(feature = "metrics")]
    total: Counter,
    #[cfg(feature = "metrics")]
    seconds: Histogram,
}

#[cfg(feature = "metrics")]
impl RequestMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if metrics of these names are registered already.
    pub fn register(registry: &Registry) -> Result<Self> {
        let labels = [names::SOURCE, names::TARGET, names::ENDPOINT];
        let taken = |name: &str, error: prometheus::Error| {
            Error::config(format!("the metric {name} cannot be registered")).with_source(error)
        };
        let total = Opts::new(names::REQUESTS_TOTAL, "Calls made to other components.");
        let seconds = HistogramOpts::new(names::DURATION_SECONDS, "Seconds a call took, with all its attempts.")
            .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let total = CounterVec::new(total, &labels).map_err(|e| taken(names::REQUESTS_TOTAL, e))?;
        let seconds = HistogramVec::new(seconds, &labels).map_err(|e| taken(names::DURATION_SECONDS, e))?;
        registry.register(Box::new(total.clone())).map_err(|e| taken(names::REQUESTS_TOTAL, e))?;
        registry.register(Box::new(seconds.clone())).map_err(|e| taken(names::DURATION_SECONDS, e))?;
        Ok(Self { total, seconds })
    }

    /// The handles of one source, target and endpoint; resolve them once and keep them.
    #[must_use]
    pub fn of(&self, source: &str, target: &str, endpoint: &str) -> CallMetrics {
        let labels = [source, target, endpoint];
        CallMetrics { total: self.total.with_label_values(&labels), seconds: self.seconds.with_label_values(&labels) }
    }
}

#[cfg(not(feature = "metrics"))]
impl RequestMetrics {
    /// Metrics that measure nothing: the feature `metrics` is off.
    ///
    /// # Errors
    /// None.
    pub const fn off() -> Result<Self> {
        Ok(Self {})
    }

    /// Handles that measure nothing.
    #[must_use]
    pub const fn of(&self, _source: &str, _target: &str, _endpoint: &str) -> CallMetrics {
        CallMetrics {}
    }
}

impl CallMetrics {
    /// Counts one call and how long it took.
    pub fn record(&self, took: Duration) {
        #[cfg(feature = "metrics")]
        {
            self.total.inc();
            self.seconds.observe(took.as_secs_f64());
        }
        #[cfg(not(feature = "metrics"))]
        let _ = took;
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_under_the_guides_names() {
        let registry = Registry::new();
        let metrics = RequestMetrics::register(&registry).unwrap();
        metrics.of("reader", "summarizer", "summarize").record(Duration::from_millis(3));
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line = r#"integration_requests_total{endpoint="summarize",source="reader",target="summarizer"} 1"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains(r#"integration_duration_seconds_bucket{endpoint="summarize""#), "{text}");
        assert!(RequestMetrics::register(&registry).is_err());
    }
}
