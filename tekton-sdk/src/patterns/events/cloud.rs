//! Events as CloudEvents, and back.

use super::{Message, Published, Topic};
use crate::{
    error::{Error, ErrorKind, Result},
    wire::cloudevents::{CloudEvent, Data, Value},
};

/// What names the publisher where nobody did.
const NOBODY: &str = "tekton";
/// The extension that holds the place in the history.
const CURSOR: &str = "cursor";

impl Published {
    /// The event in the envelope of CloudEvents 1.0: the topic is its `type`, the key its `subject`, the trace its `traceparent` and
    /// `tracestate`, the attributes and the `cursor` are extensions. Without an id of its own, the cursor is its `id`.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec), naming what CloudEvents do not allow in a text or as the name of an attribute.
    pub fn to_cloud_event(&self) -> Result<CloudEvent> {
        let message = &self.message;
        let cursor = self.cursor.to_string();
        let source = message.source().map_or_else(|| NOBODY.to_owned(), percent_encoded);
        let mut event = CloudEvent::new(message.id().unwrap_or(&cursor), source, message.topic().as_str())?
            .with_time(self.time)
            .with_json(message.bytes().clone())?
            .with_extension(CURSOR, cursor.as_str())?;
        if let Some(key) = message.own_key() {
            event = event.with_subject(key)?;
        }
        if let Some(trace) = message.trace() {
            event = event.with_trace(trace);
        }
        for (name, value) in message.attributes() {
            event = event.with_extension(name, value)?;
        }
        Ok(event)
    }
}

impl Message {
    /// A message of what an envelope of CloudEvents 1.0 holds; an event without data has `null`. Where it stood and when it was
    /// sent is left behind: a broker says both anew.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if its `type` is no topic; [`Codec`](ErrorKind::Codec) if its data is not JSON.
    pub fn of_cloud_event(event: &CloudEvent) -> Result<Self> {
        let topic = Topic::parse(event.kind())?;
        let mut message = match event.data() {
            Some(Data::Json(json)) => Self::raw(topic, json.clone())?,
            None => Self::json(topic, &())?,
            Some(Data::Binary(_)) => {
                let what = format!("the CloudEvent on topic {topic} carries bytes, and an event's data is JSON");
                return Err(Error::new(ErrorKind::Codec, what));
            }
        };
        message = message.with_id(event.id()).with_source(event.source());
        if let Some(subject) = event.subject() {
            message = message.with_key(subject);
        }
        if let Some(trace) = event.trace() {
            message = message.with_trace(trace);
        }
        for (name, value) in event.extensions() {
            let value = match value {
                _ if [CURSOR, "traceparent", "tracestate"].contains(&name) => continue,
                Value::Text(text) => text.clone(),
                Value::Bool(value) => value.to_string(),
                Value::Integer(value) => value.to_string(),
            };
            message = message.with_attribute(name, value);
        }
        Ok(message)
    }
}

/// A name as a path segment of a URI reference.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{patterns::events::Cursor, wire::trace::TraceContext};

    #[test]
    fn an_event_goes_into_the_envelope_and_back() {
        let trace = TraceContext::new_root([1; 16], [2; 8], true);
        let message = Message::raw(Topic::parse("order.paid").unwrap(), r#"{"total": 1.50}"#)
            .unwrap()
            .with_id("o-7")
            .with_key("table 4")
            .with_source("kitchen")
            .with_trace(trace)
            .with_attribute("tenant", "a");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let event = Published::new(Cursor::new(1, 2), time, message.clone()).to_cloud_event().unwrap();
        assert_eq!((event.kind(), event.subject(), event.time()), ("order.paid", Some("table 4"), Some(time)));
        assert!(event.to_json().contains(r#""data":{"total": 1.50}"#), "{}", event.to_json());
        assert_eq!(Message::of_cloud_event(&CloudEvent::parse(event.to_json().as_bytes()).unwrap()).unwrap(), message);
    }

    #[test]
    fn what_has_no_id_and_no_source_has_them_in_the_envelope() {
        let message = Message::json(Topic::parse("a").unwrap(), &1).unwrap();
        let published = Published::new(Cursor::new(1, 2), SystemTime::UNIX_EPOCH, message.clone());
        let event = published.to_cloud_event().unwrap();
        assert_eq!((event.id(), event.source()), ("0000000000000001-2", "tekton"));
        let odd = Published { message: message.clone().with_source("küche 1"), ..published.clone() };
        assert_eq!(odd.to_cloud_event().unwrap().source(), "k%C3%BCche%201");
        let taken = Published { message: message.with_attribute("id", "x"), ..published };
        assert_eq!(taken.to_cloud_event().unwrap_err().kind(), ErrorKind::Codec);
        let topicless = CloudEvent::new("1", "/s", "not a topic").unwrap();
        assert_eq!(Message::of_cloud_event(&topicless).unwrap_err().kind(), ErrorKind::Invalid);
        let binary = CloudEvent::new("1", "/s", "t").unwrap().with_binary("image/png", &b"\0"[..]).unwrap();
        assert_eq!(Message::of_cloud_event(&binary).unwrap_err().kind(), ErrorKind::Codec);
    }
}
