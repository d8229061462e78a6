//! What the rate limit remembers of each client, bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::{
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore, keyed::ShrinkableKeyedStateStore},
};
use hashbrown::HashTable;

use super::{key::Key, rate};

/// How many parts, each under its own lock.
const SHARDS: usize = 64;

/// How many places are looked at to find one that can be forgotten.
const STEPS: usize = 8;

/// For each client the moment at which it will have paid for all that it asked.
///
/// If there is no room for a newcomer, one whose moment has passed is forgotten: it has all its requests again, as a newcomer
/// has. A client that owes something is never forgotten, so nobody sheds a limit by sending others. Where none can be found
/// within a few steps, the newcomer is counted together with all others of whom that is true.
#[derive(Debug)]
pub(super) struct Store {
    shards: Box<[Mutex<Shard>]>,
    most_per_shard: usize,
    others: InMemoryState,
}

#[derive(Debug, Default)]
struct Shard {
    table: HashTable<(Key, Nanos)>,
    /// Where the next search begins.
    hand: usize,
}

impl Store {
    pub(super) fn new(most: usize) -> Self {
        let shards = if most < SHARDS * STEPS { 1 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            most_per_shard: (most / shards).max(1),
            others: InMemoryState::default(),
        }
    }

    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    /// Forgets one that owes nothing.
    fn make_room(&mut self, now: Nanos) -> bool {
        for _ in 0..STEPS {
            let at = self.hand;
            self.hand = if at + 1 < self.table.num_buckets() { at + 1 } else { 0 };
            if let Ok(entry) = self.table.get_bucket_entry(at)
                && entry.get().1 <= now
            {
                entry.remove();
                return true;
            }
        }
        false
    }
}

impl StateStore for Store {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.shards[key.part(self.shards.len())].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, paid)) = shard.table.find_mut(key.place(), |(known, _)| known == key) {
            let (value, next) = measure(Some(*paid))?;
            *paid = next;
            return Ok(value);
        }
        if shard.table.len() >= self.most_per_shard && !shard.make_room(rate::moment()) {
            drop(shard);
            return self.others.measure_and_replace(&NotKeyed::NonKey, measure);
        }
        let (value, next) = measure(None)?;
        shard.table.insert_unique(key.place(), (*key, next), |(known, _)| known.place());
        Ok(value)
    }
}

impl ShrinkableKeyedStateStore<Key> for Store {
    fn retain_recent(&self, drop_below: Nanos) {
        self.shards().for_each(|mut shard| shard.table.retain(|(_, paid)| *paid > drop_below));
    }

    fn shrink_to_fit(&self) {
        self.shards().for_each(|mut shard| shard.table.shrink_to_fit(|(known, _)| known.place()));
    }

    fn len(&self) -> usize {
        self.shards().map(|shard| shard.table.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.shards().all(|shard| shard.table.is_empty())
    }
}
