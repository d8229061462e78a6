//! Reading JSON of others without trust: one value at a time, bounded, and with sentences that never quote the body.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result, Sent};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Parses one JSON value, or says what was expected and what came instead.
pub(super) fn parse(body: &[u8], expected: &str) -> Result<Value> {
    serde_json::from_slice(body).map_err(|source| {
        let came = came(body, &source);
        Error::new(ErrorKind::Codec, format!("expected {expected}, got {came}"))
            .with_sent(Sent::Yes)
            .with_source(source)
    })
}

/// Parses one JSON object, or says what was expected and what came instead.
pub(super) fn parse_object(body: &[u8], expected: &str) -> Result<Object> {
    match parse(body, expected)? {
        Value::Object(object) => Ok(object),
        other => Err(unexpected(expected, type_name(&other))),
    }
}

/// The error of a body that is JSON, but not this.
pub(super) fn unexpected(expected: &str, came: &str) -> Error {
    Error::new(ErrorKind::Codec, format!("expected {expected}, got {came}")).with_sent(Sent::Yes)
}

/// What kind of body this is, in words, after serde_json refused it.
pub(super) fn came(body: &[u8], error: &serde_json::Error) -> &'static str {
    match body.trim_ascii_start().first() {
        None => "an empty body",
        Some(b'<') => "HTML",
        Some(_) if error.is_eof() => "truncated JSON",
        Some(b'{' | b'[') => "malformed JSON",
        Some(_) if std::str::from_utf8(body).is_ok() => "text",
        Some(_) => "bytes that are not text",
    }
}

/// What kind of JSON value this is, in words.
pub(super) const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "JSON null",
        Value::Bool(_) => "a JSON boolean",
        Value::Number(_) => "a JSON number",
        Value::String(_) => "a JSON string",
        Value::Array(_) => "a JSON array",
        Value::Object(_) => "a JSON object",
    }
}

/// Takes the first of these keys that is there and not null.
pub(super) fn take(object: &mut Object, keys: &[&str]) -> Option<Value> {
    keys.iter().find_map(|key| object.remove(*key).filter(|value| !value.is_null()))
}

/// A string that is not empty; a number is read as its digits.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A finite number; a string is read as the number it spells.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// A whole number that is not negative; a string is read as the number it spells.
pub(super) fn whole(value: &Value) -> Option<u64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53: above it a float is no exact count
    let exact = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    // In range and without a fraction, so the conversion is exact.
    exact.or_else(|| number(value).filter(|n| n.fract() == 0.0 && (0.0..LIMIT).contains(n)).map(|n| n as u64))
}

/// A port other than 0.
pub(super) fn port(value: &Value) -> Option<u16> {
    whole(value).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

/// A truth value; `"true"` and `"false"` in any case are read as well.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The names in a list of strings, or of objects with a `name`; whatever else stands in it is left out.
pub(super) fn names(value: Value) -> Vec<String> {
    let Value::Array(entries) = value else { return Vec::new() };
    entries
        .into_iter()
        .filter_map(|entry| match entry {
            Value::Object(mut entry) => take(&mut entry, &["name"]).and_then(text),
            entry => text(entry),
        })
        .collect()
}

/// At most `max` characters of a foreign text, in one line and without what could forge or reorder a line of a log.
pub(super) fn bounded(text: &str, max: usize) -> String {
    let mut kept: String = text
        .chars()
        .take(max)
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Line and paragraph separators, and the characters that reorder text.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    kept
}

/// The value as JSON bytes, for the plain values of this module.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("plain values with string keys, written into memory, always serialise").into()
}

/// The value as JSON text, for the plain values of these modules.
pub(super) fn to_text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values with string keys, written into memory, always serialise")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_says_what_came_and_never_quotes_it() {
        let said = |body: &[u8]| parse_object(body, "a reply").unwrap_err().to_string();
        assert_eq!(said(b" "), "expected a reply, got an empty body");
        assert_eq!(said(b"<html>s3cret"), "expected a reply, got HTML");
        assert_eq!(said(br#"{"token":"s3c"#), "expected a reply, got truncated JSON");
        assert_eq!(said(b"{s3cret}"), "expected a reply, got malformed JSON");
        assert_eq!(said(b"s3cret"), "expected a reply, got text");
        assert_eq!(said(b"\xff\xfe"), "expected a reply, got bytes that are not text");
        assert_eq!(said(b"[1]"), "expected a reply, got a JSON array");
        let deep = "[".repeat(100_000);
        assert!(!parse(deep.as_bytes(), "a reply").unwrap_err().report().contains("[["));
    }

    #[test]
    fn numbers_may_be_spelled_but_must_be_finite() {
        assert_eq!(number(&json!(" 1.5 ")), Some(1.5));
        assert_eq!(number(&json!("NaN")), None);
        assert_eq!(number(&json!("1e999")), None);
        assert_eq!(whole(&json!(8005.0)), Some(8005));
        assert_eq!(whole(&json!(8005.5)), None);
        assert_eq!(whole(&json!(-1)), None);
        assert_eq!(whole(&json!(u64::MAX)), Some(u64::MAX));
        assert_eq!(port(&json!("8005")), Some(8005));
        assert_eq!(port(&json!(0)), None);
        assert_eq!(port(&json!(65_536)), None);
    }

    #[test]
    fn a_bounded_text_is_one_harmless_line() {
        assert_eq!(bounded("a\nb\u{1b}[31m\u{202e}c", 100), "a b\u{fffd}[31m\u{fffd}c");
        assert_eq!(bounded("ääää", 3), "äää");
    }
}
