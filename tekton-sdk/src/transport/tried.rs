//! Which instances a call has been sent to so far.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// How many instances are remembered; of more attempts the last ones are.
const MARKS: usize = 8;

/// The instances that the attempts of one call went to, by their marks. Clones share it, because hedged attempts run at once.
///
/// It is made before the first attempt, and only where there is more than one instance: a first attempt that nobody waits for any
/// more has no outcome to keep it in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// 0 is a free place.
    marks: [AtomicU64; MARKS],
    added: AtomicUsize,
    /// A bit for each attempt, by its number.
    contained: AtomicU64,
}

impl Tried {
    /// Adds the instance that an attempt goes to.
    pub(crate) fn add(&self, mark: u64) {
        let place = self.0.added.fetch_add(1, Ordering::Relaxed) % MARKS;
        if let Some(kept) = self.0.marks.get(place) {
            kept.store(mark, Ordering::Relaxed);
        }
    }

    /// Whether an attempt went to this instance.
    pub(crate) fn has(&self, mark: u64) -> bool {
        self.0.marks.iter().any(|kept| kept.load(Ordering::Relaxed) == mark)
    }

    /// Whether no attempt was made yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.added.load(Ordering::Relaxed) == 0
    }

    /// Says that the failure of this attempt is one instance's, which is kept out while others are well.
    pub(crate) fn contain(&self, attempt: u32) {
        self.0.contained.fetch_or(1 << (attempt % 64), Ordering::Relaxed);
    }

    /// Whether the failure of this attempt says nothing about the component as a whole.
    pub(crate) fn is_contained(&self, attempt: u32) -> bool {
        self.0.contained.load(Ordering::Relaxed) & 1 << (attempt % 64) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_instances_are_remembered_by_every_clone() {
        let tried = Tried::default();
        assert!(tried.is_empty() && !tried.has(1));
        let clone = tried.clone();
        for mark in 1..=9 {
            clone.add(mark);
        }
        assert!(!tried.is_empty() && !tried.has(1), "the first made room for the ninth");
        assert!((2..=9).all(|mark| tried.has(mark)) && !tried.has(10));
    }

    #[test]
    fn an_attempt_is_contained_by_its_number() {
        let tried = Tried::default();
        tried.contain(2);
        assert_eq!([1, 2, 3].map(|attempt| tried.is_contained(attempt)), [false, true, false]);
    }
}
