//! The answer of a callee that streams lines of JSON. It cannot be resumed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::Body as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    error::{Error, ErrorKind, Result},
    time::{BoxFuture, SharedClock},
    transport::Body,
    wire::ndjson::Decoder,
};

/// A body of lines.
pub(super) struct Lines {
    body: Body,
    decoder: Decoder,
    chunk: Bytes,
    clock: SharedClock,
    idle: Duration,
    heard: Instant,
    /// Rings when the connection may be idle for too long.
    alarm: Option<BoxFuture<'static, ()>>,
}

/// What a line says; what a later version may say beside it is passed over.
#[derive(Default, Deserialize)]
#[serde(default, bound = "")]
pub(super) struct Line<'a> {
    #[serde(borrow, deserialize_with = "there")]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "there")]
    pub(super) item_error: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "there")]
    pub(super) gap: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "there")]
    pub(super) end: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "there")]
    pub(super) error: Option<&'a RawValue>,
}

/// Of what is there, `null` is no absence.
fn there<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Lines {
    pub(super) fn new(body: Body, max_line_bytes: usize, clock: SharedClock, idle: Duration) -> Self {
        let (decoder, heard) = (Decoder::new(max_line_bytes), clock.now());
        Self { body, decoder, chunk: Bytes::new(), clock, idle, heard, alarm: None }
    }

    /// What `read` makes of the next line.
    ///
    /// # Errors
    /// [`Interrupted`](ErrorKind::Interrupted) if the body ends or breaks: whoever is done says so in a line.
    pub(super) fn poll_line<R>(&mut self, cx: &mut Context<'_>, read: impl FnOnce(&[u8]) -> R) -> Poll<Result<R>> {
        loop {
            let mut rest = &*self.chunk;
            let before = rest.len();
            match self.decoder.next_line(&mut rest) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Some(line)) => {
                    let (read, used) = (read(line), before - rest.len());
                    self.chunk = self.chunk.slice(used..);
                    return Poll::Ready(Ok(read));
                }
                Ok(None) => self.chunk = Bytes::new(),
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    self.chunk = frame.into_data().unwrap_or_default();
                    self.heard = self.clock.now();
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => {
                    let what = "the stream broke off before the callee said that it is complete";
                    return Poll::Ready(Err(Error::new(ErrorKind::Interrupted, what)));
                }
                Poll::Pending => return self.poll_idle(cx).map(Err),
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            let silent = self.clock.now().saturating_duration_since(self.heard);
            if silent >= self.idle {
                let what = "the stream was silent for longer than its idle time-out";
                return Poll::Ready(Error::new(ErrorKind::Timeout, what));
            }
            // One timer serves many bytes: it is set anew only when it rings.
            let alarm = self.alarm.get_or_insert_with(|| self.clock.sleep(self.idle - silent));
            ready!(alarm.as_mut().poll(cx));
            self.alarm = None;
        }
    }
}
