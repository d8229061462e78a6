//! What comes out of a stream.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;

use super::super::lenient;
use crate::error::{Error, ErrorKind, Result, Sent};

/// An event, lent until the decoder goes on.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its type, which the field `event` names; [`MESSAGE`](super::MESSAGE) if none does.
    pub kind: &'a str,
    /// Its data; several lines of it are joined with LF. Owned only if bytes that are no UTF-8 had to be replaced.
    pub data: Cow<'a, str>,
    /// The last event id of the stream at this event: its own, or that of an earlier one. Empty if there is none.
    pub id: &'a str,
}

impl Event<'_> {
    /// Reads the data as one JSON value, nested at most 128 deep.
    ///
    /// # Errors
    ///
    /// [`Codec`](ErrorKind::Codec), saying what came instead; if anything quotes the data, it is the source alone.
    pub fn json<'s, T: Deserialize<'s>>(&'s self) -> Result<T> {
        serde_json::from_str(&self.data).map_err(|source| {
            let what = if source.is_data() {
                "the data of the event is JSON of another shape than expected".into()
            } else {
                format!("expected JSON as the data of the event, got {}", lenient::came(self.data.as_bytes(), &source))
            };
            Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes).with_source(source)
        })
    }
}

/// Whatever of a stream has a meaning, in its order.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An event.
    Event(Event<'a>),
    /// What follows a colon at the beginning of a line, without one space. Servers send them to show that they are alive.
    Comment(Cow<'a, str>),
    /// How long to wait before connecting anew, from here on.
    Retry(Duration),
}
