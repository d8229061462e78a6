//! The machine with a road: what connects, reads and waits.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;

use super::{
    decode,
    machine::{Effect, Ended, Failure, Head, Input, Machine, Rules},
    place,
};
use crate::{
    error::{Error, ErrorKind, RemoteError, Result, Sent},
    policy::RetryBudget,
    random::Random,
    time::{BoxFuture, SharedClock},
    transport::{Body, Response},
    wire::{
        problem, retry_after,
        sse::{CONTENT_TYPE, Decoder, Event, SseLimits},
    },
};

/// The most bytes that are read of an answer which is a failure.
pub(super) const MAX_FAILURE_BYTES: usize = 64 << 10;

/// How many pieces without an event are read before others get their turn.
const PIECES_AT_ONCE: usize = 64;

/// How a request is sent. Each stream has its own.
pub(super) trait Road: Unpin {
    /// Sends the request, to be resumed after this event unless the id is empty; with another token if the last one was refused.
    fn connect(&mut self, last_event_id: &str, refresh: bool) -> BoxFuture<'static, Result<Response>>;

    /// Goes where an answer leads; `None` if redirects are not followed.
    fn follow(&mut self, status: u16, location: Option<&str>) -> Option<Result<(), &'static str>>;

    /// Takes back every redirect.
    fn restart(&mut self);

    /// Sees the head of an answer that is an event stream. Says whether the request may be sent again.
    fn opened(&mut self, response: &Response) -> bool;
}

/// What is made of an event.
pub(super) enum Taken<R> {
    /// This is handed out.
    Give(R),
    /// It came before, or says nothing: it is no progress.
    Skip,
}

/// A stream of events over as many connections as it takes.
pub(super) struct Source<C> {
    pub(super) road: C,
    machine: Machine,
    decoder: Decoder,
    tools: Tools,
    phase: Phase,
    /// Rings when the connection may be idle for too long.
    alarm: Option<BoxFuture<'static, ()>>,
    chunk: Bytes,
    /// How much of it was read, and when it came.
    read: usize,
    came: Instant,
    /// What happened last.
    last: Option<Error>,
    ended: Option<Ended>,
}

/// What a stream is run with.
pub(super) struct Tools {
    pub(super) clock: SharedClock,
    pub(super) random: Random,
    pub(super) budget: RetryBudget,
    pub(super) max_ratio: u32,
}

