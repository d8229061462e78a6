//! The calls of the last so many seconds, in buckets of one second.

use super::super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{Counts, Mark, number, pack, tag};

/// A ring of seconds. Seconds are counted from the breaker's making.
///
/// Every word carries the second it counts, so the first to come in a new second takes it over by one compare-and-swap,
/// and what is too old is told by its tag and never has to be swept away.
#[derive(Debug)]
pub(in super::super) struct TimeWindow {
    /// The tick of second zero, tagged with the epoch: a reset moves it on by a window, which puts all that was
    /// counted out of reach.
    origin: AtomicU64,
    /// The tick of the last call that failed or was slow.
    last_bad: AtomicU32,
    buckets: Box<[Bucket]>,
}

/// Each word: the tick it counts, and how many.
#[derive(Debug)]
struct Bucket {
    calls: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
}

/// The most seconds a window can hold.
pub(in super::super) const MAX_SECONDS: u32 = 3600;

impl TimeWindow {
    /// A window of this many seconds, between 1 and [`MAX_SECONDS`].
    pub(in super::super) fn new(seconds: u32, epoch: u32) -> Self {
        let seconds = seconds.clamp(1, MAX_SECONDS);
        let bucket = |_| Bucket { calls: AtomicU64::new(0), failed: AtomicU64::new(0), slow: AtomicU64::new(0) };
        Self {
            // Ticks of zero, which the words begin with, are a window away from the first second.
            origin: AtomicU64::new(pack(epoch, seconds)),
            last_bad: AtomicU32::new(0),
            buckets: (0..seconds).map(bucket).collect(),
        }
    }

    /// Records one call in this second and returns the counts with it; `None` if the epoch is over.
    /// The counts are all zero where nothing in the window failed or was slow: then there is nothing to judge.
    pub(in super::super) fn record(&self, epoch: u32, second: u32, mark: Mark) -> Option<Counts> {
        let tick = self.tick(epoch, second)?;
        let bucket = &self.buckets[tick as usize % self.buckets.len()];
        // Failures first, so that whoever reads meanwhile never misses one whose call is counted.
        if mark.failed {
            count(&bucket.failed, tick);
        }
        if mark.slow {
            count(&bucket.slow, tick);
        }
        if mark.failed || mark.slow {
            raise(&self.last_bad, tick);
        }
        count(&bucket.calls, tick);
        if self.holds(tick, self.last_bad.load(Ordering::Acquire)) {
            Some(self.sum(tick))
        } else {
            Some(Counts::default())
        }
    }

    /// The counts of the window that ends with this second, of whatever epoch they are.
    pub(in super::super) fn shown(&self, second: u32) -> Counts {
        self.sum(number(self.origin.load(Ordering::Acquire)).wrapping_add(second))
    }

    /// Empties the window for another epoch. Called before the epoch is made known, by whoever holds the machine's lock.
    pub(in super::super) fn reset(&self, epoch: u32) {
        let origin = number(self.origin.load(Ordering::Acquire)).wrapping_add(self.buckets.len() as u32);
        self.origin.swap(pack(epoch, origin), Ordering::AcqRel);
    }

    fn tick(&self, epoch: u32, second: u32) -> Option<u32> {
        let word = self.origin.load(Ordering::Acquire);
        (tag(word) == epoch).then(|| number(word).wrapping_add(second))
    }

    /// Whether the window that ends at `tick` holds that other tick.
    fn holds(&self, tick: u32, other: u32) -> bool {
        (tick.wrapping_sub(other) as usize) < self.buckets.len()
    }

    fn sum(&self, tick: u32) -> Counts {
        let read = |word: &AtomicU64| {
            let word = word.load(Ordering::Acquire);
            if self.holds(tick, tag(word)) { u64::from(number(word)) } else { 0 }
        };
        let mut sum = Counts::default();
        for bucket in &self.buckets {
            // Calls first: a call that is counted in between can then only raise the failures, never hide one.
            sum.calls += read(&bucket.calls);
            sum.failed += read(&bucket.failed);
            sum.slow += read(&bucket.slow);
        }
        sum.failed = sum.failed.min(sum.calls);
        sum.slow = sum.slow.min(sum.calls);
        sum
    }
}

/// Moves the word on to this tick, never back: a thread that was held up must not hide what is younger than its call.
fn raise(word: &AtomicU32, tick: u32) {
    let mut seen = word.load(Ordering::Acquire);
    while seen != tick && tick.wrapping_sub(seen) <= u32::MAX / 2 {
        match word.compare_exchange_weak(seen, tick, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(changed) => seen = changed,
        }
    }
}

/// Adds one to what is counted at this tick; nothing if the word has gone on to a younger one.
fn count(word: &AtomicU64, tick: u32) {
    let mut seen = word.load(Ordering::Acquire);
    loop {
        let counted = match tick.wrapping_sub(tag(seen)) {
            0 => number(seen).saturating_add(1),
            // Older by less than half of all ticks: taken over.
            age if age <= u32::MAX / 2 => 1,
            _ => return,
        };
        match word.compare_exchange_weak(seen, pack(tick, counted), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(changed) => seen = changed,
        }
    }
}
