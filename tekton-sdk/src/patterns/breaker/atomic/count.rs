//! The last so many calls, exactly.

use super::super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{Counts, Mark, number, pack, tag};

/// A ring of the last calls with their counts beside it.
///
/// Recording claims a place, swaps what stood there for the new mark, and adds the difference to the counts: three
/// compare-and-swaps at most. A window that is full of swift successes does not change by one more of them, so a success
/// then reads one word and writes none; that is exact, and scales with the number of threads.
///
/// A mark can be replaced by another thread before its own has counted it. The counts are then one too low for that
/// moment, and could look clean while another failure is in the window; so a failure is announced in the same word before
/// it is written, and a window with one announced is not full of successes.
#[derive(Debug)]
pub(in super::super) struct CountWindow {
    /// The next place, tagged with the epoch.
    next: AtomicU64,
    /// Eight bits of the epoch, nine of the marks that are announced, fifteen of calls, sixteen each of failed and slow.
    counts: AtomicU64,
    /// What stands in each place: 29 bits of the epoch, three of the mark.
    places: Box<[AtomicU32]>,
}

/// The most calls a window can hold: a count has fifteen bits, and failures one for the sign.
pub(in super::super) const MAX_CALLS: u32 = 0x7FFF;
/// The most marks that can be announced at once.
const MAX_COMING: u64 = 0x1FF;

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
            counts: AtomicU64::new(word(epoch, 0, Counts::default())),
            places: (0..calls).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Whether one more swift success would change nothing.
    #[inline]
    pub(in super::super) fn is_full_of_successes(&self, epoch: u32) -> bool {
        let calls = self.places.len() as u64;
        self.counts.load(Ordering::Relaxed) == word(epoch, 0, Counts { calls, failed: 0, slow: 0 })
    }

    /// Records one call and returns the counts with it; `None` if the epoch is over.
    pub(in super::super) fn record(&self, epoch: u32, mark: Mark) -> Option<Counts> {
        let announced = (mark.failed || mark.slow) && self.announce(epoch)?;
        let place = self.claim(epoch)?;
        let new = PRESENT | if mark.failed { FAILED } else { 0 } | if mark.slow { SLOW } else { 0 };
        let old = self.replace(place, epoch, new)?;
        self.add(epoch, old, new, announced)
    }

    /// The counts, of whatever epoch they are.
    pub(in super::super) fn shown(&self) -> Counts {
        unpack(self.counts.load(Ordering::Acquire))
    }

    /// Empties the window for another epoch. Called before the epoch is made known, by whoever holds the machine's lock.
    pub(in super::super) fn reset(&self, epoch: u32) {
        // Swaps, so that every change of a word reads the one before, and no other order of them can be thought of.
        self.counts.swap(word(epoch, 0, Counts::default()), Ordering::AcqRel);
        self.next.swap(pack(epoch, 0), Ordering::AcqRel);
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

    /// Says that a mark is coming which is no swift success; false if too many are.
    fn announce(&self, epoch: u32) -> Option<bool> {
        let mut seen = self.counts.load(Ordering::Acquire);
        loop {
            if !is_of(seen, epoch) {
                return None;
            }
            if coming(seen) == MAX_COMING {
                return Some(false);
            }
            let announced = seen + (1 << COMING_AT);
            match self.counts.compare_exchange_weak(seen, announced, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(true),
                Err(changed) => seen = changed,
            }
        }
    }

    fn add(&self, epoch: u32, old: u32, new: u32, announced: bool) -> Option<Counts> {
        let mut seen = self.counts.load(Ordering::Acquire);
        loop {
            if !is_of(seen, epoch) {
                return None;
            }
            // The two with a sign wrap within their bits: what another thread has not counted yet may leave before it came.
            let change = |at: u32, bit: u32| {
                let count = (seen >> at) & SIGNED;
                count.wrapping_add(u64::from(new & bit != 0)).wrapping_sub(u64::from(old & bit != 0)) & SIGNED
            };
            let calls = ((seen >> CALLS_AT) & u64::from(MAX_CALLS)) + u64::from(old & PRESENT == 0);
            let counts = Counts { calls, failed: change(FAILED_AT, FAILED), slow: change(0, SLOW) };
            let changed = word(epoch, coming(seen) - u64::from(announced), counts);
            if changed == seen {
                return Some(unpack(seen));
            }
            match self.counts.compare_exchange_weak(seen, changed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(unpack(changed)),
                Err(moved) => seen = moved,
            }
        }
    }
}

const EPOCH_AT: u32 = 56;
const COMING_AT: u32 = 47;
const CALLS_AT: u32 = 32;
const FAILED_AT: u32 = 16;
const SIGNED: u64 = 0xFFFF;

const fn word(epoch: u32, coming: u64, counts: Counts) -> u64 {
    let epoch = (epoch as u64 & 0xFF) << EPOCH_AT;
    epoch | (coming << COMING_AT) | (counts.calls << CALLS_AT) | (counts.failed << FAILED_AT) | counts.slow
}

const fn coming(word: u64) -> u64 {
    (word >> COMING_AT) & MAX_COMING
}

/// The counts as they are shown: none below zero, and none above the calls.
fn unpack(word: u64) -> Counts {
    let calls = (word >> CALLS_AT) & u64::from(MAX_CALLS);
    let shown = |count: u64| if count > u64::from(MAX_CALLS) { 0 } else { count.min(calls) };
    Counts { calls, failed: shown((word >> FAILED_AT) & SIGNED), slow: shown(word & SIGNED) }
}

const fn is_of(word: u64, epoch: u32) -> bool {
    word >> EPOCH_AT == epoch as u64 & 0xFF
}
