//! What a host says: events, gaps and ends of subscriptions, and answers.

mod quick;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use serde_json::value::RawValue;

use super::machine::Refused;
use crate::{
    error::{Error, ErrorKind},
    patterns::events::{Cursor, Gap, GapReason, Message, Published, Topic},
    wire::{
        exchange::{Answered, Content},
        jsonrpc::{self, Id, Incoming, RpcLimits},
        problem, rfc3339,
        trace::TraceContext,
    },
};

/// What came.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// An event or what stands in its place. It is large, and lent for that.
    Event(&'a Heard<'a>),
    /// A call was done, and what it came to as JSON.
    Answer { id: u64, result: &'a str },
    /// A call was not done.
    Refused { id: u64, refused: Refused },
    /// The host asks something itself, which nobody answers here.
    Asked(Id<'a>),
    /// Nothing of this.
    Junk,
}

/// The parameters of the notification `event`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Heard<'a> {
    pub(super) subscription: u64,
    #[serde(default)]
    cursor: Option<At>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(default)]
    pub(super) delivery: u32,
    #[serde(default)]
    pub(super) replaced: u64,
    #[serde(borrow, default)]
    topic: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    key: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default)]
    traceparent: Option<Text<'a>>,
    #[serde(borrow, default)]
    tracestate: Option<Text<'a>>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    gap: Option<Missing<'a>>,
    #[serde(default)]
    end: bool,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Missing<'a> {
    from: At,
    to: At,
    #[serde(default)]
    lost: Option<u64>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
}

/// What an `event` holds.
#[derive(Debug)]
pub(super) enum What {
    Event(Arc<Published>),
    Gap(Gap),
    End(Option<Error>),
}

/// What the last event had, and the next one probably has: it is shared, and not made anew.
#[derive(Debug, Default)]
pub(super) struct Known {
    topic: Option<Topic>,
    source: Option<Arc<str>>,
}

impl Heard<'_> {
    /// The place of the event, if it is one.
    pub(super) fn event(&self) -> Option<Cursor> {
        self.data?;
        self.cursor.map(|At(cursor)| cursor)
    }

    /// What it holds; nothing if that makes no sense. The data stays in the message.
    pub(super) fn read(&self, message: &Bytes, known: &mut Known) -> Option<What> {
        if let Some(Missing { from: At(from), to: At(to), lost, reason }) = &self.gap {
            let mut gap = Gap::new(*from, *to, reason_of(reason.as_ref().map(|Text(reason)| &**reason)));
            gap.lost = *lost;
            return Some(What::Gap(gap));
        }
        if self.end {
            return Some(What::End(self.error.map(ended)));
        }
        let (At(cursor), Text(topic), data) = (self.cursor?, self.topic.as_ref()?, self.data?);
        let topic = match &mut known.topic {
            Some(known) if known.as_str() == *topic => known.clone(),
            known => known.insert(Topic::parse(topic).ok()?).clone(),
        };
        // The text was parsed with what it stands in.
        let mut said = Message::unchecked(topic, message.slice_ref(data.get().as_bytes()));
        if let Some(Text(id)) = &self.id {
            said = said.with_id(&**id);
        }
        if let Some(Text(key)) = &self.key {
            said = said.with_key(&**key);
        }
        if let Some(Text(source)) = &self.source {
            said = said.with_source(match &mut known.source {
                Some(known) if **known == **source => Arc::clone(known),
                known => Arc::clone(known.insert(Arc::from(&**source))),
            });
        }
        if let Some(Text(parent)) = &self.traceparent {
            let state = self.tracestate.as_ref().map(|Text(state)| &**state);
            // A trace that cannot be read is none, as in the headers of HTTP.
            if let Some(trace) = TraceContext::parse(parent, state.into_iter()) {
                said = said.with_trace(trace);
            }
        }
        for (name, value) in self.attributes.iter().flatten() {
            said = said.with_attribute(name.as_str(), value.as_str());
        }
        let time = self.time.as_ref().and_then(|Text(time)| rfc3339::parse(time)).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(What::Event(Arc::new(Published::new(cursor, time, said))))
    }
}

