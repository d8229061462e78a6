//! What goes over the sockets, as the clients and the bare loop need it.

use std::time::SystemTime;

/// The wall clock in nanoseconds: processes of one machine have it in common.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
pub(crate) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

/// What an event holds: when it was published, and in which round if it is for all. 200 bytes.
pub(crate) fn data(round: usize) -> serde_json::Value {
    serde_json::json!({ "at": wall(), "round": round, "text": "x".repeat(150) })
}

/// The frame of a server that holds this text.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 126];
    frame.extend(u16::try_from(text.len()).expect("an event is small").to_be_bytes());
    frame.extend(text.as_bytes());
    frame
}

/// The frame of a client that holds this text, of at most 125 bytes, under a mask of zeros.
pub(crate) fn masked(opcode: u8, text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(text.len()).expect("it is short"), 0, 0, 0, 0];
    frame.extend(text);
    frame
}

/// The number under this name.
pub(crate) fn number(text: &[u8], name: &str) -> Option<u64> {
    let at = memchr::memmem::find(text, name.as_bytes())? + name.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// The opcode, the beginning and the end of the first frame, once all of it is there.
pub(crate) fn first(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (opcode, short) = (bytes.first()? & 15, usize::from(*bytes.get(1)? & 127));
    let (begin, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => panic!("no frame here is so large"),
        short => (2, short),
    };
    (bytes.len() >= begin + length).then_some((opcode, begin, begin + length))
}
