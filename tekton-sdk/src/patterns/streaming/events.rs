//! Events as they come.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    SseEvent,
    machine::Ended,
    road::HttpRoad,
    source::{Source, Taken},
};
use crate::{error::Result, wire::sse};

/// An event of a stream, kept.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    /// Its type, which the field `event` names; `message` if none does.
    pub kind: String,
    /// Its data; several lines of it are joined with LF.
    pub data: String,
    /// The last event id of the stream at this event: its own, or that of an earlier one. Empty if there is none.
    pub id: String,
}

impl StreamEvent {
    /// Reads the data as JSON, nested at most 128 deep.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec), saying what came instead; if anything quotes the data, it is the source alone.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.as_event().json()
    }

    /// The event as the decoder lends it.
    #[must_use]
    pub fn as_event(&self) -> sse::Event<'_> {
        sse::Event { kind: &self.kind, data: self.data.as_str().into(), id: &self.id }
    }
}

impl From<&sse::Event<'_>> for StreamEvent {
    fn from(event: &sse::Event<'_>) -> Self {
        Self { kind: event.kind.to_owned(), data: event.data.clone().into_owned(), id: event.id.to_owned() }
    }
}

/// The events of a server, over as many connections as it takes. [`SseClient::open`](super::SseClient::open) gives them.
///
/// `None` is the end: [`Self::ended`] says which. After an error there is no more, unless it
/// [is recoverable](crate::Error::is_recoverable). Dropping it closes the connection.
#[must_use = "events come only when they are asked for"]
pub struct Events {
    source: Box<Source<HttpRoad>>,
}

impl Events {
    pub(super) fn new(source: Source<HttpRoad>) -> Self {
        Self { source: Box::new(source) }
    }

    /// The next event; connects, waits and connects anew where that is needed. While nobody asks nothing is read, so that the
    /// server has to wait.
    ///
    /// # Errors
    /// What ended the stream; see [`SseClient`](super::SseClient). Nothing comes after it.
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<StreamEvent>> {
        std::future::poll_fn(|cx| self.poll_one(cx)).await
    }

    /// How the stream ended, once it has and did not fail.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.source.ended()
    }

    /// What the next connection resumes after; empty for the beginning.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.source.last_event_id()
    }

    /// Closes the connection: no event comes any more.
    pub fn close(&mut self) {
        self.source.close();
    }

    /// Drops the connection and connects anew at once, with `Last-Event-ID`. What was read of an event that was not complete is
    /// dropped. It does nothing once the stream has ended.
    pub fn restart(&mut self) {
        self.source.restart();
    }

    /// The same events, read as this type.
    pub fn typed<E: SseEvent>(self) -> TypedEvents<E> {
        TypedEvents { events: self, of: PhantomData }
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<StreamEvent>>> {
        self.source.poll_event(cx, |_, event| Taken::Give(event.into()))
    }
}

impl Stream for Events {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("ended", &self.ended()).finish_non_exhaustive()
    }
}

/// The events of a server, each read as a variant of `E`. [`Events::typed`] gives them.
///
/// An event whose data cannot be read is an error that [is recoverable](crate::Error::is_recoverable): the next one comes after it.
#[must_use = "events come only when they are asked for"]
pub struct TypedEvents<E> {
    events: Events,
    of: PhantomData<fn() -> E>,
}

impl<E: SseEvent> TypedEvents<E> {
    /// The next event, as [`Events::next`].
    ///
    /// # Errors
    /// Those of [`Events::next`], and `Codec`, recoverable, for data that cannot be read.
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<E>> {
        std::future::poll_fn(|cx| self.poll_one(cx)).await
    }

    /// The events as they come.
    pub fn into_events(self) -> Events {
        self.events
    }

    /// How the stream ended, once it has and did not fail.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.events.ended()
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<E>>> {
        let read = |event: &sse::Event<'_>| E::from_event(event).map_err(crate::Error::recoverable);
        let polled = self.events.source.poll_event(cx, |_, event| Taken::Give(read(event)));
        polled.map(|next| next.map(|event| event?))
    }
}

impl<E: SseEvent> Stream for TypedEvents<E> {
    type Item = Result<E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}

impl<E> fmt::Debug for TypedEvents<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.fmt(f)
    }
}
