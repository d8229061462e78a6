//! What a closed breaker touches on every call: atomics alone, no lock, no clock, no runtime.
//!
//! The module names its atomics through `super::sync`, so that a model checker can put its own in their place.
//!
//! Everything is tagged with the *epoch* of the state it was recorded in. Each change of state begins another epoch;
//! what comes late from an older one finds another tag and counts nothing. A stalled thread would have to sleep through
//! a multiple of 256 changes of state, in the middle of one record, to be mistaken.

mod count;
mod front;
mod state;
mod time;

pub(super) use count::CountWindow;
pub(super) use count::MAX_CALLS;
pub(super) use front::{Front, Rules, Tripped};
pub(super) use state::{Mode, StateCell};
pub(super) use time::{MAX_SECONDS, TimeWindow};

/// What one call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// It failed.
    pub(super) failed: bool,
    /// It took longer than the limit.
    pub(super) slow: bool,
}

/// How many calls a window holds, and of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

/// Two numbers in one word, the tag above.
const fn pack(tag: u32, number: u32) -> u64 {
    ((tag as u64) << 32) | number as u64
}

const fn tag(word: u64) -> u32 {
    (word >> 32) as u32
}

const fn number(word: u64) -> u32 {
    word as u32
}
