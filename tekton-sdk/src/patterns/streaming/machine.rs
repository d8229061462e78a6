//! The life of an event source: when it connects, how long it waits, when it stops.

use std::time::{Duration, Instant};

use super::ReconnectConfig;
use crate::{error::RetryHint, random::Random};

/// What a stream goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) reconnect: ReconnectConfig,
    /// After how long without a byte a connection counts as dead.
    pub(super) idle: Duration,
    /// Whether the request may be sent again after it was.
    pub(super) again: bool,
    /// Whether there is somebody to ask for another token.
    pub(super) tokens: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A wait, then a connection.
    Waiting,
    Connecting,
    Open,
    Over,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// The wait is over; whether the budget allows the connection.
    Due { allowed: bool },
    /// No answer came.
    Failed { hint: RetryHint, unsent: bool },
    /// The head of an answer came.
    Head(Head),
    /// Bytes came, be they a comment.
    Bytes,
    /// An event came; the last event id of the stream at it.
    Event { id: &'a str },
    /// The server says how long to wait before connecting anew.
    Retry(Duration),
    /// Time has passed.
    Tick,
    /// The body ended; the last event id of the stream.
    Ended { id: &'a str },
    /// The body broke; the last event id of the stream.
    Broken { id: &'a str },
    /// What came can't be read, and would not be readable another time.
    Unreadable,
    /// Its owner wants a new connection at once.
    Restart,
    /// Its owner wants no more of it.
    Close,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Whether the content type is that of an event stream.
    pub(super) is_events: bool,
    /// Whether it leads elsewhere, and can be followed there.
    pub(super) leads: Option<Result<(), &'static str>>,
    pub(super) retry_after: Option<Duration>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Go on.
    Nothing,
    /// Wait so long, then say that it is due.
    Wait(Duration),
    /// Connect, after this event unless it is empty.
    Connect,
    /// Ask for another token, then connect.
    Refresh,
    /// Connect to where the answer leads.
    Follow,
    /// Read the body.
    Read,
    /// It is over: it failed so.
    Fail(Failure),
    /// It is over: it ended well.
    End(Ended),
}

/// Why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// What happened last stands: it would happen again, must not be tried again, or was tried often enough.
    Last,
    /// The answer has another content type.
    ContentType,
    /// A redirect that cannot be followed.
    Redirect(&'static str),
}

/// How a stream ended that did not fail.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The server answered 204: it has no more, and does not want to be asked again.
    NoContent,
    /// The answer ended, and the request is not to be sent again.
    Body,
    /// This side closed it.
    Closed,
}

/// The machine. It has no clock, no randomness and no I/O of its own.
#[derive(Debug)]
pub(super) struct Machine {
    rules: Rules,
    state: State,
    /// How many connections have begun, or were refused by the budget, since something came last.
    attempts: u32,
    /// What the next connection resumes after.
    id: String,
    retry: Option<Duration>,
    refreshed: bool,
    alive: Instant,
}

impl Machine {
    /// A stream that begins after this event, if it is not empty. The first thing that happens to it is that it is due.
    pub(super) fn new(rules: Rules, id: String, now: Instant) -> Self {
        Self { rules, state: State::Waiting, attempts: 0, id, retry: None, refreshed: false, alive: now }
    }

    /// Goes on from what happened.
    pub(super) fn on(&mut self, now: Instant, input: Input<'_>, random: &Random) -> Effect {
        match (self.state, input) {
            (State::Over, _) => Effect::Nothing,
            (_, Input::Close) => self.end(Ended::Closed),
            (_, Input::Restart) => {
                self.attempts = 0;
                self.state = State::Waiting;
                Effect::Wait(Duration::ZERO)
            }
            (State::Waiting, Input::Due { allowed: true }) => {
                self.attempts = self.attempts.saturating_add(1);
                self.connect(now, Effect::Connect)
            }
            (State::Waiting, Input::Due { allowed: false }) => {
                self.attempts = self.attempts.saturating_add(1);
                self.again(Duration::ZERO, random)
            }
            (State::Connecting, Input::Failed { hint, unsent }) => match hint {
                RetryHint::Never => self.fail(Failure::Last),
                _ if !unsent && !self.rules.again => self.fail(Failure::Last),
                RetryHint::After(wait) => self.again(wait, random),
                RetryHint::Always | RetryHint::IfIdempotent => self.again(Duration::ZERO, random),
            },
            (State::Connecting, Input::Head(head)) => self.head(now, head, random),
            (State::Open, Input::Bytes) => {
                self.alive = now;
                Effect::Nothing
            }
            (State::Open, Input::Event { id }) => {
                // Where the stream has no ids, whatever comes is new.
                if id.is_empty() {
                    self.attempts = 0;
                }
                self.saw(id);
                Effect::Nothing
            }
            (_, Input::Retry(wait)) => {
                let ReconnectConfig { min_retry, max_retry, .. } = self.rules.reconnect;
                self.retry = Some(wait.min(max_retry).max(min_retry));
                Effect::Nothing
            }
            (State::Open, Input::Tick) if self.idle_left(now).is_zero() => self.lost(random),
            (State::Open, Input::Broken { id }) => {
                self.saw(id);
                self.lost(random)
            }
            (State::Open, Input::Ended { id }) => {
                self.saw(id);
                if self.rules.again { self.again(Duration::ZERO, random) } else { self.end(Ended::Body) }
            }
            (State::Connecting | State::Open, Input::Unreadable) => self.fail(Failure::Last),
            _ => Effect::Nothing,
        }
    }

    fn head(&mut self, now: Instant, head: Head, random: &Random) -> Effect {
        match head.status {
            200 if head.is_events => {
                self.state = State::Open;
                (self.alive, self.refreshed) = (now, false);
                Effect::Read
            }
            200 => self.fail(Failure::ContentType),
            204 => self.end(Ended::NoContent),
            401 if self.rules.tokens && !self.refreshed => {
                self.refreshed = true;
                self.connect(now, Effect::Refresh)
            }
            408 | 429 | 500.. if self.rules.again => self.again(head.retry_after.unwrap_or_default(), random),
            _ => match head.leads {
                Some(Ok(())) => self.connect(now, Effect::Follow),
                Some(Err(why)) => self.fail(Failure::Redirect(why)),
                None => self.fail(Failure::Last),
            },
        }
    }

    /// The connection is gone.
    fn lost(&mut self, random: &Random) -> Effect {
        if self.rules.again { self.again(Duration::ZERO, random) } else { self.fail(Failure::Last) }
    }

    /// Another connection, if there are attempts left: after the server's wait or one's own, whichever is longer.
    fn again(&mut self, asked: Duration, random: &Random) -> Effect {
        let ReconnectConfig { max_attempts, delay, max_delay, jitter, .. } = self.rules.reconnect;
        if self.attempts >= max_attempts {
            return self.fail(Failure::Last);
        }
        self.state = State::Waiting;
        let base = self.retry.unwrap_or(delay);
        let doubled = 2_u32.saturating_pow(self.attempts.saturating_sub(1));
        let own = base.saturating_mul(doubled).min(max_delay.max(base));
        // A share that is none adds nothing.
        let most = Duration::try_from_secs_f64(own.as_secs_f64() * jitter).unwrap_or_default();
        Effect::Wait(own.saturating_add(random.up_to(most)).max(asked))
    }

    fn connect(&mut self, now: Instant, how: Effect) -> Effect {
        self.state = State::Connecting;
        self.alive = now;
        how
    }

    const fn fail(&mut self, failure: Failure) -> Effect {
        self.state = State::Over;
        Effect::Fail(failure)
    }

    const fn end(&mut self, ended: Ended) -> Effect {
        self.state = State::Over;
        Effect::End(ended)
    }

    /// A new id is progress.
    fn saw(&mut self, id: &str) {
        if self.id != id {
            id.clone_into(&mut self.id);
            self.attempts = 0;
        }
    }

    /// What the next connection resumes after; empty for the beginning.
    pub(super) fn last_event_id(&self) -> &str {
        &self.id
    }

    /// Whether nothing has come since a connection began: then the next one is paid for.
    pub(super) const fn is_paid(&self) -> bool {
        self.attempts > 0
    }

    /// How many connections in a row have brought nothing.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long the connection may go on without a byte.
    pub(super) fn idle_left(&self, now: Instant) -> Duration {
        self.rules.idle.saturating_sub(now.saturating_duration_since(self.alive))
    }

    /// Says whether the request may be sent again after it was.
    pub(super) const fn allow_again(&mut self, again: bool) {
        self.rules.again = again;
    }
}

#[cfg(test)]
mod tests;
