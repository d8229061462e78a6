//! Bytes that nobody guesses.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest, Sha256};

use crate::random::Random;

/// Makes ids and tickets.
#[derive(Debug)]
pub(super) struct Mint {
    /// Who sees the numbers of a [`Random`], as those in traces, can compute the next: they go in, and a key of this process
    /// that nobody sees.
    random: Random,
    key: [u64; 4],
    made: AtomicU64,
}

impl Mint {
    pub(super) fn new(random: Random) -> Self {
        let seed = RandomState::new();
        Self { random, key: [0_u8, 1, 2, 3].map(|n| seed.hash_one(n)), made: AtomicU64::new(0) }
    }

    /// The next bytes; whoever has all that came before cannot tell them.
    pub(super) fn next(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in self.key.into_iter().chain([self.made.fetch_add(1, Ordering::Relaxed), self.random.next_u64()]) {
            hash.update(part.to_be_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn two_hosts_of_one_seed_make_nothing_that_is_the_same() {
        let (one, other) = (Mint::new(Random::seeded(1)), Mint::new(Random::seeded(1)));
        let made: HashSet<_> = (0..1000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(made.len(), 2000);
    }
}
