//! How many run, in one word: what a call asks as long as nobody waits.

use super::sync::{AtomicU64, Ordering};

/// Set while the number may be changed by the holder of the lock only.
const LOCKED: u64 = 1 << 32;

/// The number of those that run, counted without a lock until somebody has to wait.
///
/// Whoever comes into the word under the lock sets the bit, and from then on the number is its own: all others find the bit and
/// go for the lock. Leaving the lock, it writes the number back, and lets the bit stand as long as somebody waits. So no place is
/// given back past a waiter, and none is taken past one.
#[derive(Debug)]
pub(super) struct Places(AtomicU64);

impl Places {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes a place if fewer than `most` are taken and nobody waits.
    pub(super) fn take(&self, most: u32) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        // The bit is above every number, so that one comparison asks for both.
        while word < u64::from(most) {
            match self.0.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Gives a place back; `false`, and nothing is given back, if somebody may wait for it.
    pub(super) fn give(&self) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        while word & LOCKED == 0 && word > 0 {
            match self.0.compare_exchange_weak(word, word - 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// The number, which nobody else changes until [`Self::leave`]. Only under the lock.
    pub(super) fn enter(&self) -> u32 {
        number(self.0.fetch_or(LOCKED, Ordering::AcqRel))
    }

    /// Writes the number back, and sends everybody to the lock if `waited` says that somebody waits.
    pub(super) fn leave(&self, running: u32, waited: bool) {
        self.0.store(u64::from(running) | if waited { LOCKED } else { 0 }, Ordering::Release);
    }

    /// How many run, as it is shown.
    pub(super) fn running(&self) -> u32 {
        number(self.0.load(Ordering::Relaxed))
    }

    /// Whether nobody runs, and nobody waits.
    pub(super) fn is_free(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is the number")]
const fn number(word: u64) -> u32 {
    word as u32
}
