//! How often a client may ask: `governor`'s GCRA over a store that is bounded.

use std::{
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos};

use super::{key::Key, store::Store};
use crate::time::SharedClock;

/// So many requests in a second for each client, and so many at once.
pub(super) struct Rate {
    limiter: RateLimiter<Key, Store, Ticks, NoOpMiddleware<Nanos>>,
    per_second: u32,
}

impl Rate {
    /// Zeros count as one; the settings have been checked.
    pub(super) fn new(per_second: u32, burst: u32, max_clients: usize, clock: SharedClock) -> Self {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let ticks = Ticks { epoch: clock.now(), clock };
        let store = Store::new(max_clients, ticks.clone());
        Self { limiter: RateLimiter::new(quota, store, ticks), per_second }
    }

    /// Counts one request of this client.
    ///
    /// # Errors
    /// How long the client must wait until one is let in again.
    pub(super) fn take(&self, key: Key) -> Result<(), Duration> {
        self.limiter.check_key(&key).map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    pub(super) const fn per_second(&self) -> u32 {
        self.per_second
    }

    pub(super) fn known(&self) -> usize {
        self.limiter.len()
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").field("per_second", &self.per_second).finish_non_exhaustive()
    }
}

/// The clock as `governor` reads it.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    epoch: Instant,
    clock: SharedClock,
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let since = self.clock.now().saturating_duration_since(self.epoch);
        Nanos::new(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
