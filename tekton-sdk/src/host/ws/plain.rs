//! The plain dialect: messages with a `type` and `data`, without numbers, ids and acknowledgements.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::{json, value::RawValue};

use super::desk::{Asker, Desk};
use crate::{
    error::{Error, Result},
    host::refusal::Refusal,
    patterns::events::Cursor,
};

/// Whether a connection that begins with this message speaks the dialect: an object with a text as its `type`, and no `jsonrpc`.
pub(super) fn begins(message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct First<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(default, deserialize_with = "is_there")]
        jsonrpc: bool,
    }
    fn is_there<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<bool, D::Error> {
        IgnoredAny::deserialize(from).map(|_| true)
    }
    // A list would be read as the members in their order.
    message.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice(message).is_ok_and(|first: First<'_>| !first.jsonrpc && !first.kind.is_empty())
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(borrow, default)]
    after: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Does what a message asks for, and answers it.
pub(super) fn take(desk: &mut Desk, message: &Bytes) {
    if let Err(error) = asked(desk, message) {
        desk.refuse(Box::<Refusal>::from(error));
    }
}

fn asked(desk: &mut Desk, message: &Bytes) -> Result<()> {
    let is_object = message.trim_ascii_start().starts_with(b"{");
    let said: Option<Said<'_>> = serde_json::from_slice(message).ok().filter(|_| is_object);
    let Some(said) = said else {
        return Err(Error::invalid(
            "a message is an object with a text as its `type`, and `events` are a list of texts",
        ));
    };
    match &*said.kind {
        "subscribe" => {
            let events = said.events.ok_or_else(|| Error::invalid("`events` is missing: name what to listen to"))?;
            let mut wanted = json!({ "topics": events });
            if let Some(after) = said.after {
                wanted["after"] = after.into();
            }
            desk.subscribe(wanted.to_string(), events, Asker::Plain { answer: "subscribed" });
        }
        "unsubscribe" => {
            let was_there = desk.forget(said.events.as_deref());
            let answer = json!({ "events": said.events.unwrap_or_default() });
            if !was_there {
                return Err(Error::invalid("there is no subscription to exactly these `events`"));
            }
            desk.answer(Asker::Plain { answer: "unsubscribed" }, Ok(answer.to_string()));
        }
        "publish" => {
            let event = said.event.ok_or_else(|| Error::invalid("`event` is missing: name what happened"))?;
            let data = said.data.map_or("null", RawValue::get);
            let message = format!(r#"{{"topic":{},"data":{data}}}"#, json!(event));
            desk.publish(message, Asker::Plain { answer: "published" });
        }
        "ping" => desk.answer(Asker::Plain { answer: "pong" }, Ok("null".to_owned())),
        other => {
            let shown: String = other.chars().take(40).collect();
            return Err(Error::invalid(format!(
                "{shown:?} is not understood here; subscribe, unsubscribe, publish and ping are"
            )));
        }
    }
    Ok(())
}

/// What a subscriber is answered.
pub(super) fn subscribed(events: &[String], after: Option<Cursor>) -> String {
    let events = json!(events);
    match after {
        Some(after) => format!(r#"{{"events":{events},"after":"{after}"}}"#),
        None => format!(r#"{{"events":{events}}}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_a_type_and_without_jsonrpc_begins_the_dialect() {
        for (message, wanted) in [
            (r#"{"type":"subscribe","events":[]}"#, true),
            (r#" {"type":"ping"}"#, true),
            (r#"{"type":"x","other":{"jsonrpc":1}}"#, true),
            (r#"{"jsonrpc":"2.0","method":"x","type":"y"}"#, false),
            (r#"{"jsonrpc":null,"type":"y"}"#, false),
            (r#"{"type":5}"#, false),
            (r#"{"type":""}"#, false),
            (r#"{"type":"x""#, false),
            (r#"["type"]"#, false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(begins(message.as_bytes()), wanted, "{message}");
        }
    }
}
