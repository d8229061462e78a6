//! When a connection is made, and to which of the URLs. Pure.

use std::time::{Duration, Instant};

use crate::{
    patterns::events::ConnectionState,
    transport::websocket::{Life, Pauses, Wanted},
};

/// What is to be done for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Next {
    /// Make one to this URL, counted from 0; whether the last token was refused.
    Dial { url: usize, refused: bool },
    /// Wait so long, and ask again.
    Wait(Duration),
    /// There is one.
    Stay,
    /// None is made any more.
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Up,
    Over,
}

/// The connections of a broker, one after the other.
#[derive(Debug)]
pub(super) struct Road {
    life: Life,
    state: State,
    urls: usize,
    /// The URL whose turn it is.
    at: usize,
    /// How many of them were tried in a row, since the last pause.
    tried: usize,
    /// How many attempts were made since there was a connection.
    attempts: u32,
    has_tokens: bool,
    /// The last token was refused, and another is to be fetched.
    refused: bool,
    /// There was a connection.
    ever: bool,
    /// The first connection may be long in coming.
    patient: bool,
}

impl Road {
    pub(super) const fn new(pauses: Pauses, urls: usize, has_tokens: bool, patient: bool) -> Self {
        Self {
            life: Life::new(pauses),
            state: State::Down,
            urls,
            at: 0,
            tried: 0,
            attempts: 0,
            has_tokens,
            refused: false,
            ever: false,
            patient,
        }
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        match self.state {
            State::Up => Next::Stay,
            State::Over => Next::Stop,
            State::Down => match self.life.wanted(now) {
                Wanted::Wait(time) | Wanted::Refuse(time) if self.tried == 0 && !self.refused => Next::Wait(time),
                _ => Next::Dial { url: self.at, refused: self.refused },
            },
        }
    }

    /// How it stands, for those who watch.
    pub(super) fn seen(&self, now: Instant) -> ConnectionState {
        let attempt = self.attempts.saturating_add(1);
        match (self.state, self.next(now)) {
            (State::Up, _) => ConnectionState::Up,
            (State::Over, _) => ConnectionState::Closed,
            (State::Down, _) if !self.ever => ConnectionState::connecting(attempt),
            (State::Down, Next::Wait(time)) => ConnectionState::down(attempt, Some(time)),
            (State::Down, _) => ConnectionState::down(attempt, None),
        }
    }

    /// A connection could not be made; `unauthorized` says that the token was refused. Gives whether it is over: all URLs were
    /// tried for the first connection, and it has no patience.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        unauthorized: bool,
        jitter: impl FnOnce(Duration) -> Duration,
    ) -> bool {
        if self.state != State::Down {
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        // Once with another token, at the same place.
        if unauthorized && self.has_tokens && !self.refused {
            self.refused = true;
            return false;
        }
        self.refused = false;
        self.at = (self.at + 1) % self.urls.max(1);
        self.tried += 1;
        if self.tried < self.urls {
            return false;
        }
        self.tried = 0;
        self.life.failed(now, jitter);
        if !self.ever && !self.patient {
            self.state = State::Over;
        }
        self.state == State::Over
    }

    /// A connection was made. Gives whether that was with a token fetched after a refusal.
    pub(super) fn opened(&mut self, now: Instant) -> bool {
        let renewed = std::mem::take(&mut self.refused);
        if self.state == State::Down {
            self.state = State::Up;
            self.life.opened(now);
            (self.tried, self.attempts, self.ever) = (0, 0, true);
        }
        renewed
    }

    /// The connection is no more; with `renew` because another token is needed, which is no loss.
    pub(super) fn lost(&mut self, now: Instant, renew: bool, jitter: impl FnOnce(Duration) -> Duration) {
        if self.state == State::Up {
            self.state = State::Down;
            self.refused = renew;
            self.life.lost(now, renew, jitter);
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(super) const fn stop(&mut self) {
        self.state = State::Over;
    }
}
