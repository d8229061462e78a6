//! One line of a stream, taken apart.

use std::{borrow::Cow, time::Duration};

/// The longest that can stand before a value: a byte order mark, and `event: ` or `retry: `.
pub(super) const LONGEST_PREFIX: usize = 3 + 7;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a line says (§9.2.6); the values are not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Data(&'a [u8]),
    Event(&'a [u8]),
    Id(&'a [u8]),
    Retry(&'a [u8]),
    Comment(&'a [u8]),
    /// A field that the standard does not know, as the whole line; a blank line is none of these.
    Unknown(&'a [u8]),
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let value = |name: &str| match line.get(name.len()) {
            None => Some(&line[name.len()..]),
            Some(b':') => Some(without_space(&line[name.len() + 1..])),
            Some(_) => None,
        };
        let known = match line.first() {
            Some(b'd') if line.starts_with(b"data") => value("data").map(Self::Data),
            Some(b'e') if line.starts_with(b"event") => value("event").map(Self::Event),
            Some(b'i') if line.starts_with(b"id") => value("id").map(Self::Id),
            Some(b'r') if line.starts_with(b"retry") => value("retry").map(Self::Retry),
            Some(b':') => return Self::Comment(without_space(&line[1..])),
            _ => None,
        };
        known.unwrap_or(Self::Unknown(line))
    }

    /// How much of the line counts.
    pub(super) const fn len(self) -> usize {
        let (Self::Data(v) | Self::Event(v) | Self::Id(v) | Self::Retry(v) | Self::Comment(v) | Self::Unknown(v)) =
            self;
        v.len()
    }
}

#[inline]
pub(super) fn without_space(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

/// The first line of a stream without the byte order mark that UTF-8 decode takes away.
pub(super) fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}

/// Milliseconds in ASCII digits alone; more than 64 bits hold is as much as they hold.
pub(super) fn retry(value: &[u8]) -> Option<Duration> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let more = |sum: u64, byte| Some(sum.saturating_mul(10).saturating_add(digit(byte)?));
    let millis = value.iter().try_fold(0, more)?;
    (!value.is_empty()).then(|| Duration::from_millis(millis))
}

/// From so many bytes on, checking many at once is worth its beginning.
const LONG: usize = 512;

/// A value as UTF-8 decode reads it: U+FFFD for each maximal part of a broken sequence.
#[inline]
pub(super) fn text(value: &[u8]) -> Cow<'_, str> {
    let text = if value.len() < LONG { str::from_utf8(value).ok() } else { simdutf8::basic::from_utf8(value).ok() };
    match text {
        Some(text) => Cow::Borrowed(text),
        None => replaced(value),
    }
}

#[cold]
#[inline(never)]
fn replaced(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}
