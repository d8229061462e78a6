//! What a client is remembered by.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
};

/// One client, in 16 bytes whatever it is called, so that what is remembered of many is bounded in bytes too.
///
/// An address stands in it as it is. A subject stands in it as a hash of 126 bits under a key of this process: nobody can
/// choose two subjects that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

impl Key {
    /// All who are not remembered by a key of their own.
    pub(super) const OTHERS: Self = Self(u64::MAX, NOBODY);
}

/// The kinds, in the lowest bits.
const SUBJECT: u64 = 0;
const V4: u64 = 1;
const V6: u64 = 2;
const NOBODY: u64 = 3;

/// Makes keys.
#[derive(Debug, Default)]
pub(super) struct Keys(RandomState);

impl Keys {
    pub(super) fn of_subject(&self, subject: &str) -> Key {
        Key(self.0.hash_one((0_u8, subject)), self.0.hash_one((1_u8, subject)) & !3 | SUBJECT)
    }

    /// `None` is whoever has no address. Of an IPv6 address the first 64 bits count: a host has all of the rest to itself
    /// (RFC 7421), and would be as many clients as it likes.
    pub(super) fn of_address(address: Option<IpAddr>) -> Key {
        match address {
            None => Key(0, NOBODY),
            Some(IpAddr::V4(address)) => Key(address.to_bits().into(), V4),
            Some(IpAddr::V6(address)) => Key(network(address), V6),
        }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d].into_iter().fold(0, |bits, part| bits << 16 | u64::from(part))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_client_has_its_own_key_and_a_network_has_one() {
        let keys = Keys::default();
        let address = |text: &str| Keys::of_address(Some(text.parse().unwrap()));
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
            Keys::of_address(None),
            Key::OTHERS,
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
        assert_eq!(keys.of_subject("a"), keys.of_subject("a"));
        assert_eq!(address("2001:db8:0:1::1"), address("2001:db8:0:1:ffff::9"));
    }
}
