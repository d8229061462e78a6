//! How much a client may ask for at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{HashTable, hash_table::Entry};

use super::key::Key;

/// How many parts, each under its own lock.
const SHARDS: usize = 64;

/// How many requests of each client are being served. Only those who have one are remembered.
#[derive(Debug)]
pub(in crate::host) struct Crowd {
    shards: Box<[Mutex<Shard>]>,
    most: u32,
    most_per_shard: usize,
}

/// Clients, and how many requests each has.
type Shard = HashTable<(Key, u32)>;

/// What came of one more request of a client.
enum Entered {
    Yes,
    /// It has as many as it may.
    TooMany,
    /// There is no room to remember it.
    NoRoom,
}

impl Crowd {
    pub(in crate::host) fn new(most: u32, max_clients: usize) -> Self {
        let shards = if max_clients < SHARDS { 1 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            most: most.max(1),
            most_per_shard: (max_clients / shards).max(1),
        }
    }

    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    /// One more of this client, unless there are as many as may be. A client that there is no room for is counted together
    /// with all others of whom that is true.
    pub(in crate::host) fn enter(self: &Arc<Self>, key: Key) -> Option<Seat> {
        let seat = |key| Some(Seat { crowd: Arc::clone(self), key });
        match self.count(key, self.most_per_shard) {
            Entered::Yes => seat(key),
            Entered::TooMany => None,
            Entered::NoRoom => match self.count(Key::OTHERS, usize::MAX) {
                Entered::Yes => seat(Key::OTHERS),
                Entered::TooMany | Entered::NoRoom => None,
            },
        }
    }

    pub(super) fn known(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn count(&self, key: Key, room: usize) -> Entered {
        let mut shard = self.shard(key);
        let full = shard.len() >= room;
        match shard.entry(key.place(), |(known, _)| *known == key, |(known, _)| known.place()) {
            Entry::Occupied(mut known) => {
                let (_, count) = known.get_mut();
                if *count >= self.most {
                    return Entered::TooMany;
                }
                *count += 1;
            }
            Entry::Vacant(_) if full => return Entered::NoRoom,
            Entry::Vacant(place) => drop(place.insert((key, 1))),
        }
        Entered::Yes
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        self.shards[key.part(self.shards.len())].lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Ok(mut known) = shard.find_entry(self.key.place(), |(known, _)| *known == self.key) {
            let (_, count) = known.get_mut();
            *count -= 1;
            if *count == 0 {
                known.remove();
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
        let second = crowd.enter(one).unwrap();
        assert!(crowd.enter(one).is_none());
        let third = crowd.enter(other).unwrap();
        drop(first);
        let again = crowd.enter(one).unwrap();
        assert!(crowd.enter(one).is_none());
        assert_eq!(crowd.known(), 2);
        drop((again, second, third));
        assert_eq!(crowd.known(), 0);
    }

    #[test]
    fn beyond_the_cap_newcomers_share_one_limit() {
        let (crowd, keys) = (Arc::new(Crowd::new(2, 10)), Keys::default());
        let enter = |n: u32| crowd.enter(keys.of_subject(&n.to_string()));
        let seats: Vec<_> = (0..10).map(|n| enter(n).unwrap()).collect();
        let others: Vec<_> = (10..20).filter_map(enter).collect();
        assert_eq!((seats.len(), others.len(), crowd.known()), (10, 2, 11));
        assert!(enter(3).is_some(), "who is known has its own");
        drop((seats, others));
        assert_eq!(crowd.known(), 0);
    }
}
