//! Calls: what waits, what is sent, and what they are answered.

use std::time::{Duration, Instant};

use super::{
    Effect, Machine, Phase, Refused, Rules,
    call::{self, About, Call, Stage},
    place::Settled,
    say,
};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::events::{Cursor, Outcome},
};

impl<T, Q: Clone> Machine<T, Q> {
    pub(super) fn open(&mut self, token: Option<T>, about: About, params: String) -> u64 {
        self.next_id += 1;
        self.waiting_bytes += params.len();
        self.calls.insert(self.next_id, Call { token, about, params, stage: Stage::Queued, maybe: false });
        self.next_id
    }

    /// Takes a message that is to be published: the parameters as JSON.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) after a drain; [`Rejected`](ErrorKind::Rejected) if too much waits, naming the cap.
    pub(in super::super) fn publish(&mut self, params: String, has_id: bool, token: T) -> Result<u64> {
        self.check_open()?;
        let Rules { max_waiting, max_waiting_bytes, .. } = self.rules;
        let full = |what: &str, most: usize| {
            let what = format!("{what} wait for the component to take them, no more than {most} are allowed");
            Err(Error::new(ErrorKind::Rejected, what))
        };
        if self.calls.len() >= max_waiting {
            return full("calls", max_waiting);
        }
        if self.waiting_bytes > 0 && self.waiting_bytes.saturating_add(params.len()) > max_waiting_bytes {
            return full("bytes", max_waiting_bytes);
        }
        let id = self.open(Some(token), About::Publish { has_id }, params);
        self.queued.insert(id);
        self.flush();
        Ok(id)
    }

    /// The subscriber says what became of a delivery.
    pub(in super::super) fn settle(
        &mut self,
        sub: u64,
        cursor: Cursor,
        number: u32,
        outcome: Outcome,
        token: T,
    ) -> u64 {
        let id = self.open(Some(token), About::Settle { sub, cursor, number, outcome }, String::new());
        self.place_settle(id);
        self.flush();
        id
    }

