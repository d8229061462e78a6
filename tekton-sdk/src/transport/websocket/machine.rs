//! The life of the connections to one endpoint: when another is made, and whether the one there is still lives. Pure.

use std::time::{Duration, Instant};

/// When connections are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// Over how long the first reconnection is spread.
    pub(crate) spread: Duration,
    /// The longest pause after the first attempt that failed.
    pub(crate) base: Duration,
    /// The same after a connection that served was lost: whoever lost it may have done so with all the others.
    pub(crate) again: Duration,
    /// The longest pause.
    pub(crate) max: Duration,
    /// How long a connection lives until its end is not counted as a failure.
    pub(crate) stable_after: Duration,
}

impl Pauses {
    /// The longest pause after so many failures in a row.
    fn after(&self, failures: u32, lost: bool) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let first = if lost { self.again } else { self.base };
        first.saturating_mul(1 << doublings).min(self.max)
    }
}

/// Where the connections to an endpoint stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None was made, or the last one was closed by this side.
    Fresh,
    /// One is open since then.
    Open { since: Instant, failures: u32, lost: bool },
    /// The last one was lost after a life of use. Another is made at this time, and calls wait for it.
    Lost { until: Instant },
    /// So many attempts in a row failed, perhaps after one was lost. Another is made at this time at the earliest, and calls are
    /// refused until then.
    Down { until: Instant, failures: u32, lost: bool },
}

/// What becomes of a call that needs a connection and finds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It makes one.
    Dial,
    /// It waits so long, and asks again.
    Wait(Duration),
    /// It is refused; another attempt is made after so long.
    Refuse(Duration),
}

/// The machine of one endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    state: State,
    pauses: Pauses,
}

impl Life {
    pub(crate) const fn new(pauses: Pauses) -> Self {
        Self { state: State::Fresh, pauses }
    }

    /// A call needs a connection, and there is none.
    pub(crate) fn wanted(&self, now: Instant) -> Wanted {
        let left = |until: Instant| until.saturating_duration_since(now);
        match self.state {
            State::Lost { until } if !left(until).is_zero() => Wanted::Wait(left(until)),
            State::Down { until, .. } if !left(until).is_zero() => Wanted::Refuse(left(until)),
            _ => Wanted::Dial,
        }
    }

    /// A connection was made.
    pub(crate) fn opened(&mut self, now: Instant) {
        let (failures, lost) = self.failures();
        self.state = State::Open { since: now, failures, lost };
    }

    /// A connection could not be made. `jitter` gives a time from zero to what it is given.
    pub(crate) fn failed(&mut self, now: Instant, jitter: impl FnOnce(Duration) -> Duration) {
        let (before, lost) = self.failures();
        self.down(now, before.saturating_add(1), lost, jitter);
    }

    /// The connection is no more. One that this side closed is no loss.
    pub(crate) fn lost(&mut self, now: Instant, by_us: bool, jitter: impl FnOnce(Duration) -> Duration) {
        let State::Open { since, failures, lost } = self.state else { return };
        if by_us {
            self.state = State::Fresh;
        } else if now.saturating_duration_since(since) >= self.pauses.stable_after {
            // A server that restarts loses all its clients at once; they must not all come back at once.
            self.state = State::Lost { until: later(now, jitter(self.pauses.spread).min(self.pauses.spread)) };
        } else {
            // One that never lasts is no better than one that cannot be made.
            self.down(now, failures.saturating_add(1), lost, jitter);
        }
    }

    /// How many attempts in a row have failed, and whether they followed on a loss.
    const fn failures(&self) -> (u32, bool) {
        match self.state {
            State::Down { failures, lost, .. } | State::Open { failures, lost, .. } => (failures, lost),
            State::Fresh => (0, false),
            State::Lost { .. } => (0, true),
        }
    }

    fn down(&mut self, now: Instant, failures: u32, lost: bool, jitter: impl FnOnce(Duration) -> Duration) {
        let longest = self.pauses.after(failures, lost);
        self.state = State::Down { until: later(now, jitter(longest).min(longest)), failures, lost };
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

/// What is done when a ping is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Ask for a sign of life.
    Ping,
    /// Nothing came since the last one was asked for: the other side is dead.
    Dead,
    /// Nobody has used the connection for long.
    Idle,
}

/// Whether the other side lives. It is asked at every interval, so that its death is seen within two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    asked: bool,
    heard: bool,
    idle_since: Option<Instant>,
    idle_after: Duration,
}

impl Pulse {
    /// Of a connection that is given up when nobody used it for so long.
    pub(crate) const fn new(idle_after: Duration) -> Self {
        Self { asked: false, heard: false, idle_since: None, idle_after }
    }

    /// Anything came.
    pub(crate) const fn heard(&mut self) {
        self.heard = true;
    }

    /// An interval is over; `used` says whether calls are under way.
    pub(crate) fn due(&mut self, now: Instant, used: bool) -> Beat {
        if self.asked && !self.heard {
            return Beat::Dead;
        }
        let idle_since = match used {
            true => None,
            false => Some(*self.idle_since.get_or_insert(now)),
        };
        self.idle_since = idle_since;
        if idle_since.is_some_and(|since| now.saturating_duration_since(since) >= self.idle_after) {
            return Beat::Idle;
        }
        (self.asked, self.heard) = (true, false);
        Beat::Ping
    }
}

#[cfg(test)]
mod tests;
