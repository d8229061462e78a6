//! How much a client may ask for at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::key::Key;

/// How many parts, each under its own lock.
const SHARDS: usize = 64;

/// How many requests of each client are being served. Only those who have one are remembered.
#[derive(Debug)]
pub(super) struct Crowd {
    shards: Box<[Mutex<HashMap<Key, u32>>]>,
    most: u32,
    most_per_shard: usize,
    hasher: RandomState,
}

impl Crowd {
    pub(super) fn new(most: u32, max_clients: usize) -> Self {
        let shards = if max_clients < SHARDS { 1 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            most: most.max(1),
            most_per_shard: (max_clients / shards).max(1),
            hasher: RandomState::new(),
        }
    }

    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    /// One more of this client, unless there are as many as may be.
    pub(super) fn enter(self: &Arc<Self>, key: Key) -> Option<Seat> {
        let mut key = key;
        {
            let mut shard = self.shard(key);
            if shard.len() >= self.most_per_shard && !shard.contains_key(&key) {
                drop(shard);
                // Its own part of the table may be full as well: then there is one more than it holds.
                key = Key::OTHERS;
                shard = self.shard(key);
            }
            let count = shard.entry(key).or_insert(0);
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(Seat { crowd: Arc::clone(self), key })
    }

    pub(super) fn known(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, u32>> {
        let at = self.hasher.hash_one(key) as usize % self.shards.len();
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's share for one request, given back when it is dropped.
#[derive(Debug)]
pub(in crate::host) struct Seat {
    crowd: Arc<Crowd>,
    key: Key,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shard = self.crowd.shard(self.key);
        if let Some(count) = shard.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::client::key::Keys;

    #[test]
    fn a_client_has_its_share_and_is_forgotten_after_it() {
        let (crowd, keys) = (Arc::new(Crowd::new(2, 1000)), Keys::default());
        let (one, other) = (keys.of_subject("one"), keys.of_subject("other"));
        let first = crowd.enter(one).unwrap();
        let _second = crowd.enter(one).unwrap();
        assert!(crowd.enter(one).is_none());
        let _third = crowd.enter(other).unwrap();
        drop(first);
        let again = crowd.enter(one).unwrap();
        assert!(crowd.enter(one).is_none());
        assert_eq!(crowd.known(), 2);
        drop((again, _second, _third));
        assert_eq!(crowd.known(), 0);
    }

    #[test]
    fn beyond_the_cap_newcomers_share_one_limit() {
        let (crowd, keys) = (Arc::new(Crowd::new(2, 10)), Keys::default());
        let seats: Vec<_> = (0..10).map(|n| crowd.enter(keys.of_subject(&n.to_string())).unwrap()).collect();
        let others: Vec<_> = (10..20).filter_map(|n| crowd.enter(keys.of_subject(&n.to_string()))).collect();
        assert_eq!((seats.len(), others.len(), crowd.known()), (10, 2, 11));
        assert!(crowd.enter(keys.of_subject("3")).is_some(), "who is known has its own");
        drop((seats, others));
        assert_eq!(crowd.known(), 0);
    }
}
