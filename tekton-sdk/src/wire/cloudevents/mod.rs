//! CloudEvents 1.0: the envelope in its JSON format.
//!
//! A [`CloudEvent`] that was read is valid as the text of the specification has it, which asks for more than its JSON schema: times,
//! URIs, names of extensions, characters of texts and the range of numbers are looked at. What is written is read again as it was.
//!
//! ```
//! use tekton_sdk::wire::cloudevents::{CloudEvent, Data};
//!
//! let event = CloudEvent::parse(br#"{"specversion":"1.0","id":"7","source":"/kitchen","type":"order.paid","data":{"table":4}}"#)?;
//! assert_eq!((event.kind(), event.source()), ("order.paid", "/kitchen"));
//! assert_eq!(event.data(), Some(&Data::Json(r#"{"table":4}"#.into())));
//! assert_eq!(CloudEvent::parse(event.to_json().as_bytes())?, event);
//!
//! let refused = CloudEvent::parse(br#"{"specversion":"1.0","id":"7","source":"a b","type":"x"}"#).unwrap_err();
//! assert_eq!(refused.to_string(), "the CloudEvent's `source` is no URI reference");
//! # Ok::<(), tekton_sdk::Error>(())
//! ```
//!
//! *What can go wrong:* [`Codec`](crate::ErrorKind::Codec), naming the attribute.

mod check;
mod read;
mod write;

use std::{collections::BTreeMap, time::SystemTime};

use bytes::Bytes;

use super::{rfc3339, trace::TraceContext};
use crate::error::{Error, ErrorKind, Result};

/// The media type of one event in the JSON format (§3 of it).
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// How many extensions an event may have.
pub const MAX_EXTENSIONS: usize = 64;

/// One event with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    id: String,
    source: String,
    kind: String,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: BTreeMap<String, Value>,
    data: Option<Data>,
}

/// The value of an extension.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A whole number of 32 bits.
    Integer(i32),
}

/// What the event carries.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A JSON text, as it came.
    Json(Bytes),
    /// Bytes, which travel as base64.
    Binary(Bytes),
}

fn wrong(name: &str, why: &str) -> Error {
    let shown: String = name.chars().take(40).collect();
    Error::new(ErrorKind::Codec, format!("the CloudEvent's `{}` {why}", shown.escape_debug()))
}

impl CloudEvent {
    /// An event with what each must have.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec), naming the attribute that is empty, has a control character, or is no URI reference.
    pub fn new(id: impl Into<String>, source: impl Into<String>, kind: impl Into<String>) -> Result<Self> {
        let (id, source, kind) = (id.into(), source.into(), kind.into());
        check::text("id", &id)?;
        check::text("source", &source)?;
        check::uri_reference("source", &source)?;
        check::text("type", &kind)?;
        Ok(Self {
            id,
            source,
            kind,
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: None,
        })
    }

    /// Reads one event in the JSON format.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec), naming the attribute that is wrong.
    pub fn parse(json: &[u8]) -> Result<Self> {
        read::parse(json)
    }

    /// Says what it is about within its source.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is empty or has a control character.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Result<Self> {
        let subject = subject.into();
        check::text("subject", &subject)?;
        self.subject = Some(subject);
        Ok(self)
    }

    /// Says when it happened. A time outside of the years 0 to 9999 cannot be written, and is left out.
    #[must_use]
    pub fn with_time(mut self, time: SystemTime) -> Self {
        self.time = rfc3339::format(time);
        self
    }

    /// Carries this JSON text; it is looked through once.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is no JSON text.
    pub fn with_json(mut self, json: impl Into<Bytes>) -> Result<Self> {
        let json = json.into();
        serde_json::from_slice::<&serde_json::value::RawValue>(&json)
            .map_err(|error| wrong("data", "is no JSON text").with_source(error))?;
        self.data = Some(Data::Json(json));
        self.datacontenttype = None;
        Ok(self)
    }

    /// Carries bytes of this media type.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if the media type is none.
    pub fn with_binary(mut self, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Result<Self> {
        let content_type = content_type.into();
        check::media_type("datacontenttype", &content_type)?;
        self.datacontenttype = Some(content_type);
        self.data = Some(Data::Binary(bytes.into()));
        Ok(self)
    }

    /// Sets an extension.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if the name has something else than lower-case letters and digits, or is that of an attribute
    /// of the specification; if the text has a control character; if there are 64 already.
    pub fn with_extension(mut self, name: impl Into<String>, value: impl Into<Value>) -> Result<Self> {
        let (name, value) = (name.into(), value.into());
        check::extension(&name)?;
        if let Value::Text(text) = &value {
            check::characters(&name, text)?;
        }
        self.extensions.insert(name, value);
        if self.extensions.len() > MAX_EXTENSIONS {
            return Err(wrong("extensions", "are more than 64"));
        }
        Ok(self)
    }

    /// Sets the extensions of distributed tracing: `traceparent` and `tracestate`.
    #[must_use]
    pub fn with_trace(mut self, trace: &TraceContext) -> Self {
        let parent = String::from_utf8_lossy(&trace.to_ascii()).into_owned();
        self.extensions.insert("traceparent".to_owned(), Value::Text(parent));
        match trace.state() {
            Some(state) => self.extensions.insert("tracestate".to_owned(), Value::Text(state.to_owned())),
            None => self.extensions.remove("tracestate"),
        };
        self
    }

    /// The JSON format.
    #[must_use]
    pub fn to_json(&self) -> String {
        write::json(self)
    }

    /// The id, unique within its source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it happened, a URI reference.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What happened: the attribute `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it is about within its source.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.time.as_deref().and_then(rfc3339::parse)
    }

    /// The media type of the data; without one it is JSON.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.datacontenttype.as_deref()
    }

    /// The schema of the data, a URI.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.dataschema.as_deref()
    }

    /// What it carries.
    #[must_use]
    pub const fn data(&self) -> Option<&Data> {
        self.data.as_ref()
    }

    /// The value of an extension.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&Value> {
        self.extensions.get(name)
    }

    /// Every extension, by name.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.extensions.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The trace in which it was sent, of its extensions `traceparent` and `tracestate`; nothing if the first is invalid.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        let text = |name| match self.extension(name) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        TraceContext::parse(text("traceparent")?, text("tracestate").into_iter())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

#[cfg(test)]
mod tests;
