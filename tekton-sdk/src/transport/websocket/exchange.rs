//! One call over a connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::{self, Either};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    connection::{Arrived, Arriving, Connection},
    pipe::{Credit, Pieces, send_pieces},
};
use crate::{
    error::{Error, ErrorKind, Result},
    time::BoxFuture,
    transport::{Body, Response},
    wire::{
        exchange::{Payload, encode_call},
        jsonrpc::Id,
    },
};

/// The largest body that goes in one message; a larger one goes in pieces, and keeps no other call waiting.
pub(crate) const WHOLE_BYTES: usize = 64 << 10;

/// What a call sends.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Body,
}

/// A call that did not come to an answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The connection was closed already: the call is as it was.
    NotSent(Box<Outgoing>, OwnedSemaphorePermit),
    Error(Error),
}

/// Sends a request, and waits for the head of its answer.
///
/// # Cancel safety
/// Dropping the future gives the call up, and the other side is told.
pub(super) async fn exchange(
    connection: Arc<Connection>,
    mut outgoing: Outgoing,
    place: OwnedSemaphorePermit,
) -> Result<Response, Failed> {
    connection.out.room().await;
    let whole = match std::mem::take(&mut outgoing.body).into_bytes() {
        Ok(bytes) if bytes.len() <= WHOLE_BYTES => Some(bytes),
        Ok(bytes) => {
            outgoing.body = Body::full(bytes);
            None
        }
        Err(stream) => {
            outgoing.body = stream;
            None
        }
    };
    let credit = whole.is_none().then(Credit::new);
    let (id, mut told) = connection.begin(credit.as_ref()).map_err(Failed::Error)?;
    let mut call = Call { connection, id, ended: false, _place: Some(place) };
    let payload = whole.as_ref().map_or(Payload::Stream, Payload::Whole);
    let Outgoing { method, path, query, headers, .. } = &outgoing;
    let text = encode_call(id, method, path, query.as_deref(), headers, payload);
    if !call.connection.out.push(text, Some(id)) {
        call.ended();
        outgoing.body = whole.map_or(outgoing.body, Body::full);
        let place = call._place.take();
        return Err(match place {
            Some(place) => Failed::NotSent(Box::new(outgoing), place),
            None => Failed::Error(lost()),
        });
    }
    let mut sending = credit.map(|credit| -> BoxFuture<'static, ()> {
        Box::pin(send_pieces(outgoing.body, Id::from(id), credit, Arc::clone(&call.connection.out)))
    });
    let arrived = match &mut sending {
        None => told.await,
        Some(pieces) => match future::select(&mut told, pieces).await {
            Either::Left((arrived, _)) => arrived,
            Either::Right(((), _)) => {
                sending = None;
                told.await
            }
        },
    };
    let arrived = arrived.unwrap_or_else(|_| Err(lost()));
    match arrived {
        Err(error) => {
            call.ended();
            Err(Failed::Error(error))
        }
        Ok(Arrived { status, headers, body }) => {
            let body = match body {
                Arriving::Whole(bytes) => {
                    call.ended();
                    Body::full(bytes)
                }
                Arriving::Stream(pieces) => Body::stream(Answer { pieces, call: Some(call), sending }),
            };
            Ok(Response::with_headers(status, headers, body))
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Interrupted, "the connection was closed before an answer")
}

/// A call that is under way. Dropped before its end, it is given up.
struct Call {
    connection: Arc<Connection>,
    id: u64,
    ended: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Call {
    fn ended(&mut self) {
        self.ended = true;
        self.connection.ended(self.id);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.cancel(self.id);
        }
    }
}

/// An answer that comes in pieces. The rest of the request is sent while it is read.
struct Answer {
    pieces: Pieces,
    /// `None` at the end.
    call: Option<Call>,
    sending: Option<BoxFuture<'static, ()>>,
}

impl Stream for Answer {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Some(sending) = &mut self.sending
            && sending.as_mut().poll(cx).is_ready()
        {
            self.sending = None;
        }
        let polled = Pin::new(&mut self.pieces).poll_next(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_))))
            && let Some(mut call) = self.call.take()
        {
            self.sending = None;
            call.ended();
        }
        polled
    }
}
