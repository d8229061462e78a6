//! Randomness as something that is passed in: seedable, shared, without a lock.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Numbers for jitter, trace ids and tie-breaks; SplitMix64 (Steele, Lea, Flood 2014) over a shared counter.
///
/// Clones share their state. Not for secrets: whoever sees some numbers can compute the next.
///
/// ```
/// use tekton_sdk::random::Random;
///
/// assert_eq!(Random::seeded(7).next_u64(), Random::seeded(7).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Random(Arc<AtomicU64>);

impl Random {
    /// Starts from a seed of the operating system.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(RandomState::new().hash_one(0_u8))
    }

    /// Starts from this seed: the same seed gives the same numbers.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A duration from zero up to `limit`, evenly spread: full jitter.
    #[must_use]
    pub fn up_to(&self, limit: Duration) -> Duration {
        // 32 bits of the fraction are more than any timer resolves.
        let fraction = (self.next_u64() >> 32) as f64 / f64::from(u32::MAX);
        limit.mul_f64(fraction.clamp(0.0, 1.0))
    }

    /// Eight bytes that are not all zero, as a span id must be.
    #[must_use]
    pub fn span_id(&self) -> [u8; 8] {
        loop {
            let id = self.next_u64();
            if id != 0 {
                return id.to_be_bytes();
            }
        }
    }

    /// Sixteen bytes that are not all zero, as a trace id must be.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.span_id());
        id[8..].copy_from_slice(&self.next_u64().to_be_bytes());
        id
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_limit() {
        let random = Random::seeded(1);
        let limit = Duration::from_millis(100);
        let draws: Vec<_> = (0..1000).map(|_| random.up_to(limit)).collect();
        assert!(draws.iter().all(|d| *d <= limit));
        assert!(draws.iter().any(|d| *d < limit / 10) && draws.iter().any(|d| *d > limit / 10 * 9));
        assert!(random.up_to(Duration::MAX) <= Duration::MAX);
    }
}
