//! An answer, and the connection that it comes over.

use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::Response as Head;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{line::State, pool::Lease};
use crate::{
    error::Error,
    transport::{Body, Response, failure::half_an_answer},
};

/// Makes an answer of a head and of what stands behind it.
pub(super) fn received(answer: Head<Incoming>, lease: Lease, state: State) -> Response {
    let (head, mut body) = answer.into_parts();
    let lease = kept(lease, state);
    let body = if body.is_end_stream() {
        // Nothing is to come. If the request is still being sent, nobody wants the rest of it.
        Body::empty()
    } else {
        match next(&mut body) {
            // Most answers are whole by now, and then they need no connection and no box.
            Poll::Ready(Some(Ok(frame))) if body.is_end_stream() && frame.is_data() => {
                frame.into_data().map(Body::full).unwrap_or_default()
            }
            Poll::Ready(None) => Body::empty(),
            begun => Body::from_http(Answer { begun, body, lease }),
        }
    };
    Response::with_headers(head.status, head.headers, body)
}

/// What a connection has come to decides what becomes of it.
fn kept(lease: Lease, state: State) -> Option<Lease> {
    match state {
        State::Busy => return Some(lease),
        State::Ready => lease.give_back(),
        State::Ended => {}
    }
    None
}

/// What the connection has brought already.
fn next(body: &mut Incoming) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// A body that is read from its connection by whoever reads the body. Dropped before its end, it closes the connection.
struct Answer {
    /// What came with the head.
    begun: Poll<Option<Result<Frame<Bytes>, hyper::Error>>>,
    body: Incoming,
    /// `None` once all has been read from the connection.
    lease: Option<Lease>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let answer = &mut *self;
        if let Poll::Ready(frame) = mem::replace(&mut answer.begun, Poll::Pending) {
            return Poll::Ready(answer.seen(frame));
        }
        loop {
            let body = &mut answer.body;
            if let Poll::Ready(frame) = next(body) {
                return Poll::Ready(answer.seen(frame));
            }
            let Some(mut lease) = answer.lease.take() else {
                // The connection has ended, so this cannot be; waiting would have no end.
                return Poll::Ready(Some(Err(half_an_answer(io::Error::from(io::ErrorKind::UnexpectedEof)))));
            };
            let (frame, state) = match lease.line.poll(cx, || next(body)) {
                Poll::Ready(found) => found,
                Poll::Pending => {
                    answer.lease = Some(lease);
                    return Poll::Pending;
                }
            };
            answer.lease = kept(lease, state);
            if let Some(frame) = frame {
                return Poll::Ready(answer.seen(frame));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_pending() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        let begun = match &self.begun {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        match rest.exact() {
            Some(rest) => SizeHint::with_exact(rest.saturating_add(begun)),
            None => {
                let mut hint = SizeHint::default();
                hint.set_lower(rest.lower().saturating_add(begun));
                hint
            }
        }
    }
}

impl Answer {
    /// What is handed out of what was read. A connection that still has something to do at the end of the answer is closed.
    fn seen(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> Option<Result<Frame<Bytes>, Error>> {
        let more = matches!(frame, Some(Ok(_))) && !self.body.is_end_stream();
        if !more {
            self.lease = None;
        }
        frame.map(|frame| frame.map_err(half_an_answer))
    }
}
