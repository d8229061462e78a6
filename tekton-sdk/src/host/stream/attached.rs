//! The body of a resumable stream: one reader of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;

use super::{
    batch::Batch,
    cut_off,
    format::{Event, Format},
    keep_alive::KeepAlive,
    registry::Reading,
    running::{Found, Reader, Running},
};
use crate::{error::Result, wire::problem::Problem};

/// Reads what the work has sent. Dropping it leaves the work to those who come back.
pub(super) struct Attached {
    running: Arc<Running>,
    reader: Reader,
    streams: Reading,
    keep_alive: KeepAlive,
    is_done: bool,
}

impl Attached {
    pub(super) fn new(streams: Reading, running: Arc<Running>, reader: Reader) -> Self {
        let keep_alive = KeepAlive::new(streams.clock.clone(), streams.keep_alive);
        Self { running, reader, streams, keep_alive, is_done: false }
    }
}

impl Stream for Attached {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        if this.is_done {
            return Poll::Ready(None);
        }
        let mut batch = Batch::new(&this.streams.clock);
        match this.running.read(this.reader, &mut batch, cx) {
            Found::Everything | Found::More => {}
            Found::End => this.is_done = true,
            Found::TakenOver => {
                this.is_done = true;
                let detail = "the stream is read over another connection, which came later";
                let problem = Problem::new(StatusCode::CONFLICT, detail).with_code("stream_taken_over");
                Format::Events.write(&Event::Error(Box::new(problem)), None, &mut batch.out);
            }
            Found::Cancelled if this.streams.ends.is_cut_off() => {
                this.is_done = true;
                return Poll::Ready(Some(Err(cut_off())));
            }
            Found::Cancelled => {
                this.is_done = true;
                let problem =
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the stream was cancelled").with_code("cancelled");
                Format::Events.write(&Event::Error(Box::new(problem)), None, &mut batch.out);
            }
        }
        match batch.take() {
            Some(bytes) => {
                this.keep_alive.sent();
                Poll::Ready(Some(Ok(bytes)))
            }
            None if this.is_done => Poll::Ready(None),
            None => this.keep_alive.poll(cx).map(|()| Some(Ok(Format::Events.keep_alive()))),
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.running.leave(self.reader, self.streams.clock.now());
    }
}
