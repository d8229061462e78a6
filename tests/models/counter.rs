//! A counter with a right and a wrong way to count: the proof that the checker sees the difference.

use super::sync::{AtomicU32, Ordering};

/// Counts.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU32);

impl Counter {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Wrong: another thread may come between the two.
    pub(crate) fn add_in_two_steps(&self) {
        self.0.store(self.0.load(Ordering::Acquire) + 1, Ordering::Release);
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}
