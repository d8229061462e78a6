//! The answers to come, and the requests that came.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::watch;

use super::{
    super::log::Log,
    answer::{End, SseAnswer, Step},
};
use crate::{
    error::{Error, ErrorKind, Result},
    time::SharedClock,
    transport::{Body, Handler, Inbound, Response},
};

/// The most bytes of a request's body that are recorded.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Answers each request with the next [`SseAnswer`], whatever the request, and records it. Clones share their script.
///
/// It is a [`Handler`]: [`ScriptedSse`](super::ScriptedSse) puts it behind a socket, and a
/// [`MemoryTransport`](crate::transport::MemoryTransport) needs none.
#[derive(Clone, Debug)]
pub struct SseScript(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: SharedClock,
    state: Mutex<State>,
    requests: Log<SseRequest>,
    came: watch::Sender<usize>,
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    left: VecDeque<SseAnswer>,
    always: Option<SseAnswer>,
    ended: Option<Instant>,
}

/// One request that a script answered.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SseRequest {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// How long before it the last answer had ended, by the script's clock; `None` if none had.
    pub after: Option<Duration>,
}

impl SseScript {
    /// A script whose pauses are by this clock.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::default(),
            requests: Log::default(),
            came: watch::Sender::new(0),
            open: watch::Sender::new(0),
        }))
    }

    /// Adds an answer. When all are played, what else comes is answered 404.
    pub fn answer(&self, answer: SseAnswer) -> &Self {
        self.0.state().left.push_back(answer);
        self
    }

    /// Answers so when all other answers are played, however often it is asked.
    pub fn always(&self, answer: SseAnswer) -> &Self {
        self.0.state().always = Some(answer);
        self
    }

    /// The requests so far, oldest first; the newest 10,000 are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<SseRequest> {
        self.0.requests.all()
    }

    /// How many answers are being sent.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.0.open.borrow()
    }

    /// Waits until so many requests have come, and gives them.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until(&self, requests: usize) -> Vec<SseRequest> {
        // The sender lives as long as the script.
        let _ = self.0.came.subscribe().wait_for(|came| *came >= requests).await;
        self.requests()
    }

    /// Waits until exactly so many answers are being sent.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until_open(&self, answers: usize) {
        // The sender lives as long as the script.
        let _ = self.0.open.subscribe().wait_for(|open| *open == answers).await;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> SseAnswer {
        let mut state = self.state();
        let next = state.left.pop_front().or_else(|| state.always.clone());
        next.unwrap_or_else(|| SseAnswer::status(404).bytes("the script has no answer left"))
    }
}

#[async_trait]
impl Handler for SseScript {
    async fn handle(&self, request: Inbound) -> Response {
        let now = self.0.clock.now();
        let after = self.0.state().ended.map(|ended| now.saturating_duration_since(ended));
        let body = request.body.collect(MAX_BODY_BYTES).await.unwrap_or_default();
        let Inbound { method, path, query, headers, .. } = request;
        self.0.requests.push(SseRequest { method, path, query, headers, body, after });
        self.0.came.send_modify(|came| *came += 1);
        let answer = self.0.next();
        if !answer.delay.is_zero() {
            self.0.clock.sleep(answer.delay).await;
        }
        let bodiless = answer.status == StatusCode::NO_CONTENT;
        let (status, headers) = (answer.status, answer.headers.clone());
        let playing = Playing::new(Arc::clone(&self.0), answer);
        let body = if bodiless { Body::empty() } else { playing.into_body() };
        Response::with_headers(status, headers, body)
    }
}

/// An answer that is being sent, until its body has ended or is dropped.
struct Playing {
    script: Arc<Inner>,
    steps: VecDeque<Step>,
    end: Option<End>,
}

impl Playing {
    fn new(script: Arc<Inner>, answer: SseAnswer) -> Self {
        script.open.send_modify(|open| *open += 1);
        Self { script, steps: answer.steps.into(), end: Some(answer.end) }
    }

    fn into_body(self) -> Body {
        Body::stream(stream::unfold(self, |mut playing| async move {
            // Others get their turn, so that what was sent before is flushed by itself.
            tokio::task::yield_now().await;
            let piece = playing.piece().await?;
            Some((piece, playing))
        }))
    }

    async fn piece(&mut self) -> Option<Result<Bytes>> {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Piece(bytes) => return Some(Ok(bytes)),
                Step::Wait(wait) => self.script.clock.sleep(wait).await,
            }
        }
        match self.end.take()? {
            End::Close => None,
            End::Break => Some(Err(Error::new(ErrorKind::Interrupted, "the script breaks the connection here"))),
            End::Hold => std::future::pending().await,
            End::Flood(piece) => {
                self.end = Some(End::Flood(piece.clone()));
                Some(Ok(piece))
            }
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.script.state().ended = Some(self.script.clock.now());
        self.script.open.send_modify(|open| *open -= 1);
    }
}
