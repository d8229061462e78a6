//! The right to make one call, and the duty to say how it went.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use super::{
    atomic::Mode,
    circuit::{Inner, NONE, nanos},
};
use crate::error::Verdict;

/// What both permits are: of which epoch, and when it began if calls are timed.
///
/// Times are nanoseconds since the breaker's making, [`NONE`] for none: an `Option<Instant>` is copied with its padding byte
/// by byte, which costs more than all the rest of a call.
pub(super) struct Ticket<R: Deref<Target = Inner>> {
    breaker: R,
    mode: Mode,
    epoch: u32,
    settled: bool,
    began: u64,
    told: u64,
}

impl<R: Deref<Target = Inner>> Ticket<R> {
    #[inline]
    pub(super) const fn new(breaker: R, mode: Mode, epoch: u32, began: u64) -> Self {
        Self { breaker, mode, epoch, settled: false, began, told: NONE }
    }

    #[inline]
    fn settle(&mut self, verdict: Verdict, took: u64) {
        self.settled = true;
        let calm = verdict == Verdict::Success && took == NONE && self.began == NONE && self.mode == Mode::Closed;
        if !(calm && self.breaker.is_settled(self.epoch)) {
            self.count(verdict, took);
        }
    }

    fn count(&mut self, verdict: Verdict, took: u64) {
        if verdict == Verdict::Ignored {
            return self.breaker.give_back(self.mode, self.epoch);
        }
        let failed = verdict == Verdict::Failure;
        self.breaker.record(self.mode, self.epoch, failed, took, self.began, self.told);
    }
}

impl<R: Deref<Target = Inner>> Drop for Ticket<R> {
    #[inline]
    fn drop(&mut self) {
        if !self.settled {
            // A panic that unwinds through the call is a failure; otherwise the call was given up, which says nothing.
            self.count(if std::thread::panicking() { Verdict::Failure } else { Verdict::Ignored }, NONE);
        }
    }
}

macro_rules! permit {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)?, $holder:ty) => {
        $(#[$doc])*
        #[must_use = "a permit that is dropped at once counts as a call that was given up"]
        pub struct $name $(<$life>)? (pub(super) Ticket<$holder>);

        impl $(<$life>)? $name $(<$life>)? {
            /// The call went well.
            #[inline]
            pub fn success(mut self) {
                self.0.settle(Verdict::Success, NONE);
            }

            /// The call failed.
            pub fn failure(mut self) {
                self.0.settle(Verdict::Failure, NONE);
            }

            /// The call says nothing about the callee; a probe's permit comes back for another.
            pub fn ignored(mut self) {
                self.0.settle(Verdict::Ignored, NONE);
            }

            /// What the call was, by the verdict of a classification.
            #[inline]
            pub fn settle(mut self, verdict: Verdict) {
                self.0.settle(verdict, NONE);
            }

            /// What the call was, and how long it took by the caller's own measure.
            pub fn record(mut self, verdict: Verdict, took: Duration) {
                self.0.settle(verdict, nanos(took));
            }

            /// Says how long the callee asked to be left alone: if this call opens the breaker, it waits at least so long.
            pub fn set_retry_after(&mut self, wait: Duration) {
                self.0.told = nanos(wait);
            }
        }

        impl $(<$life>)? fmt::Debug for $name $(<$life>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0.breaker.name()).finish()
            }
        }
    };
}

permit! {
    /// The right to make one call; it borrows its breaker.
    ///
    /// Dropped without a word it counts nothing, and a probe's comes back for another; dropped by a panic it is a failure.
    Permit<'a>, &'a Inner
}

permit! {
    /// The right to make one call; it keeps its breaker, so that it can be moved into a task.
    ///
    /// Dropped without a word it counts nothing, and a probe's comes back for another; dropped by a panic it is a failure.
    OwnedPermit, Arc<Inner>
}
