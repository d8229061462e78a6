//! How fast an operation was at best.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long what was measured counts: from one to two of these.
const WINDOW: Duration = Duration::from_secs(10);

/// The shortest execution of the last ten to twenty seconds. It forgets, so that an operation that was slow for a while is
/// tried again. Two threads that turn the window at once may lose a measurement.
#[derive(Debug)]
pub(in crate::host) struct Fastest {
    /// The first moment that it heard of.
    epoch: OnceLock<Instant>,
    /// When the current window began, in nanoseconds after the epoch.
    began: AtomicU64,
    current: AtomicU64,
    before: AtomicU64,
}

/// Nothing was measured.
const NONE: u64 = u64::MAX;

impl Default for Fastest {
    fn default() -> Self {
        let none = || AtomicU64::new(NONE);
        Self { epoch: OnceLock::new(), began: AtomicU64::new(0), current: none(), before: none() }
    }
}

impl Fastest {
    /// An execution that went well took this long.
    pub(in crate::host) fn observe(&self, now: Instant, took: Duration) {
        self.turn(now);
        let nanos = nanos(took);
        // The usual case only reads.
        if nanos < self.current.load(Ordering::Relaxed) {
            self.current.fetch_min(nanos, Ordering::Relaxed);
        }
    }

    /// The shortest that is known.
    pub(in crate::host) fn get(&self, now: Instant) -> Option<Duration> {
        self.turn(now);
        let least = self.current.load(Ordering::Relaxed).min(self.before.load(Ordering::Relaxed));
        (least != NONE).then(|| Duration::from_nanos(least))
    }

    fn turn(&self, now: Instant) {
        let now = nanos(now.saturating_duration_since(*self.epoch.get_or_init(|| now)));
        let began = self.began.load(Ordering::Relaxed);
        let age = now.saturating_sub(began);
        if age < nanos(WINDOW) {
            return;
        }
        if self.began.compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let ended = self.current.swap(NONE, Ordering::Relaxed);
            self.before.store(if age < 2 * nanos(WINDOW) { ended } else { NONE }, Ordering::Relaxed);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, ManualClock};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_best_is_remembered_and_forgotten() {
        let clock = ManualClock::new();
        let fastest = Fastest::default();
        assert_eq!(fastest.get(clock.now()), None);
        fastest.observe(clock.now(), 3 * SECOND);
        fastest.observe(clock.now(), 2 * SECOND);
        fastest.observe(clock.now(), 5 * SECOND);
        clock.advance(10 * SECOND);
        assert_eq!(fastest.get(clock.now()), Some(2 * SECOND));
        fastest.observe(clock.now(), 4 * SECOND);
        assert_eq!(fastest.get(clock.now()), Some(2 * SECOND));
        clock.advance(10 * SECOND);
        assert_eq!(fastest.get(clock.now()), Some(4 * SECOND));
        fastest.observe(clock.now(), 3 * SECOND);
        // Two windows pass without a look at it.
        clock.advance(20 * SECOND);
        assert_eq!(fastest.get(clock.now()), None);
    }
}
