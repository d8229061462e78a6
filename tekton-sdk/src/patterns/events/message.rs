//! What is published, and what a broker makes of it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Cursor, Topic};
use crate::{
    error::{Error, ErrorKind, Result},
    wire::trace::TraceContext,
};

/// An event to be published: a topic, data as JSON, and what goes with it. Cheap to clone.
///
/// ```
/// use tekton_sdk::patterns::events::{Message, Topic};
///
/// let message = Message::json(Topic::parse("workflow.completed")?, &serde_json::json!({"run": 7}))?.with_id("run-7");
/// assert_eq!(message.data(), r#"{"run":7}"#);
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    topic: Topic,
    data: Bytes,
    id: Option<Arc<str>>,
    key: Option<Arc<str>>,
    source: Option<Arc<str>>,
    trace: Option<Box<TraceContext>>,
    attributes: Option<Arc<BTreeMap<String, String>>>,
}

impl Message {
    /// How long an id, a key, a source, or a name or a value of an attribute may be.
    pub const MAX_TEXT_BYTES: usize = 1024;

    /// A message with this value as its data.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if the value is no JSON.
    pub fn json<T: Serialize + ?Sized>(topic: Topic, data: &T) -> Result<Self> {
        let data = serde_json::to_vec(data).map_err(|error| {
            let what = format!("the data for topic {topic} cannot be written as JSON");
            Error::new(ErrorKind::Codec, what).with_sent(crate::error::Sent::No).with_source(error)
        })?;
        Ok(Self::unchecked(topic, data.into()))
    }

    /// A message with this JSON text as its data; it is looked through once and kept as it is.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) if it is no JSON text.
    pub fn raw(topic: Topic, data: impl Into<Bytes>) -> Result<Self> {
        let data = data.into();
        serde_json::from_slice::<&RawValue>(&data).map_err(|error| {
            Error::new(ErrorKind::Codec, format!("the data for topic {topic} is no JSON text")).with_source(error)
        })?;
        Ok(Self::unchecked(topic, data))
    }

    /// The data must be JSON text.
    pub(super) const fn unchecked(topic: Topic, data: Bytes) -> Self {
        Self { topic, data, id: None, key: None, source: None, trace: None, attributes: None }
    }

    /// Gives it an id of its own: a subscription hears an id once, however often it is published. Without one, an event is known
    /// by its place in the history.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Says what it is about, for subscriptions that keep the latest of each key. Default: its topic.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names who publishes it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says in which trace it was published.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    /// Adds an attribute, in place of one of this name: lower-case letters and digits, or no broker takes it.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(self.attributes.get_or_insert_default()).insert(name.into(), value.into());
        self
    }

    /// The same on another topic.
    #[must_use]
    pub fn on(mut self, topic: Topic) -> Self {
        self.topic = topic;
        self
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The data as JSON text.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it does not panic, as the proof says")]
    pub fn data(&self) -> &str {
        std::str::from_utf8(&self.data).expect("it was written by serde_json or read by it, and so is UTF-8")
    }

    /// The data as the bytes that were published; shared, not copied.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// The data as a value, which may borrow from the message.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec), naming the topic, if it is no such value.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        serde_json::from_slice(&self.data).map_err(|error| {
            let what = format!("the data of an event on topic {} is not what was expected", self.topic);
            Error::new(ErrorKind::Codec, what).with_source(error)
        })
    }

    /// The id that its publisher gave it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) const fn shared_id(&self) -> Option<&Arc<str>> {
        self.id.as_ref()
    }

    /// What it is about: its key, else its topic.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(self.topic.as_str())
    }

    /// The key that its publisher gave it.
    #[must_use]
    pub fn own_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Who published it, if that was said: a label, not a proof.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The trace in which it was published.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_deref()
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.as_ref()?.get(name).map(String::as_str)
    }

    /// Every attribute, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().flat_map(|all| all.iter()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What it takes in a queue: its texts and data, and a little for the rest.
    #[must_use]
    #[inline]
    pub fn size_bytes(&self) -> usize {
        const REST: usize = 64;
        let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let own = length(&self.id) + length(&self.key) + length(&self.source);
        let attributes = match &self.attributes {
            None => 0,
            Some(all) => all.iter().map(|(name, value)| name.len() + value.len()).sum(),
        };
        REST + self.topic.as_str().len() + self.data.len() + own + attributes
    }

    /// Refuses what no broker takes, and gives its [size](Self::size_bytes).
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if it is larger than the cap or one of its texts is, naming the cap.
    pub fn check(&self, max_bytes: usize) -> Result<usize> {
        let size = self.size_bytes();
        if size > max_bytes {
            let what = format!("an event on topic {} has {size} bytes, at most {max_bytes} are allowed", self.topic);
            return Err(Error::invalid(what));
        }
        let named = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if let Some((name, _)) = self.attributes().find(|(name, _)| !named(name)) {
            let shown: String = name.chars().take(40).collect();
            return Err(Error::invalid(format!(
                "{shown:?} is no name of an event's attribute: lower-case letters and digits are"
            )));
        }
        if size <= Self::MAX_TEXT_BYTES {
            return Ok(size);
        }
        let texts = [("id", self.id()), ("key", self.own_key()), ("source", self.source())];
        let attributes = self.attributes().flat_map(|(name, value)| [("attribute", name), ("attribute", value)]);
        for (what, text) in texts.into_iter().filter_map(|(what, text)| Some((what, text?))).chain(attributes) {
            if text.len() > Self::MAX_TEXT_BYTES {
                let (length, most) = (text.len(), Self::MAX_TEXT_BYTES);
                let topic = &self.topic;
                return Err(Error::invalid(format!(
                    "the {what} of an event on topic {topic} has {length} bytes, at most {most} are allowed"
                )));
            }
        }
        Ok(size)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is said may be private.
        f.debug_struct("Message")
            .field("topic", &self.topic.as_str())
            .field("id", &self.id)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// An event that a broker took: where it stands and when it came.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its place in the history.
    pub cursor: Cursor,
    /// When the broker took it, by the broker's wall clock.
    pub time: SystemTime,
    /// What was published.
    pub message: Message,
}

impl Published {
    /// An event at this place, for those who write a broker.
    #[must_use]
    pub const fn new(cursor: Cursor, time: SystemTime, message: Message) -> Self {
        Self { cursor, time, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic::parse("a.b").unwrap()
    }

    #[test]
    fn data_stays_as_it_was_written() {
        let message = Message::raw(topic(), r#" {"n": 1.0} "#).unwrap();
        assert_eq!(message.data(), r#" {"n": 1.0} "#);
        for broken in ["", "{", "1 2", "nul", "\u{feff}1"] {
            assert_eq!(Message::raw(topic(), broken).unwrap_err().kind(), ErrorKind::Codec, "{broken:?}");
        }
        let wrong = message.read::<u8>().unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Codec);
        assert!(wrong.to_string().contains("a.b"), "{wrong}");
    }

    #[test]
    fn what_is_too_large_is_refused_with_the_cap() {
        let message = Message::json(topic(), &"x".repeat(100)).unwrap();
        assert!(message.check(message.size_bytes()).is_ok());
        let error = message.check(100).unwrap_err().to_string();
        assert!(error.contains("at most 100 are allowed"), "{error}");
        let error = message.clone().with_attribute("<b>", "x").check(10_000).unwrap_err().to_string();
        assert!(error.contains("\"<b>\" is no name"), "{error}");
        let error = message.with_id("i".repeat(1025)).check(10_000).unwrap_err().to_string();
        assert!(error.contains("the id of an event"), "{error}");
    }
}
