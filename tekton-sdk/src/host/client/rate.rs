//! How often a client may ask: `governor`'s GCRA over a store that is bounded.

use std::{
    cell::Cell,
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos};

use super::{key::Key, store::Store};

thread_local! {
    /// The moment of the check that this thread makes. `governor` asks its clock by itself; a request knows the time
    /// already, and reading a clock is a third of what a check costs.
    static MOMENT: Cell<Nanos> = const { Cell::new(Nanos::new(0)) };
}

/// The moment of the check that is being made, counted from the beginning of the limiter.
pub(super) fn moment() -> Nanos {
    MOMENT.get()
}

/// The clock that `governor` asks.
#[derive(Debug)]
struct Given;

impl Clock for Given {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        moment()
    }
}

/// So many requests in a second for each client, and so many at once.
pub(in crate::host) struct Rate {
    limiter: RateLimiter<Key, Store, Given, NoOpMiddleware<Nanos>>,
    epoch: Instant,
    per_second: u32,
}

impl Rate {
    /// Zeros count as one; the settings have been checked.
    pub(in crate::host) fn new(per_second: u32, burst: u32, max_clients: usize, epoch: Instant) -> Self {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        // The limiter counts from the moment at which it is made.
        MOMENT.set(Nanos::new(0));
        Self { limiter: RateLimiter::new(quota, Store::new(max_clients), Given), epoch, per_second }
    }

    /// Counts one request of this client.
    ///
    /// # Errors
    /// How long the client must wait until one is let in again.
    pub(in crate::host) fn take(&self, key: Key, now: Instant) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.epoch);
        let now = Nanos::new(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        MOMENT.set(now);
        self.limiter.check_key(&key).map_err(|until| until.wait_time_from(now))
    }

    pub(super) const fn per_second(&self) -> u32 {
        self.per_second
    }

    pub(in crate::host) fn known(&self) -> usize {
        self.limiter.len()
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").field("per_second", &self.per_second).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
