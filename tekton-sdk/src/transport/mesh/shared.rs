//! Connections of HTTP/2, each shared by many calls.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{Request, Response as Head};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    line::{Count, Failed},
    stream::Stream,
};
use crate::{
    error::Error,
    transport::{Body, Response, failure::half_an_answer},
};

/// The tasks that drive the connections. Dropping the last one ends them all.
#[derive(Default)]
pub(super) struct Drivers(Mutex<Tasks>);

#[derive(Clone, Default)]
struct Tasks {
    running: TaskTracker,
    end: CancellationToken,
}

impl<F: Future + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, work: F) {
        let end = self.end.clone();
        self.running.spawn(async move {
            // What went wrong on a connection is told to its calls.
            let _ = end.run_until_cancelled(work).await;
        });
    }
}

impl Drivers {
    fn tasks(&self) -> Tasks {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends every connection; those opened afterwards go on.
    pub(super) async fn shutdown(&self) {
        let Tasks { running, end } = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        end.cancel();
        running.close();
        running.wait().await;
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).end.cancel();
    }
}

/// The connections to one endpoint.
#[derive(Default)]
pub(super) struct Carriers {
    open: Mutex<Vec<Arc<Carrier>>>,
    /// Whoever holds it opens a connection; the others wait for it rather than open one more each.
    pub(super) opening: tokio::sync::Mutex<()>,
}

/// One connection.
struct Carrier {
    sender: SendRequest<Body>,
    streams: AtomicUsize,
    /// How many the callee allows, as known when the last of them began. Those above it wait within the connection.
    allowed: Arc<AtomicUsize>,
    opened: Instant,
    last: Mutex<Instant>,
    _count: Count,
}

/// What a connection must still be good for.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    pub(super) now: Instant,
    pub(super) idle_timeout: Duration,
    pub(super) max_age: Duration,
    pub(super) max_streams: usize,
}

/// A place on a connection, until it is dropped.
pub(super) struct Place(Arc<Carrier>);

impl Carriers {
    /// A place on a connection that has one free.
    pub(super) fn take(&self, fit: Fit) -> Option<Place> {
        let mut unfit = Vec::new();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        unfit.extend(open.extract_if(.., |carrier| !carrier.is_fit(fit)));
        let place = open.iter().find_map(|carrier| carrier.place(fit));
        drop(open);
        drop(unfit);
        place
    }

    /// Forgets what is not fit any more. Calls that are under way end first.
    pub(super) fn sweep(&self, fit: Fit) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let unfit: Vec<_> = open.extract_if(.., |carrier| !carrier.is_fit(fit)).collect();
        drop(open);
        drop(unfit);
    }

    /// Forgets the connection of this place, so that nobody else is given one.
    pub(super) fn forget(&self, place: &Place) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|carrier| !Arc::ptr_eq(carrier, &place.0));
    }

    /// How many connections have no call under way.
    pub(super) fn idle(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().filter(|carrier| carrier.streams.load(Ordering::Relaxed) == 0).count()
    }

    /// Makes a connection of a stream, and takes the first place on it.
    pub(super) async fn open(
        &self,
        stream: Stream,
        drivers: &Drivers,
        max_header_bytes: usize,
        opened: Instant,
        count: Count,
    ) -> hyper::Result<Place> {
        let tasks = drivers.tasks();
        let mut builder = Builder::new(tasks.clone());
        builder.max_header_list_size(u32::try_from(max_header_bytes).unwrap_or(u32::MAX));
        let (sender, mut connection) = builder.handshake(stream).await?;
        let allowed = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
        let known = Arc::clone(&allowed);
        tasks.execute(poll_fn(move |cx| {
            let polled = Pin::new(&mut connection).poll(cx);
            known.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        }));
        let last = Mutex::new(opened);
        let carrier = Arc::new(Carrier { sender, streams: AtomicUsize::new(1), allowed, opened, last, _count: count });
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&carrier));
        Ok(Place(carrier))
    }
}

impl Carrier {
    fn is_fit(&self, fit: Fit) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = self.streams.load(Ordering::Relaxed) == 0;
        let since = |then: Instant| fit.now.saturating_duration_since(then);
        !self.sender.is_closed() && since(self.opened) < fit.max_age && !(is_idle && since(last) >= fit.idle_timeout)
    }

    /// A place, unless as many calls are under way as either side allows. Called under the lock of the list.
    fn place(self: &Arc<Self>, fit: Fit) -> Option<Place> {
        let allowed = self.allowed.load(Ordering::Relaxed).clamp(1, fit.max_streams);
        if self.streams.load(Ordering::Relaxed) >= allowed {
            return None;
        }
        self.streams.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = fit.now;
        Some(Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place {
    /// Sends a request and waits for the head of its answer.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream, which tells the callee.
    pub(super) async fn exchange(&self, request: Request<Body>) -> Result<Head<Incoming>, Failed> {
        let mut sender = self.0.sender.clone();
        sender.try_send_request(request).await.map_err(Failed::of)
    }

    /// Makes an answer of a head and of what stands behind it.
    pub(super) fn received(self, answer: Head<Incoming>) -> Response {
        let (head, body) = answer.into_parts();
        let body = match body.is_end_stream() {
            true => Body::empty(),
            false => Body::from_http(Answer { body, _place: self }),
        };
        Response::with_headers(head.status, head.headers, body)
    }
}

/// A body that holds its place until it is dropped.
struct Answer {
    body: Incoming,
    _place: Place,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(half_an_answer)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
