//! The ids of streams, which nobody guesses.

use std::fmt;

use crate::{host::mint::Mint, random::Random};

/// Which stream: 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::host) struct StreamId(u128);

impl StreamId {
    /// Reads the 32 hexadecimal digits that [`Display`](fmt::Display) writes, and nothing else.
    pub(in crate::host) fn parse(text: &str) -> Option<Self> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 32 && text.bytes().all(digits)).then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Half of the digits: whoever has the whole id can take the stream over.
impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({:016x}…)", self.0 >> 64)
    }
}

/// An event of a stream, as it stands in `id` and in `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: StreamId,
    pub(super) number: u64,
}

impl EventId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (stream, number) = text.split_once('-')?;
        // `parse` alone would take a plus sign.
        let number = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
        Some(Self { stream: StreamId::parse(stream)?, number })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.number)
    }
}

/// Makes ids.
#[derive(Debug)]
pub(super) struct Ids(Mint);

impl Ids {
    pub(super) fn new(random: Random) -> Self {
        Self(Mint::new(random))
    }

    pub(super) fn next(&self) -> StreamId {
        StreamId(self.0.next().iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_one_seed_are_not_the_same_in_two_hosts() {
        let (one, other) = (Ids::new(Random::seeded(1)), Ids::new(Random::seeded(1)));
        let ids: HashSet<_> = (0..1000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(ids.len(), 2000);
        let id = one.next();
        assert!(!format!("{id:?}").contains(&id.to_string()[16..]), "{id:?}");
    }

    #[test]
    fn an_event_s_id_has_one_form() {
        let id = EventId { stream: StreamId(0xab), number: 7 };
        assert_eq!(id.to_string(), format!("{}ab-7", "0".repeat(30)));
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        let hex = "0123456789abcdef0123456789abcdef";
        assert!(EventId::parse(&format!("{hex}-18446744073709551615")).is_some());
        for wrong in
            ["", "-", "7", hex, &format!("{hex}-"), &format!("{hex}-+7"), &format!("{hex}--7"), &format!("{hex}-7 ")]
        {
            assert_eq!(EventId::parse(wrong), None, "{wrong}");
        }
        let long = format!("{hex}-18446744073709551616");
        for wrong in [&*long, &format!("{}-7", hex.to_uppercase()), &format!("{hex}0-7"), &format!("+{}-7", &hex[1..])]
        {
            assert_eq!(EventId::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Some(id) = EventId::parse(&text) {
                prop_assert_eq!(EventId::parse(&id.to_string()), Some(id));
            }
        }
    }
}
