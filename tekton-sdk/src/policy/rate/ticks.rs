//! The injected clock, as `governor` reads one.

use std::{
    ops::Add,
    time::{Duration, Instant},
};

use governor::{
    clock::{Clock, Reference},
    nanos::Nanos,
};

use crate::time::SharedClock;

/// A clock that counts the nanoseconds since it was made.
#[derive(Debug)]
pub(super) struct Ticks {
    clock: SharedClock,
    began: Instant,
}

/// A reading of [`Ticks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Ticks {
    pub(super) fn new(clock: SharedClock) -> Self {
        let began = clock.now();
        Self { clock, began }
    }

    pub(super) fn at(&self, now: Instant) -> Tick {
        Tick(nanos(now.saturating_duration_since(self.began)))
    }
}

impl Clock for Ticks {
    type Instant = Tick;

    fn now(&self) -> Tick {
        self.at(self.clock.now())
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

impl Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, more: Nanos) -> Self {
        Self(self.0.saturating_add(more.as_u64()))
    }
}

fn nanos(span: Duration) -> u64 {
    // Five hundred years fit.
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
