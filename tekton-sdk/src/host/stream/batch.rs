//! Events that are there already, written together.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::time::SharedClock;

/// So many bytes are worth being written alone.
const ENOUGH_BYTES: usize = 16 * 1024;

/// So long events may take to come before those that are there are written: work that computes each of them is always ready.
const ENOUGH_TIME: Duration = Duration::from_millis(1);

/// What is written at once.
pub(super) struct Batch {
    clock: SharedClock,
    began: Instant,
    pub(super) out: BytesMut,
}

impl Batch {
    pub(super) fn new(clock: &SharedClock) -> Self {
        Self { clock: clock.clone(), began: clock.now(), out: BytesMut::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= ENOUGH_BYTES || self.clock.now().saturating_duration_since(self.began) >= ENOUGH_TIME
    }

    /// What there is, if there is anything.
    pub(super) fn take(self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| self.out.freeze())
    }
}
