//! What the specification asks of texts.

use super::{super::rfc3339, wrong};
use crate::error::Result;

/// Names of the specification, which are no extensions.
pub(super) const OWN: [&str; 10] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"];

/// A text that is not empty (§3.1: REQUIRED attributes and others say so each) and has no forbidden character.
pub(super) fn text(name: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(wrong(name, "is empty"));
    }
    characters(name, text)
}

/// The characters of a `String` (type system): no control characters, no noncharacters.
pub(super) fn characters(name: &str, text: &str) -> Result<()> {
    let forbidden = |c: char| c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe;
    match text.chars().any(forbidden) {
        true => Err(wrong(name, "has a control character or a noncharacter")),
        false => Ok(()),
    }
}

/// A URI reference as RFC 3986 (§4.1) has it.
pub(super) fn uri_reference(name: &str, text: &str) -> Result<()> {
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme_is_right = first.split_once(':').is_none_or(|(scheme, _)| is_scheme(scheme));
    match is_uri_text(text) && scheme_is_right {
        true => Ok(()),
        false => Err(wrong(name, "is no URI reference")),
    }
}

/// A URI: a reference with a scheme.
pub(super) fn uri(name: &str, text: &str) -> Result<()> {
    match is_uri_text(text) && text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
        true => Ok(()),
        false => Err(wrong(name, "is no URI")),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_uri_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let allowed = |at: usize, byte: u8| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
    };
    bytes.iter().enumerate().all(|(at, byte)| allowed(at, *byte))
        && bytes.iter().filter(|byte| **byte == b'#').count() <= 1
}

/// A media type: two tokens around a slash (RFC 2046, RFC 9110 §8.3.1), and parameters that are not looked at.
pub(super) fn media_type(name: &str, text: &str) -> Result<()> {
    self::text(name, text)?;
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => Ok(()),
        _ => Err(wrong(name, "is no media type")),
    }
}

pub(super) fn time(name: &str, text: &str) -> Result<()> {
    match rfc3339::parse(text) {
        Some(_) => Ok(()),
        None => Err(wrong(name, "is no time of RFC 3339")),
    }
}

/// The name of an extension (§3.1: lower-case letters and digits).
pub(super) fn extension(name: &str) -> Result<()> {
    let right = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match right && !OWN.contains(&name) {
        true => Ok(()),
        false if OWN.contains(&name) => Err(wrong(name, "is no extension")),
        false => Err(wrong(name, "is no name of an attribute: lower-case letters and digits are")),
    }
}
