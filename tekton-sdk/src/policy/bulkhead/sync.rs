//! The atomics of the bulkhead, in one place so that a model checker can put its own here.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