enum Phase {
    Waiting(BoxFuture<'static, ()>),
    Connecting(BoxFuture<'static, Result<Response>>),
    /// Reads what a failing answer says of itself.
    Failing(BoxFuture<'static, Response>),
    Open(Body),
    Over,
}

impl<C: Road> Source<C> {
    /// A stream that connects when it is first asked.
    pub(super) fn new(road: C, rules: Rules, limits: SseLimits, id: String, tools: Tools) -> Self {
        let now = tools.clock.now();
        Self {
            road,
            decoder: Decoder::new(limits).with_last_event_id(id.clone()),
            machine: Machine::new(rules, id, now),
            phase: Phase::Waiting(Box::pin(std::future::ready(()))),
            tools,
            alarm: None,
            chunk: Bytes::new(),
            read: 0,
            came: now,
            last: None,
            ended: None,
        }
    }

    /// Goes on from an answer that is there already.
    pub(super) fn with_answer(mut self, response: Response) -> Self {
        self.machine.on(self.tools.clock.now(), Input::Due { allowed: true }, &self.tools.random);
        self.answered(response);
        self
    }

    /// How it ended, once it has and did not fail.
    pub(super) const fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether it has ended, well or not.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// What the next connection resumes after.
    pub(super) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Ends it and drops the connection.
    pub(super) fn close(&mut self) {
        self.on(Input::Close);
    }

    /// Drops the connection and connects anew at once.
    pub(super) fn restart(&mut self) {
        self.on(Input::Restart);
    }

    /// The next of what `take` makes of the events.
    pub(super) fn poll_event<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut C, &Event<'_>) -> Taken<R>,
    ) -> Poll<Option<Result<R>>> {
        let mut pieces = 0;
        loop {
            match &mut self.phase {
                Phase::Over => return Poll::Ready(self.last.take().map(Err)),
                Phase::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    let now = self.tools.clock.now();
                    let allowed = !self.machine.is_paid() || self.tools.budget.withdraw(now);
                    self.on(Input::Due { allowed });
                }
                Phase::Connecting(work) => match ready!(work.as_mut().poll(cx)) {
                    Ok(response) => self.answered(response),
                    Err(error) => {
                        let (hint, unsent) = (error.retry_hint(), error.sent() == Sent::No);
                        self.last = Some(error);
                        self.on(Input::Failed { hint, unsent });
                    }
                },
                Phase::Failing(work) => {
                    let response = ready!(work.as_mut().poll(cx));
                    self.judge(response);
                }
                Phase::Open(_) => {
                    if let Some(event) = self.event(&mut take) {
                        return Poll::Ready(Some(Ok(event)));
                    }
                    if matches!(self.phase, Phase::Open(_)) {
                        pieces += 1;
                        if pieces > PIECES_AT_ONCE {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        ready!(self.poll_piece(cx));
                    }
                }
            }
        }
    }

    /// The next event of what has been read.
    fn event<R>(&mut self, take: &mut impl FnMut(&mut C, &Event<'_>) -> Taken<R>) -> Option<R> {
        loop {
            let mut rest = self.chunk.get(self.read..).unwrap_or_default();
            let before = rest.len();
            match self.decoder.next_event(&mut rest) {
                Ok(Some(event)) => {
                    self.read += before - rest.len();
                    if let Taken::Give(given) = take(&mut self.road, &event) {
                        let id = event.id;
                        self.machine.on(self.came, Input::Event { id }, &self.tools.random);
                        return Some(given);
                    }
                }
                Ok(None) => {
                    (self.chunk, self.read) = (Bytes::new(), 0);
                    return None;
                }
                Err(error) => {
                    self.unreadable(error);
                    return None;
                }
            }
        }
    }

    /// Reads on, at most until the connection counts as dead.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Open(body) = &mut self.phase else { return Poll::Ready(()) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    (self.chunk, self.read, self.came) = (bytes, 0, self.tools.clock.now());
                    self.machine.on(self.came, Input::Bytes, &self.tools.random);
                }
                Poll::Ready(())
            }
            Poll::Ready(Some(Err(error))) if error.kind() == ErrorKind::Interrupted => {
                self.lost(error, false);
                Poll::Ready(())
            }
            Poll::Ready(Some(Err(error))) => {
                self.unreadable(error);
                Poll::Ready(())
            }
            Poll::Ready(None) => {
                let error = Error::new(ErrorKind::Interrupted, "the event stream ended before it was complete");
                self.lost(error, true);
                Poll::Ready(())
            }
            Poll::Pending => self.poll_idle(cx),
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let left = self.machine.idle_left(self.tools.clock.now());
            if left.is_zero() {
                let what = "the event stream was silent for longer than its idle time-out";
                self.last = Some(Error::new(ErrorKind::Timeout, what));
                self.told_wait();
                self.on(Input::Tick);
                return Poll::Ready(());
            }
            // One timer serves many bytes: it is set anew only when it rings.
            let alarm = self.alarm.get_or_insert_with(|| self.tools.clock.sleep(left));
            ready!(alarm.as_mut().poll(cx));
            self.alarm = None;
        }
    }

    /// The connection is gone, and what had no end on it with it.
    fn lost(&mut self, error: Error, ended: bool) {
        self.last = Some(error);
        self.told_wait();
        let id = self.decoder.last_event_id();
        let input = if ended { Input::Ended { id } } else { Input::Broken { id } };
        let effect = self.machine.on(self.tools.clock.now(), input, &self.tools.random);
        self.go(effect);
    }

    /// Takes over what the server has said about waiting.
    fn told_wait(&mut self) {
        if let Some(wait) = self.decoder.retry() {
            self.on(Input::Retry(wait));
        }
    }

    fn unreadable(&mut self, error: Error) {
        self.last = Some(error);
        self.on(Input::Unreadable);
    }

    /// An answer came. What a failing one says of itself is read first.
    fn answered(&mut self, response: Response) {
        let status = response.status;
        if matches!(status, StatusCode::OK | StatusCode::NO_CONTENT) || place::is_redirect(status) {
            return self.judge(response);
        }
        let (clock, idle) = (self.tools.clock.clone(), self.machine.idle_left(self.tools.clock.now()));
        self.phase = Phase::Failing(Box::pin(async move {
            let mut response = response;
            let body = std::mem::take(&mut response.body).collect(MAX_FAILURE_BYTES);
            // The status is the failure; a body that is too large, breaks or never ends does not hide it.
            let body = clock.timeout(idle, body).await.and_then(Result::ok).unwrap_or_default();
            response.body = body.into();
            response
        }));
    }

    fn judge(&mut self, response: Response) {
        let (status, headers) = (response.status, &response.headers);
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let media_type = essence(headers);
        let wall = self.tools.clock.wall();
        let head = Head {
            status: status.as_u16(),
            is_events: media_type.eq_ignore_ascii_case(CONTENT_TYPE),
            leads: if place::is_redirect(status) {
                self.road.follow(status.as_u16(), text(header::LOCATION))
            } else {
                None
            },
            retry_after: retry_after::read(headers, wall),
        };
        let bytes = response.body.as_bytes().cloned().unwrap_or_default();
        let effect = self.machine.on(self.tools.clock.now(), Input::Head(head), &self.tools.random);
        let answered = |what| Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes);
        self.last = match effect {
            Effect::Read => return self.open(response),
            Effect::Fail(Failure::ContentType) => {
                Some(answered(format!("the answer is {media_type:?}, not the event stream that was asked for")))
            }
            Effect::Fail(Failure::Redirect(why)) => {
                let what = format!("answered {}, which {why}", status.as_u16());
                let remote = RemoteError::new(status.as_u16());
                Some(Error::new(ErrorKind::Remote, what).with_sent(Sent::Yes).with_remote(remote))
            }
            _ => Some(problem::read_failure(status, headers, &bytes, wall)),
        };
        self.go(effect);
    }

    fn open(&mut self, response: Response) {
        let again = self.road.opened(&response);
        self.machine.allow_again(again);
        let parts = response.into_parts();
        match decode::body(&parts.headers, parts.body, self.tools.max_ratio) {
            Ok(body) => self.phase = Phase::Open(body),
            Err(error) => self.unreadable(error),
        }
    }

    fn on(&mut self, input: Input<'_>) {
        let effect = self.machine.on(self.tools.clock.now(), input, &self.tools.random);
        self.go(effect);
    }

    fn go(&mut self, effect: Effect) {
        let next = match effect {
            Effect::Nothing | Effect::Read => return,
            Effect::Wait(wait) => Phase::Waiting(self.tools.clock.sleep(wait)),
            Effect::Connect => {
                self.road.restart();
                self.decoder.restart();
                self.tools.budget.deposit(self.tools.clock.now());
                Phase::Connecting(self.road.connect(self.machine.last_event_id(), false))
            }
            Effect::Refresh => Phase::Connecting(self.road.connect(self.machine.last_event_id(), true)),
            Effect::Follow => Phase::Connecting(self.road.connect(self.machine.last_event_id(), false)),
            Effect::Fail(_) => {
                let attempts = self.machine.attempts();
                self.last = self.last.take().map(|error| error.with_attempts(attempts));
                Phase::Over
            }
            Effect::End(ended) => {
                (self.ended, self.last) = (Some(ended), None);
                Phase::Over
            }
        };
        // Whatever there was of the connection before is dropped.
        self.phase = next;
        (self.alarm, self.chunk, self.read) = (None, Bytes::new(), 0);
    }
}

/// The media type of an answer without its parameters, as far as a message may show it.
pub(super) fn essence(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    // `to_str` lets visible ASCII through alone, so this is a whole character.
    essence.get(..100).unwrap_or(essence)
}
