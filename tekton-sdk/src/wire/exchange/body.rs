//! How a body stands in a message.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::MAX_DEPTH;
use crate::wire::jsonrpc::deeper_than;

/// A body on its way into a message.
#[expect(clippy::exhaustive_enums, reason = "a body is whole or it is not")]
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// All of it; empty, if there is none.
    Whole(&'a Bytes),
    /// It follows in pieces.
    Stream,
}

/// A body as it came in a message.
#[expect(clippy::exhaustive_enums, reason = "whoever reads has to think of each")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// It has no byte.
    Empty,
    /// JSON that stands in the message.
    Json(&'a str),
    /// Any bytes.
    Bytes(Bytes),
    /// It follows in pieces.
    Stream,
}

/// What may stand where.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An array or an object: `params`.
    Params,
    /// Any value: `result` and `error.data`.
    Value,
}

/// The body as JSON text, if it can stand in a message and come out as it went in.
pub(super) fn embedded(body: &[u8], place: Place) -> Option<&str> {
    let (first, last) = (*body.first()?, *body.last()?);
    let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if blank(first) || blank(last) || (place == Place::Params && !matches!(first, b'[' | b'{')) {
        return None;
    }
    let text = simdutf8::basic::from_utf8(body).ok()?;
    // Whatever ends the value early would be read as members of the message: it is checked, whoever sends it.
    (!deeper_than(text, MAX_DEPTH) && serde_json::from_str::<&RawValue>(text).is_ok()).then_some(text)
}

pub(super) fn encode_base64(bytes: &[u8], into: &mut String) {
    STANDARD.encode_string(bytes, into);
}

pub(super) fn decode_base64(text: &str) -> Option<Bytes> {
    STANDARD.decode(text).ok().map(Bytes::from)
}

/// Writes a text as JSON.
pub(super) fn push_text(text: &str, into: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        into.push('"');
        into.push_str(text);
        into.push('"');
    } else {
        into.push_str(&serde_json::Value::from(text).to_string());
    }
}
