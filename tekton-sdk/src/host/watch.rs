//! Counts requests when they end.

use std::{sync::Arc, time::Instant};

use http::StatusCode;

use super::{operations::Entry, router::Router};
use crate::{
    telemetry::{Event, Observers, ServedMetrics},
    time::SharedClock,
};

/// The status of an answer that nobody waited for; it is never sent.
const NOBODY_WAITED: u16 = 499;

/// Counts a request when it ends, also when it ends because nobody waits for the answer any more.
pub(super) struct Watch<'a> {
    router: &'a Router,
    entry: &'a Entry,
    pub(super) began: Instant,
    /// When it got its place.
    pub(super) turn: Instant,
    pub(super) status: u16,
    /// Whether a stream counts it.
    handed_over: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(router: &'a Router, entry: &'a Entry, began: Instant) -> Self {
        if let Some(metrics) = &entry.metrics {
            metrics.began();
        }
        Self { router, entry, began, turn: began, status: NOBODY_WAITED, handed_over: false }
    }

    /// Leaves it to a stream that has begun.
    pub(super) fn hand_over(&mut self) -> Counted {
        self.handed_over = true;
        Counted {
            metrics: self.entry.metrics.clone(),
            observers: self.router.observers.clone(),
            clock: self.router.clock.clone(),
            component: Arc::clone(&self.router.component),
            operation: self.entry.operation.name,
            began: self.began,
            status: NOBODY_WAITED,
        }
    }

    pub(super) const fn is_handed_over(&self) -> bool {
        self.handed_over
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        let Self { router, entry, began, turn, status, .. } = *self;
        let now = router.clock.now();
        let took = now.saturating_duration_since(began);
        if status == StatusCode::OK.as_u16() {
            entry.fastest.observe(now, now.saturating_duration_since(turn));
        }
        if let Some(metrics) = &entry.metrics {
            metrics.ended(took, status);
        }
        if router.observers.any() {
            let (component, operation) = (&*router.component, entry.operation.name);
            router.observers.tell(&Event::Served { component, operation, status, took });
        }
    }
}

/// Counts a stream when it ends.
pub(super) struct Counted {
    metrics: Option<ServedMetrics>,
    observers: Observers,
    clock: SharedClock,
    component: Arc<str>,
    operation: &'static str,
    began: Instant,
    /// How it ended; until somebody says so, because nobody waited for the rest.
    pub(super) status: u16,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Self { component, operation, status, .. } = self;
        let (operation, status) = (*operation, *status);
        let took = self.clock.now().saturating_duration_since(self.began);
        if let Some(metrics) = &self.metrics {
            metrics.ended(took, status);
        }
        if self.observers.any() {
            self.observers.tell(&Event::Served { component, operation, status, took });
        }
    }
}
