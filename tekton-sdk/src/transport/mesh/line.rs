//! One connection of HTTP/1.1.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, Connection, SendRequest},
    },
};

use super::{
    gate::Gate,
    stream::{Pooled, Stream},
};
use crate::{
    error::{Error, ErrorKind},
    transport::{Body, Endpoint, failure::failure},
};

/// How often in a row a connection is polled that wakes itself, before other tasks have their turn.
const TURNS: usize = 3;

/// A connection with nobody to look after it but who holds it: no task of its own polls it.
///
/// Dropping it closes it.
pub(super) struct Line {
    sender: SendRequest<Body>,
    /// `None` once it has ended. What it had not begun is handed back only when it is dropped.
    connection: Option<Connection<Pooled, Body>>,
    gate: Arc<Gate>,
    /// The gate again, as the connection knows it.
    waker: Waker,
    pub(super) opened: Instant,
    _count: Count,
}

/// What a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Something is still to be sent or to be read.
    Busy,
    /// Ready for the next request.
    Ready,
    /// Closed, or not to be used any more.
    Ended,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// The connection was gone before the request had been touched; here it is again.
    NotSent(Box<Request<Body>>, hyper::Error),
    /// The request may have arrived.
    Broken(hyper::Error),
    /// The request may have arrived, and the connection ended without a word.
    Lost,
}

impl Line {
    pub(super) async fn new(
        stream: Stream,
        max_header_bytes: usize,
        opened: Instant,
        count: Count,
    ) -> hyper::Result<Self> {
        let gate = Arc::new(Gate::held());
        let stream = Pooled::new(stream, Arc::clone(&gate));
        let (sender, connection) = Builder::new().max_header_size(max_header_bytes).handshake(stream).await?;
        let waker = Waker::from(Arc::clone(&gate));
        Ok(Self { sender, connection: Some(connection), gate, waker, opened, _count: count })
    }

    /// Hands a request over; [`poll`](Self::poll) sends it, and the future is then asked for the answer, with nobody to wake.
    ///
    /// The wake that this gives is swallowed: the gate is held since the connection was opened or given back.
    /// The answer comes through a channel that only polling the connection fills, so the runtime's budget must not make it wait
    /// for a wake that nobody gets.
    pub(super) fn begin(
        &mut self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        tokio::task::unconstrained(self.sender.try_send_request(request))
    }

    /// Says that it was idle for so long that the system must be asked whether it is still open.
    pub(super) fn doubt(&self) {
        self.gate.doubt();
    }

    /// Moves the connection on until it has brought what is looked for.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut() -> Poll<T>,
    ) -> Poll<(Option<T>, State)> {
        for _ in 0..TURNS {
            self.gate.hold();
            let ended = match &mut self.connection {
                Some(connection) => Pin::new(connection).poll(&mut Context::from_waker(&self.waker)).is_ready(),
                None => true,
            };
            if ended {
                self.connection = None;
            }
            let state = match () {
                () if ended => State::Ended,
                () if self.sender.is_ready() => State::Ready,
                () => State::Busy,
            };
            match look() {
                Poll::Ready(found) => return Poll::Ready((Some(found), state)),
                Poll::Pending if ended => return Poll::Ready((None, state)),
                Poll::Pending => {}
            }
            if self.gate.release(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Failed {
    pub(super) fn of(mut error: TrySendError<Request<Body>>) -> Self {
        match error.take_message() {
            Some(request) => Self::NotSent(Box::new(request), error.into_error()),
            None => Self::Broken(error.into_error()),
        }
    }

    /// The failure as the caller sees it.
    pub(super) fn at(self, endpoint: &Endpoint) -> Error {
        match self {
            Self::NotSent(_, error) => failure(ErrorKind::Connect, endpoint, error),
            Self::Broken(error) => failure(ErrorKind::Interrupted, endpoint, error),
            Self::Lost => failure(ErrorKind::Interrupted, endpoint, io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }
}

/// Counts the connections of an endpoint that are open.
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn one_more(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
