//! Keys that keep to an instance.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// A key whose calls go to one instance as long as that one is well: a session, a tenant, a document.
///
/// Every process that knows the same instances picks the same one for a key, and when one of `n` comes or goes about the `n`-th
/// part of the keys moves (highest random weight: Thaler and Ravishankar, 1998). Where the instance is kept out, the calls go to
/// the next in the order of this key, and back when it has returned. It is set by
/// [`Call::sticky`](crate::patterns::request::Call::sticky), or attached to the extensions of a request.
///
/// ```
/// use tekton_sdk::policy::StickyKey;
///
/// assert_eq!(StickyKey::new("session-17"), StickyKey::new("session-17"));
/// assert_ne!(StickyKey::new("session-17"), StickyKey::new("session-18"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StickyKey(u64);

impl StickyKey {
    /// The key of these bytes. They are hashed with SipHash-1-3 under a key of zeros, and not kept.
    #[must_use]
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        Self(hash(key.as_ref()))
    }

    /// How much this key is drawn to who has this hash.
    pub(super) const fn draw(self, hash: u64) -> u64 {
        mix(self.0 ^ mix(hash))
    }

    /// How much it is drawn to who has this hash and this weight: whoever has twice the weight gets twice the keys.
    pub(super) fn weighted_draw(self, hash: u64, weight: u32) -> f64 {
        // From 0 to 1, neither of them reached.
        let even = ((self.draw(hash) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -f64::from(weight) / even.ln()
    }
}

/// A hash that is the same in every process and every release.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Spreads the bits: the last steps of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_same_in_every_release() {
        // Key 0, from the reference implementation of SipHash-1-3.
        assert_eq!(hash(b""), 0xd1fb_a762_150c_532c);
        assert_eq!(StickyKey::new("session-17").draw(hash(b"engram-blue")), 0xe2a5_87a2_4a61_51a8);
    }
}
