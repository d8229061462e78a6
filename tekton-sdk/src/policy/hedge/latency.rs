//! How long answers took lately, in buckets: it takes what is measured, and has no clock of its own.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// A bucket holds what begins with the same bits: this many behind the first one, so that it is at most an eighth wide.
const SUB_BITS: u32 = 3;
const SUBS: usize = 1 << SUB_BITS;
/// What takes no longer than this is told apart from nothing: about a microsecond.
const LOWEST_BITS: u32 = 10;
/// What takes longer than this shares the last bucket: about two minutes.
const HIGHEST_BITS: u32 = 37;
const BUCKETS: usize = (HIGHEST_BITS - LOWEST_BITS) as usize * SUBS;
/// At so many answers every count is halved, so that old ones fade.
const FULL: u32 = 2048;
/// An answer is known to so many others before the percentile is computed again.
const STALE_AFTER: u32 = 32;
/// The percentile lies in the upper bits of what is remembered, the nanoseconds in the lower.
const NANOS_BITS: u32 = 48;

/// Durations of answers, the recent ones weighing more.
///
/// Recording is two additions without a lock. The percentile of a number of answers is found within an eighth of its value, and
/// is computed anew after every 32 of them.
#[derive(Debug)]
pub(super) struct Latencies {
    buckets: [AtomicU32; BUCKETS],
    total: AtomicU32,
    /// The percentile that was asked for last, and what it was.
    known: AtomicU64,
    /// How many were recorded since.
    since: AtomicU32,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU32::new(0)),
            total: AtomicU32::new(0),
            known: AtomicU64::new(0),
            since: AtomicU32::new(0),
        }
    }
}

impl Latencies {
    /// Counts one answer.
    pub(super) fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(place(nanos)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.since.fetch_add(1, Ordering::Relaxed);
        if self.total.fetch_add(1, Ordering::Relaxed) + 1 >= FULL {
            self.fade();
        }
    }

    /// How long the slowest of the quickest `percent` took; `None` while fewer than `least` answers are known.
    pub(super) fn percentile(&self, percent: u32, least: u32) -> Option<Duration> {
        if self.total.load(Ordering::Relaxed) < least {
            return None;
        }
        let percent = percent.clamp(1, 100);
        let known = self.known.load(Ordering::Relaxed);
        if known >> NANOS_BITS == u64::from(percent) && self.since.load(Ordering::Relaxed) < STALE_AFTER {
            return Some(Duration::from_nanos(known & ((1 << NANOS_BITS) - 1)));
        }
        let nanos = self.compute(percent)?;
        self.since.store(0, Ordering::Relaxed);
        self.known.store(u64::from(percent) << NANOS_BITS | nanos, Ordering::Relaxed);
        Some(Duration::from_nanos(nanos))
    }

    #[cold]
    fn compute(&self, percent: u32) -> Option<u64> {
        let counts: [u32; BUCKETS] = std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed));
        let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        let wanted = (total * u64::from(percent)).div_ceil(100);
        let mut seen = 0;
        let place = counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted && *count > 0
        })?;
        Some(upper(place))
    }

    /// Halves every count. What is recorded meanwhile is not lost.
    #[cold]
    fn fade(&self) {
        // One thread does it; whoever comes meanwhile goes on counting.
        if self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| (total >= FULL).then_some(0)).is_err()
        {
            return;
        }
        let mut left = 0_u32;
        for bucket in &self.buckets {
            let held = bucket.load(Ordering::Relaxed);
            bucket.fetch_sub(held.div_ceil(2), Ordering::Relaxed);
            left = left.saturating_add(held / 2);
        }
        self.total.fetch_add(left, Ordering::Relaxed);
    }
}

/// The bucket of a duration.
const fn place(nanos: u64) -> usize {
    let bits = u64::BITS - 1 - (nanos | 1).leading_zeros();
    if bits < LOWEST_BITS {
        0
    } else if bits >= HIGHEST_BITS {
        BUCKETS - 1
    } else {
        let sub = (nanos >> (bits - SUB_BITS)) as usize & (SUBS - 1);
        (bits - LOWEST_BITS) as usize * SUBS + sub
    }
}

/// The longest duration of a bucket, in nanoseconds.
const fn upper(place: usize) -> u64 {
    let (bits, sub) = (LOWEST_BITS + (place / SUBS) as u32, (place % SUBS) as u64);
    (((1 << SUB_BITS) + sub + 1) << (bits - SUB_BITS)) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(durations: &[u64], percent: u32) -> u64 {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent as usize).div_ceil(100) - 1]
    }

    #[test]
    fn nothing_is_said_before_enough_is_known() {
        let latencies = Latencies::default();
        for count in 0..20 {
            assert_eq!(latencies.percentile(95, 20), None, "{count}");
            latencies.record(Duration::from_millis(10));
        }
        let found = latencies.percentile(95, 20).unwrap();
        assert!((10.0..11.25).contains(&(found.as_secs_f64() * 1e3)), "{found:?}");
    }

    #[test]
    fn extremes_stay_within_the_buckets() {
        let latencies = Latencies::default();
        latencies.record(Duration::ZERO);
        assert!(latencies.percentile(99, 1).unwrap() < Duration::from_micros(2));
        let latencies = Latencies::default();
        latencies.record(Duration::MAX);
        let most = latencies.percentile(99, 1).unwrap();
        assert!((120..150).contains(&most.as_secs()), "{most:?}");
        assert_eq!(latencies.percentile(u32::MAX, 1), latencies.percentile(0, 1));
    }

    #[test]
    fn what_was_long_ago_fades() {
        let latencies = Latencies::default();
        for _ in 0..2000 {
            latencies.record(Duration::from_secs(1));
        }
        for _ in 0..6 * FULL {
            latencies.record(Duration::from_millis(1));
        }
        assert!(latencies.percentile(95, 20).unwrap() < Duration::from_millis(2));
    }

    #[test]
    fn threads_lose_nothing_that_fading_does_not_take() {
        let latencies = Latencies::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50_000).for_each(|n| latencies.record(Duration::from_micros(n))));
            }
        });
        let counts: u32 = latencies.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum();
        let total = latencies.total.load(Ordering::Relaxed);
        // Each bucket may be halved with one answer more than its total knows of at that moment.
        assert!(counts.abs_diff(total) <= 4 * BUCKETS as u32, "{counts} {total}");
        assert!(counts < 2 * FULL, "{counts}");
    }

    proptest! {
        #[test]
        fn a_percentile_is_found_within_an_eighth(
            durations in proptest::collection::vec(1_100..100_000_000_000_u64, 1..1_000),
            percent in 1..=99_u32,
        ) {
            let latencies = Latencies::default();
            for nanos in &durations {
                latencies.record(Duration::from_nanos(*nanos));
            }
            let found = latencies.percentile(percent, 1).unwrap().as_nanos() as u64;
            let exact = exact(&durations, percent);
            prop_assert!(exact <= found && found <= exact + exact / 8 + 1, "{} {}", exact, found);
        }

        #[test]
        fn each_duration_lies_in_its_bucket(nanos in 1_024..(1_u64 << HIGHEST_BITS)) {
            let place = place(nanos);
            prop_assert!(nanos <= upper(place));
            prop_assert!(place == 0 || nanos > upper(place - 1));
        }
    }
}
