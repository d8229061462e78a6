//! Where in the history of a broker somebody stands, and what is missing there.

use std::{fmt, str::FromStr, time::SystemTime};

use crate::error::{Error, Result};

/// A place in the history of a broker: an event has been heard, and everything before it.
///
/// It is opaque: keep it, hand it back with [`Start::After`], write it down by `Display` and read it by `FromStr`. It holds an
/// epoch, which changes when a broker starts without its history, and a sequence within it.
///
/// ```
/// use tekton_sdk::patterns::events::Cursor;
///
/// let cursor = Cursor::new(0xf00d, 42);
/// assert_eq!(cursor.to_string(), "000000000000f00d-42");
/// assert_eq!("000000000000f00d-42".parse::<Cursor>()?, cursor);
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    epoch: u64,
    sequence: u64,
}

impl Cursor {
    /// A place, for those who write a broker. The first event of an epoch has sequence 1.
    #[must_use]
    pub const fn new(epoch: u64, sequence: u64) -> Self {
        Self { epoch, sequence }
    }

    /// The epoch. Sequences of two epochs do not compare.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// The sequence within the epoch; rises from event to event, not always by one.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.sequence)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self> {
        // Signs, leading zeros and capitals would be other texts for the same place.
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let read = || {
            let (epoch, sequence) = text.split_once('-')?;
            let is_plain = sequence == "0" || !sequence.starts_with(['0', '+']);
            if epoch.len() != 16 || !epoch.bytes().all(hex) || !is_plain {
                return None;
            }
            Some(Self::new(u64::from_str_radix(epoch, 16).ok()?, sequence.parse().ok()?))
        };
        read().ok_or_else(|| {
            let shown: String = text.chars().take(48).collect();
            Error::invalid(format!("{shown:?} is no cursor: expected 16 hex digits, a dash and a number"))
        })
    }
}

/// Where a subscription begins.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what is published from now on.
    #[default]
    New,
    /// With the oldest event that is kept.
    Oldest,
    /// After this place. If what followed is not kept any more, a [`Gap`] comes first.
    After(Cursor),
    /// With the first event published at this time or later, by the broker's clock.
    At(SystemTime),
}

/// Events that this subscription will not hear, or may have missed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last place before the loss.
    pub from: Cursor,
    /// The last place of the loss: what comes next lies after it.
    pub to: Cursor,
    /// How many events were lost, where that is known.
    pub lost: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

impl Gap {
    /// A gap after `from`, up to and with `to`, of an unknown number of events.
    #[must_use]
    pub const fn new(from: Cursor, to: Cursor, reason: GapReason) -> Self {
        Self { from, to, lost: None, reason }
    }

    /// Says how many events were lost.
    #[must_use]
    pub const fn with_lost(mut self, lost: u64) -> Self {
        self.lost = Some(lost);
        self
    }
}

/// Why there is a [`Gap`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The subscription's queue was full, and its policy dropped events.
    Overflow,
    /// The broker does not keep what followed the cursor any more.
    Expired,
    /// The broker began a new epoch: it does not know what the old one held.
    Restarted,
    /// The broker counted an event as handed over, and it did not arrive.
    Skipped,
}

impl GapReason {
    /// The name in text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::Expired => "expired",
            Self::Restarted => "restarted",
            Self::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        for text in ["", "-", "1-1", "000000000000F00D-1", "000000000000f00d-01", "000000000000f00d-+1", "x-1"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(epoch: u64, sequence: u64, junk in "\\PC{0,30}") {
            let cursor = Cursor::new(epoch, sequence);
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            let _ = junk.parse::<Cursor>();
        }
    }
}
