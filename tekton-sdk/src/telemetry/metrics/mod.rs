//! The numbers: handles resolved once, counted without a lock, shown to whoever scrapes the registry.

#[cfg(feature = "metrics")]
mod calls;
#[cfg(feature = "metrics")]
mod capped;
#[cfg(feature = "metrics")]
mod cells;
#[cfg(feature = "metrics")]
mod collect;
mod limit;
#[cfg(feature = "metrics")]
mod served;
#[cfg(all(test, feature = "metrics"))]
mod tests;

#[cfg(feature = "metrics")]
use std::sync::Arc;
use std::time::Duration;

pub use limit::HostLimit;

use super::Event;
use crate::error::{ErrorKind, Verdict};
#[cfg(feature = "metrics")]
use crate::{
    error::{Error, Result},
    telemetry::{Introspect, names},
};

/// The metrics of one handle, in one registry; cheap to clone. [`names::METRICS`](super::names::METRICS) lists them.
///
/// The values of each label are bounded in number and in length. What comes after the bound is counted under
/// [`OTHER`](super::names::OTHER): no name from the network makes a process grow.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), non_exhaustive)]
pub struct Metrics {
    #[cfg(feature = "metrics")]
    all: Arc<All>,
}

/// Everything that is counted.
#[cfg(feature = "metrics")]
#[derive(Debug, Default)]
struct All {
    calls: calls::Calls,
    retries: capped::Capped<1>,
    not_retried: capped::Capped<1>,
    transitions: capped::Capped<2>,
    refusals: capped::Capped<0>,
    policy_refusals: capped::Capped<1>,
    served: served::Served,
}

/// The handles of one source, target and endpoint; cheap to clone.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), non_exhaustive)]
pub struct CallMetrics {
    #[cfg(feature = "metrics")]
    cells: Arc<calls::Cells>,
}

/// The handles of one served component and operation; cheap to clone.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), non_exhaustive)]
pub struct ServedMetrics {
    #[cfg(feature = "metrics")]
    component: Arc<served::Component>,
    #[cfg(feature = "metrics")]
    cells: Arc<served::Cells>,
}

#[cfg(feature = "metrics")]
impl Metrics {
    /// Registers the metrics. The parts are asked for their gauges at each scrape, as long as somebody else holds them.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if metrics of these names are registered already.
    pub fn register(registry: &prometheus::Registry, parts: Arc<[Arc<dyn Introspect>]>) -> Result<Self> {
        let all = Arc::<All>::default();
        collect::Collects::new(Arc::clone(&all), Arc::downgrade(&parts))
            .and_then(|collects| registry.register(Box::new(collects)))
            .map_err(|error| {
                let what = format!("the metrics {} and others cannot be registered", names::REQUESTS_TOTAL);
                Error::config(what).with_source(error)
            })?;
        Ok(Self { all })
    }

    /// The handles of one source, target and endpoint; resolve them once and keep them.
    #[must_use]
    pub fn of(&self, source: &str, target: &str, endpoint: &str) -> CallMetrics {
        CallMetrics { cells: self.all.calls.of(source, target, endpoint) }
    }

    /// The handles of one served component and operation; resolve them once and keep them.
    #[must_use]
    pub fn served(&self, component: &str, operation: &str) -> ServedMetrics {
        let component = self.all.served.of(component);
        ServedMetrics { cells: component.of(operation), component }
    }

    /// Counts what rooms tell. Calls and attempts have handles of their own.
    pub(super) fn count(&self, event: &Event<'_>) {
        match *event {
            Event::Retrying { target, reason, .. } => self.all.retries.add(target, [reason]),
            Event::NotRetried { target, reason, .. } => self.all.not_retried.add(target, [reason]),
            Event::BreakerChanged { breaker, from, to, .. } => self.all.transitions.add(breaker, [from, to]),
            Event::BreakerRefused { breaker } => self.all.refusals.add(breaker, []),
            Event::PolicyRefused { policy, target, .. } => self.all.policy_refusals.add(target, [policy]),
            _ => {}
        }
    }
}

#[cfg(not(feature = "metrics"))]
impl Metrics {
    /// Metrics that measure nothing: the feature `metrics` is off.
    #[must_use]
    pub const fn off() -> Self {
        Self {}
    }

    /// Handles that measure nothing.
    #[must_use]
    pub const fn of(&self, _source: &str, _target: &str, _endpoint: &str) -> CallMetrics {
        CallMetrics {}
    }

    /// Handles that measure nothing.
    #[must_use]
    pub const fn served(&self, _component: &str, _operation: &str) -> ServedMetrics {
        ServedMetrics {}
    }

    pub(super) const fn count(&self, _event: &Event<'_>) {}
}

#[cfg_attr(not(feature = "metrics"), expect(clippy::missing_const_for_fn, reason = "there is nothing to count with"))]
impl CallMetrics {
    /// Counts one call: how long it took, and with which kind of error it failed.
    pub fn call(&self, took: Duration, failed: Option<ErrorKind>) {
        #[cfg(feature = "metrics")]
        self.cells.call(took, failed);
        #[cfg(not(feature = "metrics"))]
        let _ = (took, failed);
    }

    /// Counts one attempt: how long it took, and what it says about the callee; `None` when nobody waited for it any more.
    pub fn attempt(&self, took: Duration, verdict: Option<Verdict>) {
        #[cfg(feature = "metrics")]
        self.cells.attempt(took, verdict);
        #[cfg(not(feature = "metrics"))]
        let _ = (took, verdict);
    }

    /// Counts one attempt that was sent beside a slow one, by how it ended: one of [`OUTCOMES`](super::names::OUTCOMES).
    pub fn hedged(&self, outcome: &str) {
        #[cfg(feature = "metrics")]
        self.cells.hedged(outcome);
        #[cfg(not(feature = "metrics"))]
        let _ = outcome;
    }

    /// Counts one answer that the callee did not give to the call itself: one of [`ORIGINS`](super::names::ORIGINS).
    pub fn stood_in(&self, origin: &str) {
        #[cfg(feature = "metrics")]
        self.cells.stood_in(origin);
        #[cfg(not(feature = "metrics"))]
        let _ = origin;
    }
}

#[cfg_attr(not(feature = "metrics"), expect(clippy::missing_const_for_fn, reason = "there is nothing to count with"))]
impl ServedMetrics {
    /// A request has come.
    pub fn began(&self) {
        #[cfg(feature = "metrics")]
        self.component.moved(1);
    }

    /// It was answered with this status, or, with 499, nobody waited for the answer any more.
    pub fn ended(&self, took: Duration, status: u16) {
        #[cfg(feature = "metrics")]
        {
            self.component.moved(-1);
            self.cells.took.observe(took);
            self.cells.statuses.add(status);
        }
        #[cfg(not(feature = "metrics"))]
        let _ = (took, status);
    }

    /// A request that no operation began to serve was answered with this status.
    pub fn turned_away(&self, status: u16) {
        #[cfg(feature = "metrics")]
        self.cells.statuses.add(status);
        #[cfg(not(feature = "metrics"))]
        let _ = status;
    }

    /// This limit of the host refused it.
    pub fn refused(&self, limit: HostLimit) {
        #[cfg(feature = "metrics")]
        if let Some(count) = self.cells.refused.get(limit as usize) {
            count.add();
        }
        #[cfg(not(feature = "metrics"))]
        let _ = limit;
    }
}
