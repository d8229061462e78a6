//! What a client is remembered by.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    net::{IpAddr, Ipv6Addr},
};

/// One client, in a few bytes whatever it is called, so that what is remembered of many is bounded in bytes too.
///
/// An address stands in it as it is. A subject stands in it as a hash of 126 bits under a key of this process: nobody can
/// choose two subjects that meet.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Key {
    name: u64,
    kind: u64,
    /// Where tables look for it, under a key of this process as well: nobody can choose clients that stand in each other's way.
    hash: u64,
}

impl Key {
    /// All who are not remembered by a key of their own.
    pub(super) const OTHERS: Self = Self { name: u64::MAX, kind: NOBODY, hash: 0 };

    pub(super) const fn place(&self) -> u64 {
        self.hash
    }

    /// Which of so many parts it belongs to; tables take the lowest and the highest bits.
    pub(super) const fn part(&self, parts: usize) -> usize {
        (self.hash >> 32) as usize % parts
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.kind) == (other.name, other.kind)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The kinds, in the lowest bits.
const SUBJECT: u64 = 0;
const V4: u64 = 1;
const V6: u64 = 2;
const NOBODY: u64 = 3;

/// Makes keys.
#[derive(Debug, Default)]
pub(in crate::host) struct Keys(RandomState);

impl Keys {
    pub(in crate::host) fn of_subject(&self, subject: &str) -> Key {
        let name = self.0.hash_one((0_u8, subject));
        Key { name, kind: self.0.hash_one((1_u8, subject)) & !3 | SUBJECT, hash: name }
    }

    /// `None` is whoever has no address. Of an IPv6 address the first 64 bits count: a host has all of the rest to itself
    /// (RFC 7421), and would be as many clients as it likes.
    pub(in crate::host) fn of_address(&self, address: Option<IpAddr>) -> Key {
        let (name, kind) = match address {
            None => (0, NOBODY),
            Some(IpAddr::V4(address)) => (address.to_bits().into(), V4),
            Some(IpAddr::V6(address)) => (network(address), V6),
        };
        // The kinds share their numbers, and it does no harm if two of them meet in a table.
        Key { name, kind, hash: self.0.hash_one(name) }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d].into_iter().fold(0, |bits, part| bits << 16 | u64::from(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_key_and_a_network_has_one() {
        let keys = Keys::default();
        let address = |text: &str| keys.of_address(Some(text.parse().unwrap()));
        let all = [
            keys.of_subject("a"),
            keys.of_subject("b"),
            keys.of_subject(""),
            address("0.0.0.0"),
            address("192.0.2.1"),
            address("192.0.2.2"),
            address("::"),
            address("2001:db8::1"),
            address("2001:db8:0:1::1"),
            keys.of_address(None),
            Key::OTHERS,
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one:?}");
        }
        assert_eq!(keys.of_subject("a"), keys.of_subject("a"));
        assert_eq!(address("2001:db8:0:1::1"), address("2001:db8:0:1:ffff::9"));
    }
}
