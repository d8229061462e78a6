//! What the hub tells of the tasks that agents give each other.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    error::Result,
    wire::lenient::{self, Object},
};

/// An event of the hub's streams. The types that occur are [`ESTABLISHED`](Self::ESTABLISHED), `task.created`, `task.state_changed` and
/// `task.progress`.
#[non_exhaustive]
#[derive(Clone, Serialize, Deserialize)]
pub struct HubEvent {
    /// Its id, which the hub makes up.
    #[serde(default)]
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, as the hub writes it.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Who says so.
    #[serde(default)]
    pub source: Option<String>,
    /// What belongs to this type, as it was written.
    #[serde(default)]
    pub data: Option<Box<RawValue>>,
    /// Everything else.
    #[serde(default)]
    pub metadata: Object,
    /// The task it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What that task is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
}

impl HubEvent {
    /// The type of the first event of each connection.
    pub const ESTABLISHED: &str = "connection.established";

    /// An event of this type, with this as its data.
    #[must_use]
    pub fn new(kind: impl Into<String>, data: &serde_json::Value) -> Self {
        Self {
            id: String::new(),
            kind: kind.into(),
            timestamp: None,
            source: None,
            data: serde_json::value::to_raw_value(data).ok(),
            metadata: Object::new(),
            task_id: None,
            task_name: None,
            agent_id: None,
        }
    }

    /// Says which task it is about.
    #[must_use]
    pub fn with_task(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        (self.task_id, self.task_name) = (Some(id.into()), Some(name.into()));
        self
    }

    /// Says who works on it.
    #[must_use]
    pub fn with_agent(mut self, id: impl Into<String>) -> Self {
        self.agent_id = Some(id.into());
        self
    }

    /// Reads the `data` of a server-sent event, or the `params` of an `event.publish`.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), saying what came instead.
    pub fn read(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json)
            .map_err(|error| lenient::unexpected("an event of the hub", lenient::came(json, &error)).with_source(error))
    }

    /// The event as JSON, in one line.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }
}

/// What is said may be private.
impl fmt::Debug for HubEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubEvent").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = HubEvent::new("task.progress", &json!({ "progress": 0.5 })).with_task("t-1", "dig").with_agent("a");
        let read = HubEvent::read(&event.to_bytes()).unwrap();
        assert_eq!(read.to_bytes(), event.to_bytes());
        assert_eq!(
            event.to_bytes(),
            r#"{"id":"","type":"task.progress","timestamp":null,"source":null,"data":{"progress":0.5},"metadata":{},"#
                .to_owned()
                + r#""task_id":"t-1","task_name":"dig","agent_id":"a"}"#
        );
    }

    #[test]
    fn what_is_missing_is_nothing_and_what_is_no_event_is_told() {
        let bare = HubEvent::read(br#"{"type":"x","task_id":null,"more":[1],"data":{"n": 1.0}}"#).unwrap();
        assert_eq!((bare.task_id, bare.data.unwrap().get()), (None, r#"{"n": 1.0}"#));
        for wrong in ["", "null", "[]", "{}", r#"{"type":5}"#, "<html>", "{\"type\":\"x\""] {
            let error = HubEvent::read(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Codec, "{wrong}");
            assert!(error.to_string().starts_with("expected an event of the hub, got "), "{error}");
        }
    }
}
