//! Seam: one observer, and one event for everything that happens.

use std::{fmt, sync::Arc, time::Duration};

use crate::error::{ErrorKind, Verdict};

/// Hears of everything that a handle does.
///
/// **When:** at once, on the task that did it. **Must not** block, panic or call back into the handle: what takes time
/// belongs behind a channel.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Hears of one event.
    fn observe(&self, event: &Event<'_>);
}

/// What happened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A call ended, with all its attempts; also when nobody waited for it any more.
    #[non_exhaustive]
    CallEnded {
        /// The component that was called, as the caller named it.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// How many attempts were made; 0 when it was given up before its end.
        attempts: u32,
        /// How long it took.
        took: Duration,
        /// `None` for a success and for a call that was given up.
        error: Option<ErrorKind>,
    },
    /// An attempt ended.
    #[non_exhaustive]
    AttemptEnded {
        /// The component that was called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// Which attempt; the first is 1.
        attempt: u32,
        /// How long it took.
        took: Duration,
        /// What it says about the callee; `None` when nobody waited for it any more.
        verdict: Option<Verdict>,
    },
    /// Another attempt will be made after this wait.
    #[non_exhaustive]
    Retrying {
        /// The component that is called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// The number of the attempt to come.
        attempt: u32,
        /// How long it waits before.
        wait: Duration,
        /// Why: the failure's kind, as `connect`, or `status_503`.
        reason: &'a str,
    },
    /// A failed attempt is not followed by another, although it could be.
    #[non_exhaustive]
    NotRetried {
        /// The component that is called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// How many attempts were made.
        attempts: u32,
        /// What forbids it: `attempts`, `budget`, `deadline`, `unsafe`, `nested` or `stream`.
        reason: &'a str,
    },
    /// A breaker changed its state.
    #[non_exhaustive]
    BreakerChanged {
        /// The breaker's key.
        breaker: &'a str,
        /// The state it left, as `closed`.
        from: &'a str,
        /// The state it entered, as `open`.
        to: &'a str,
        /// Why, as `failure_rate`.
        reason: &'a str,
    },
    /// A breaker refused a call.
    #[non_exhaustive]
    BreakerRefused {
        /// The breaker's key.
        breaker: &'a str,
    },
}

/// The observers of a handle; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Observers(Option<Arc<[Arc<dyn Observer>]>>);

impl Observers {
    /// These observers, asked in this order.
    #[must_use]
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self((!observers.is_empty()).then(|| observers.into()))
    }

    /// Whether nobody listens.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Tells every observer.
    pub fn tell(&self, event: &Event<'_>) {
        for observer in self.0.iter().flat_map(|observers| observers.iter()) {
            observer.observe(event);
        }
    }
}