    /// Finds out what becomes of an outcome that is not told.
    pub(super) fn place_settle(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let About::Settle { sub, cursor, number, outcome } = call.about else { return };
        call.stage = Stage::Queued;
        self.late.remove(&id);
        let (settled, has_begun) = match self.subs.get_mut(&sub) {
            Some(sub) => (sub.place.settle(cursor, number, outcome), sub.far.is_some()),
            None => (Settled::Nothing, false),
        };
        match settled {
            // The host has no number for what it has not begun.
            Settled::Tell(_) if !has_begun => drop(self.late.insert(id)),
            Settled::Tell(_) => drop(self.queued.insert(id)),
            Settled::Later => drop(self.late.insert(id)),
            Settled::Nothing => self.end(id, Ok(None)),
            Settled::Gone => {
                let what = "the event went to another member of the group when the connection was lost";
                self.end(id, Err(Error::new(ErrorKind::Interrupted, what)));
            }
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while self.is_up() && !self.renewing && self.in_flight < self.rules.max_in_flight {
            let Some(id) = self.first.pop_front().or_else(|| self.queued.pop_first()) else { return };
            let Some(call) = self.calls.get_mut(&id) else { continue };
            let text = match call.about {
                About::Publish { .. } => say::call(id, "publish", &call.params),
                About::Subscribe { sub } => {
                    let Some(sub) = self.subs.get(&sub) else { continue };
                    say::call(id, "subscribe", &say::subscribe(&sub.interest, sub.place.start()))
                }
                About::Settle { sub, cursor, number, outcome } => {
                    let found = self.subs.get_mut(&sub);
                    let told = found.map(|sub| (sub.far, sub.place.settle(cursor, number, outcome)));
                    match told {
                        Some((Some(far), Settled::Tell(delivery))) => {
                            let (method, params) = say::settle(far, cursor, delivery, outcome);
                            say::call(id, method, &params)
                        }
                        // It was settled otherwise in between.
                        _ => {
                            self.place_settle(id);
                            continue;
                        }
                    }
                }
            };
            if let Some(call) = self.calls.get_mut(&id) {
                call.stage = Stage::Sent;
            }
            self.in_flight += 1;
            self.effects.push(Effect::Say { text, begins: Some(id) });
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.road.is_up()
    }

    pub(super) fn check_open(&self) -> Result<()> {
        match self.phase {
            Phase::Open => Ok(()),
            _ => Err(Error::new(ErrorKind::Closed, "the broker is drained and takes nothing more")),
        }
    }

    pub(super) fn forget(&mut self, id: u64) -> Option<Call<T>> {
        let call = self.calls.remove(&id)?;
        self.waiting_bytes -= call.params.len();
        self.queued.remove(&id);
        self.late.remove(&id);
        if call.stage == Stage::Sent {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Some(call)
    }

    pub(super) fn end(&mut self, id: u64, result: Result<Option<Cursor>>) {
        if let Some(token) = self.forget(id).and_then(|call| call.token) {
            self.effects.push(Effect::Tell { token, result });
        }
    }

    /// Nobody waits for a call any more. Gives whether it may have been sent.
    pub(in super::super) fn give_up(&mut self, id: u64) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return true };
        if call.stage == Stage::Sent {
            // Its answer still comes.
            call.token = None;
            return true;
        }
        let maybe = call.maybe;
        self.forget(id);
        maybe
    }

    /// The host has done what it was asked; what it says of that, as JSON.
    pub(in super::super) fn answered(&mut self, id: u64, result: &str) {
        let Some(Call { about, stage: Stage::Sent, .. }) = self.calls.get(&id) else { return };
        self.doubted = None;
        match *about {
            About::Publish { .. } => {
                let result = call::published(result);
                self.end(id, result);
            }
            About::Settle { sub, cursor, number, outcome } => {
                if let Some(sub) = self.subs.get_mut(&sub) {
                    sub.place.told(cursor, number, outcome);
                }
                self.end(id, Ok(None));
            }
            About::Subscribe { sub } => match call::subscribed(result) {
                Ok((far, after)) => self.begun(id, sub, far, after),
                Err(error) => self.not_begun(id, sub, error),
            },
        }
        self.flush();
    }

    /// The host has not done what it was asked. `jitter` gives a time from zero to what it is given.
    pub(in super::super) fn refused(
        &mut self,
        now: Instant,
        id: u64,
        refused: Refused,
        jitter: impl FnOnce(Duration) -> Duration,
    ) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.stage == Stage::Sent) else { return };
        let Refused { status, error } = refused;
        // Of one that is in doubt, another is fetched no sooner than connections are made after a loss.
        let spread = self.rules.pauses.spread;
        let is_time = self.doubted.is_none_or(|since| now.saturating_duration_since(since) >= spread);
        let renews = status == 401 && self.rules.has_tokens && is_time;
        // Neither was carried out: the one is asked again with another token, the other of the host that comes after this one.
        if renews || status == 503 && call.token.is_some() {
            call.stage = if renews { Stage::Queued } else { Stage::Held };
            self.in_flight = self.in_flight.saturating_sub(1);
            if renews && !std::mem::replace(&mut self.renewing, true) {
                self.effects.push(Effect::Renew);
            }
            return self.flush();
        }
        // Of what was sent before on another connection, this answer says nothing.
        let error = if call.maybe && error.sent() == Sent::No { error.with_sent(Sent::Maybe) } else { error };
        match call.about {
            About::Subscribe { sub } if call.token.is_none() && (status == 429 || status >= 500) => {
                self.forget(id);
                let asked = error.retry_after().unwrap_or_default();
                self.later(now, sub, asked, jitter);
            }
            About::Subscribe { sub } => self.not_begun(id, sub, error),
            About::Publish { .. } | About::Settle { .. } => self.end(id, Err(error)),
        }
        self.flush();
    }
}
