//! The last so many calls, exactly.

use super::super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{Counts, Mark, number, pack, tag};

/// A ring of the last calls with their counts beside it.
///
/// Recording claims a place, swaps what stood there for the new mark, and adds the difference to the counts: three
/// compare-and-swaps at most. A window that is full of swift successes does not change by one more of them, so a success
/// then reads one word and writes none; that is exact, and scales with the number of threads.
#[derive(Debug)]
pub(in super::super) struct CountWindow {
    /// The next place, tagged with the epoch.
    next: AtomicU64,
    /// Sixteen bits each: epoch, calls, failed, slow.
    counts: AtomicU64,
    /// What stands in each place: 29 bits of the epoch, three of the mark.
    places: Box<[AtomicU32]>,
}

/// The most calls a window can hold: a count has sixteen bits.
pub(in super::super) const MAX_CALLS: u32 = u16::MAX as u32;

const PRESENT: u32 = 1;
const FAILED: u32 = 2;
const SLOW: u32 = 4;
const MARK_BITS: u32 = 3;

impl CountWindow {
    /// A window of this many calls, between 1 and [`MAX_CALLS`].
    pub(in super::super) fn new(calls: u32, epoch: u32) -> Self {
        let calls = calls.clamp(1, MAX_CALLS);
        Self {
            next: AtomicU64::new(pack(epoch, 0)),
            counts: AtomicU64::new(words(epoch, Counts::default())),
            places: (0..calls).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Whether one more swift success would change nothing.
    #[inline]
    pub(in super::super) fn is_full_of_successes(&self, epoch: u32) -> bool {
        let calls = self.places.len() as u64;
        self.counts.load(Ordering::Relaxed) == words(epoch, Counts { calls, failed: 0, slow: 0 })
    }

    /// Records one call and returns the counts with it; `None` if the epoch is over.
    pub(in super::super) fn record(&self, epoch: u32, mark: Mark) -> Option<Counts> {
        let place = self.claim(epoch)?;
        let new = PRESENT | if mark.failed { FAILED } else { 0 } | if mark.slow { SLOW } else { 0 };
        let old = self.replace(place, epoch, new)?;
        self.add(epoch, old, new)
    }

    /// The counts, of whatever epoch they are.
    pub(in super::super) fn shown(&self) -> Counts {
        unpack(self.counts.load(Ordering::Acquire))
    }

    /// Empties the window for another epoch. Called before the epoch is made known, by whoever holds the machine's lock.
    pub(in super::super) fn reset(&self, epoch: u32) {
        self.counts.store(words(epoch, Counts::default()), Ordering::Release);
        self.next.store(pack(epoch, 0), Ordering::Release);
    }

    fn claim(&self, epoch: u32) -> Option<usize> {
        let mut word = self.next.load(Ordering::Acquire);
        loop {
            if tag(word) != epoch {
                return None;
            }
            let place = number(word);
            let following = if place + 1 < self.places.len() as u32 { place + 1 } else { 0 };
            match self.next.compare_exchange_weak(word, pack(epoch, following), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(place as usize),
                Err(moved) => word = moved,
            }
        }
    }

    /// Puts the mark into its place and returns what this epoch had there; 0 is nothing.
    fn replace(&self, place: usize, epoch: u32, mark: u32) -> Option<u32> {
        let place = &self.places[place];
        let mine = epoch << MARK_BITS;
        let mut word = place.load(Ordering::Acquire);
        loop {
            let theirs = word & !(PRESENT | FAILED | SLOW);
            // A younger epoch has written here: this one is over.
            if word != 0 && mine.wrapping_sub(theirs) > u32::MAX / 2 {
                return None;
            }
            match place.compare_exchange_weak(word, mine | mark, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(if theirs == mine { word & (PRESENT | FAILED | SLOW) } else { 0 }),
                Err(changed) => word = changed,
            }
        }
    }

    fn add(&self, epoch: u32, old: u32, new: u32) -> Option<Counts> {
        let mut word = self.counts.load(Ordering::Acquire);
        loop {
            if !is_of(word, epoch) {
                return None;
            }
            let mut counts = unpack(word);
            for (bit, count) in [(PRESENT, &mut counts.calls), (FAILED, &mut counts.failed), (SLOW, &mut counts.slow)] {
                *count += u64::from(new & bit != 0);
                // What leaves was counted when it came, or is being counted by a thread that has claimed its place already.
                *count = count.wrapping_sub(u64::from(old & bit != 0)) & 0xFFFF;
            }
            let changed = words(epoch, counts);
            if changed == word {
                return Some(counts);
            }
            match self.counts.compare_exchange_weak(word, changed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(counts),
                Err(moved) => word = moved,
            }
        }
    }
}

const fn words(epoch: u32, counts: Counts) -> u64 {
    ((epoch as u64 & 0xFFFF) << 48) | (counts.calls << 32) | (counts.failed << 16) | counts.slow
}

const fn unpack(word: u64) -> Counts {
    Counts { calls: (word >> 32) & 0xFFFF, failed: (word >> 16) & 0xFFFF, slow: word & 0xFFFF }
}

const fn is_of(word: u64, epoch: u32) -> bool {
    word >> 48 == epoch as u64 & 0xFFFF
}
