//! Seam: one observer of everything that happens.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{Event, Metrics};

/// Hears of everything that a handle does.
///
/// **When:** at once, on the task that did it. **Must not** block, panic or call back into the handle: what takes time
/// belongs behind a channel.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Hears of one event.
    fn observe(&self, event: &Event<'_>);
}

/// The observers of one handle, and its metrics, which hear of everything too; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Observers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    observers: Vec<Arc<dyn Observer>>,
    /// Set when the handle is built: rooms have their clone by then.
    metrics: OnceLock<Metrics>,
}

impl Observers {
    /// These observers, asked in this order.
    #[must_use]
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(Inner { observers, metrics: OnceLock::new() }))
    }

    /// Whether nobody listens, not even the metrics.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.observers.is_empty() && self.0.metrics.get().is_none()
    }

    /// Whether there is an observer. The metrics count calls, attempts and requests without an event.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.0.observers.is_empty()
    }

    /// Tells the metrics and every observer.
    pub fn tell(&self, event: &Event<'_>) {
        if let Some(metrics) = self.0.metrics.get() {
            metrics.count(event);
        }
        for observer in &self.0.observers {
            observer.observe(event);
        }
    }

    /// Lets these metrics hear of everything, in every clone. The first ones stay.
    #[cfg(feature = "metrics")]
    pub(crate) fn count_with(&self, metrics: Metrics) {
        // Set already, they belong to another handle that shares the observers.
        let _ = self.0.metrics.set(metrics);
    }
}
