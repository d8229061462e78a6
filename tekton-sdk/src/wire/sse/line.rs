//! One line of a stream, taken apart.

use std::time::Duration;

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

fn without_space(value: &[u8]) -> &[u8] {
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

/// Adds a value as UTF-8 decode reads it: U+FFFD for each maximal part of a broken sequence.
pub(super) fn push(text: &mut String, value: &[u8]) {
    if let Ok(value) = std::str::from_utf8(value) {
        return text.push_str(value);
    }
    for part in value.utf8_chunks() {
        text.push_str(part.valid());
        if !part.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// How many bytes [`push`] adds.
pub(super) fn decoded_bytes(value: &[u8]) -> usize {
    if std::str::from_utf8(value).is_ok() {
        return value.len();
    }
    let bytes = |part: std::str::Utf8Chunk<'_>| {
        let replaced = if part.invalid().is_empty() { 0 } else { char::REPLACEMENT_CHARACTER.len_utf8() };
        part.valid().len() + replaced
    };
    value.utf8_chunks().map(bytes).sum()
}