fn reason_of(name: Option<&str>) -> GapReason {
    const ALL: [GapReason; 4] = [GapReason::Overflow, GapReason::Expired, GapReason::Restarted, GapReason::Skipped];
    ALL.into_iter().find(|reason| Some(reason.name()) == name).unwrap_or(GapReason::Skipped)
}

/// Tells each thing that a message says.
pub(super) fn read(message: &Bytes, limits: &RpcLimits, mut each: impl FnMut(Told<'_>)) {
    if let Some(heard) = quick::event(message) {
        return each(Told::Event(&heard));
    }
    match jsonrpc::parse(message, limits) {
        Ok(Incoming::One(message)) => tell(message, &mut each),
        Ok(Incoming::Batch(messages)) => messages.into_iter().for_each(|message| tell(message, &mut each)),
        Err(_) => each(Told::Junk),
    }
}

fn tell(message: jsonrpc::Message<'_>, each: &mut impl FnMut(Told<'_>)) {
    match message {
        jsonrpc::Message::Request(jsonrpc::Request { id: Some(id), .. }) => each(Told::Asked(id)),
        jsonrpc::Message::Request(jsonrpc::Request { method, params: Some(params), .. }) if method == "event" => {
            let params = Some(params.get()).filter(|params| params.starts_with('{'));
            match params.and_then(|params| serde_json::from_str(params).ok()) {
                Some(heard) => each(Told::Event(&heard)),
                None => each(Told::Junk),
            }
        }
        jsonrpc::Message::Response(jsonrpc::Response { id, outcome, .. }) => match (id.own_number(), outcome) {
            (Some(id), Ok(Cow::Borrowed(result))) => each(Told::Answer { id, result: result.get() }),
            (Some(id), Err(error)) => each(Told::Refused { id, refused: refused(error) }),
            _ => each(Told::Junk),
        },
        jsonrpc::Message::Request(_) | jsonrpc::Message::Invalid(_) => each(Told::Junk),
    }
}

fn refused(error: jsonrpc::RpcError<'_>) -> Refused {
    // A problem says more than the code does.
    if let Some(problem) = error.data.as_deref()
        && let Some(status) = status_of(problem)
    {
        return failure(status, &Bytes::copy_from_slice(problem.get().as_bytes()));
    }
    let body = |content: Content<'_>| match content {
        Content::Json(json) => Bytes::copy_from_slice(json.as_bytes()),
        Content::Bytes(bytes) => bytes,
        Content::Empty | Content::Stream => Bytes::new(),
    };
    match Answered::read(Err(error), None) {
        Ok(Answered { status, content, .. }) => failure(status, &body(content)),
        Err(_) => failure(StatusCode::BAD_GATEWAY, &Bytes::new()),
    }
}

/// The problem that ended a subscription.
fn ended(json: &RawValue) -> Error {
    let status = status_of(json).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure(status, &Bytes::copy_from_slice(json.get().as_bytes())).error
}

/// The status of a problem (RFC 9457 §3.1.3).
fn status_of(json: &RawValue) -> Option<StatusCode> {
    #[derive(Deserialize)]
    struct Read {
        status: u16,
    }
    let object = Some(json.get()).filter(|json| json.starts_with('{'))?;
    let Read { status } = serde_json::from_str(object).ok()?;
    StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 400)
}

/// What a failure comes to: what a host says of its broker is what the broker said.
fn failure(status: StatusCode, body: &Bytes) -> Refused {
    // A date is no part of a problem: no clock is needed.
    let told = problem::read_failure(status, &HeaderMap::new(), body, SystemTime::UNIX_EPOCH);
    let kind = match status.as_u16() {
        400 | 422 => ErrorKind::Invalid,
        429 => ErrorKind::Rejected,
        503 => ErrorKind::Closed,
        _ => told.kind(),
    };
    let mut error = Error::new(kind, told.to_string()).with_sent(told.sent());
    if let Some(remote) = told.remote() {
        error = error.with_remote(remote.clone());
    }
    if let Some(wait) = told.retry_after() {
        error = error.with_retry_after(wait);
    }
    Refused { status: status.as_u16(), error }
}

/// A text that is copied only if it has escapes.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// A cursor.
#[derive(Clone, Copy, Debug)]
struct At(Cursor);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cursor")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<At, E> {
                text.parse().map(At).map_err(|_| E::custom("no cursor"))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

#[cfg(test)]
mod tests;
