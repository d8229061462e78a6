//! The state of a breaker in one word.

use super::super::sync::{AtomicU64, Ordering};

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in super::super) enum Mode {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
    ForcedOpen = 3,
    Disabled = 4,
    MetricsOnly = 5,
}

/// Mode and epoch, read and written as one.
#[derive(Debug)]
pub(in super::super) struct StateCell(AtomicU64);

impl StateCell {
    pub(in super::super) fn new(mode: Mode, epoch: u32) -> Self {
        Self(AtomicU64::new(super::pack(epoch, mode as u32)))
    }

    /// The mode and the epoch. What was written before [`StateCell::set`] is seen after this.
    #[inline]
    pub(in super::super) fn get(&self) -> (Mode, u32) {
        let word = self.0.load(Ordering::Acquire);
        let mode = match super::number(word) {
            0 => Mode::Closed,
            1 => Mode::HalfOpen,
            2 => Mode::Open,
            3 => Mode::ForcedOpen,
            4 => Mode::Disabled,
            _ => Mode::MetricsOnly,
        };
        (mode, super::tag(word))
    }

    /// Whether this epoch still is the current one.
    pub(in super::super) fn is_in(&self, epoch: u32) -> bool {
        super::tag(self.0.load(Ordering::Acquire)) == epoch
    }

    /// Called by whoever holds the lock of the machine.
    pub(in super::super) fn set(&self, mode: Mode, epoch: u32) {
        self.0.store(super::pack(epoch, mode as u32), Ordering::Release);
    }
}
