//! What a double remembers, under a cap.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The newest records that are kept; older ones make room.
const MAX_RECORDS: usize = 10_000;

/// A shared list of records, oldest first.
#[derive(Debug)]
pub(super) struct Log<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Log<T> {
    pub(super) fn push(&self, record: T) {
        let mut records = self.lock();
        if records.len() >= MAX_RECORDS {
            records.pop_front();
        }
        records.push_back(record);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Log<T> {
    pub(super) fn all(&self) -> Vec<T> {
        self.lock().iter().cloned().collect()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
