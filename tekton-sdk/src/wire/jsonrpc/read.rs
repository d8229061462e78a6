//! Bytes of the other side into messages.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Id, Incoming, Invalid, Message, Request, Response, RpcError, RpcLimits, depth::deeper_than};

/// Reads one message, or says what to answer to it, with the id null.
///
/// Unknown members are ignored. A member that is there twice makes a message invalid, as does an `id` that is neither string,
/// number nor null, and a `params` that is neither array nor object. Of a response with `result` and `error` the one that is
/// null counts as absent.
///
/// # Errors
///
/// [`PARSE_ERROR`](RpcError::PARSE_ERROR) if the message is no JSON, or over a cap, which is named;
/// [`INVALID_REQUEST`](RpcError::INVALID_REQUEST) if it is an empty batch, or one over its cap.
pub fn parse<'a>(message: &'a [u8], limits: &RpcLimits) -> Result<Incoming<'a>, RpcError<'static>> {
    if message.len() > limits.max_message_bytes {
        let most = limits.max_message_bytes;
        return Err(RpcError::parse_error(format_args!("the message is larger than the {most} bytes allowed")));
    }
    let text = std::str::from_utf8(message).map_err(|_| RpcError::parse_error("the message is not UTF-8"))?;
    if deeper_than(text, limits.max_depth) {
        let most = limits.max_depth;
        return Err(RpcError::parse_error(format_args!("the message is nested deeper than the {most} levels allowed")));
    }
    if text.trim_start().starts_with('[') {
        return batch(text, limits.max_batch);
    }
    match Message::read(text) {
        Ok(message) => Ok(Incoming::One(message)),
        Err(_) => Err(not_json()),
    }
}

fn not_json() -> RpcError<'static> {
    RpcError::parse_error("the message is no JSON")
}

fn batch(text: &str, most: usize) -> Result<Incoming<'_>, RpcError<'static>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let entries = Entries(most).deserialize(&mut json).and_then(|entries| json.end().map(|()| entries));
    let entries = entries.map_err(|_| not_json())?;
    if entries.is_empty() {
        return Err(RpcError::invalid_request("the batch is empty"));
    }
    if entries.len() > most {
        return Err(RpcError::invalid_request(format_args!("the batch has more than the {most} entries allowed")));
    }
    let messages = entries.into_iter().map(|entry| Message::read(entry.get())).collect::<Result<_, _>>();
    Ok(Incoming::Batch(messages.map_err(|_| not_json())?))
}

/// The entries of a list, not parsed; of a longer one than this, one more.
struct Entries(usize);

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() <= self.0 {
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

/// The members that a message can have, each as it came: null is not absent.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    http: Option<&'a RawValue>,
}

/// A member that is there, even if it is null.
pub(super) fn there<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Message<'a> {
    /// Reads a message that is no batch; the error is that it is no JSON.
    fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        // Only an object: a list would be read as the members in their order.
        let is_object = text.trim_start().starts_with('{');
        if is_object && let Ok(members) = serde_json::from_str::<Members<'_>>(text) {
            return Ok(members.message());
        }
        serde_json::from_str::<&RawValue>(text)?;
        // A name that is no text, with half a surrogate pair, is the other way for an object to come here.
        let what = if is_object { "a member is there twice, or has no name" } else { "it is no object" };
        Ok(Self::Invalid(Invalid { id: None, what, may_be_response: false }))
    }
}

impl<'a> Members<'a> {
    fn message(self) -> Message<'a> {
        let may_be_response = self.method.is_none();
        let ended = self.result.is_some() || self.error.is_some();
        let read = if may_be_response && ended { self.response() } else { self.request() };
        read.unwrap_or_else(|what| Message::Invalid(Invalid { id: self.id.and_then(Id::read), what, may_be_response }))
    }

    fn id(&self) -> Result<Option<Id<'a>>, &'static str> {
        let read = |id| Id::read(id).ok_or("`id` must be a string, a number or null");
        self.id.map(read).transpose()
    }

    fn check_version(&self) -> Result<(), &'static str> {
        let version = self.jsonrpc.and_then(text);
        if version.as_deref() == Some(super::VERSION) { Ok(()) } else { Err("`jsonrpc` must be \"2.0\"") }
    }

    fn request(&self) -> Result<Message<'a>, &'static str> {
        self.check_version()?;
        let id = self.id()?;
        let method = self.method.ok_or("`method` is missing")?;
        let method = text(method).ok_or("`method` must be a string")?;
        if self.params.is_some_and(|params| !params.get().starts_with(['[', '{'])) {
            return Err("`params` must be an array or an object");
        }
        Ok(Message::Request(Request { id, method, params: self.params, http: self.http }))
    }

    fn response(&self) -> Result<Message<'a>, &'static str> {
        self.check_version()?;
        let id = self.id()?.ok_or("`id` is missing")?;
        let is_null = |value: &&RawValue| value.get() == "null";
        let outcome =
            match (self.result, self.error) {
                (Some(result), None) => Ok(Cow::Borrowed(result)),
                (Some(result), Some(error)) if is_null(&error) => Ok(Cow::Borrowed(result)),
                (result, Some(error)) if result.as_ref().is_none_or(is_null) => Err(RpcError::read(error)
                    .ok_or("`error` must have a whole number as `code` and a text as `message`")?),
                _ => return Err("`result` and `error` exclude each other"),
            };
        Ok(Message::Response(Response { id, outcome, http: self.http }))
    }
}

/// A string, copied only if it has escapes.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}
