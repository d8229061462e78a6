//! The numbers themselves: counted without a lock, and without losing one.

use std::{
    sync::atomic::{AtomicU16, AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of a histogram's buckets, in nanoseconds.
const BOUNDS: [u64; 15] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations, counted in buckets, with their sum. How many there were is the sum of the buckets, so that a counter of the same
/// events costs nothing more.
#[derive(Debug, Default)]
pub(super) struct Timing {
    buckets: [Count; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

/// A [`Timing`] as it was at one moment. Of an event that is being counted at that moment the sum may be there before its bucket.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    /// Upper bound in seconds, and how many were no longer than that.
    pub(super) buckets: Vec<(f64, u64)>,
    /// How many there were.
    pub(super) count: u64,
    /// Their sum in seconds.
    pub(super) sum: f64,
}

impl Timing {
    pub(super) fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.add();
        }
        // Five hundred years fit.
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(Count::get).sum()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (place, bucket) in self.buckets.iter().enumerate() {
            count += bucket.get();
            if let Some(bound) = BOUNDS.get(place) {
                buckets.push((Duration::from_nanos(*bound).as_secs_f64(), count));
            }
        }
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        Snapshot { buckets, count, sum }
    }
}

/// How many statuses of one operation are told apart.
const STATUSES: usize = 24;

/// Answers by status: the first statuses that come get a place each, the rest share one.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    known: [(AtomicU16, Count); STATUSES],
    rest: Count,
}

impl Statuses {
    pub(super) fn add(&self, status: u16) {
        for (known, count) in &self.known {
            if known.load(Ordering::Relaxed) == status {
                return count.add();
            }
            // 0 is no status: such a place is free. Where another thread took it meanwhile, it may have been for the same status.
            let ours = match known.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => true,
                Err(is) => is == status,
            };
            if ours {
                return count.add();
            }
        }
        self.rest.add();
    }

    /// Status and count; 0 stands for all that have no place of their own.
    pub(super) fn all(&self) -> impl Iterator<Item = (u16, u64)> {
        let known = self.known.iter().map(|(status, count)| (status.load(Ordering::Relaxed), count.get()));
        known.chain([(0, self.rest.get())]).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let timing = Timing::default();
        for micros in [0, 500, 501, 1_000, 30_000_000, 30_000_001] {
            timing.observe(Duration::from_micros(micros));
        }
        let Snapshot { buckets, count, sum } = timing.snapshot();
        assert_eq!((count, timing.count()), (6, 6));
        assert_eq!(buckets.first(), Some(&(0.0005, 2)));
        assert_eq!(buckets.get(1), Some(&(0.001, 4)));
        assert_eq!(buckets.last(), Some(&(30.0, 5)));
        assert!((sum - 60.002_002).abs() < 1e-6, "{sum}");
        timing.observe(Duration::MAX);
        assert_eq!(timing.count(), 7);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let (timing, statuses) = (Timing::default(), Statuses::default());
        std::thread::scope(|scope| {
            for thread in 0..4_u16 {
                let (timing, statuses) = (&timing, &statuses);
                scope.spawn(move || {
                    for n in 0..10_000_u16 {
                        timing.observe(Duration::from_micros(u64::from(n)));
                        statuses.add(200 + (n + thread) % 30);
                    }
                });
            }
        });
        assert_eq!(timing.count(), 40_000);
        let all: Vec<_> = statuses.all().collect();
        assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 40_000);
        let mut distinct: Vec<_> = all.iter().map(|(status, _)| status).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((distinct.len(), all.len()), (STATUSES + 1, STATUSES + 1), "each status has one place");
    }
}
