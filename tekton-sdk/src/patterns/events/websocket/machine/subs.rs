//! Subscriptions: how they begin on each connection, what they are told, and how they end.

use std::time::{Duration, Instant};

use super::{Came, Effect, Machine, Sub, call::About, place::Place, say};
use crate::{
    error::{Error, Result},
    patterns::events::{Cursor, Gap, GapReason, Interest, Outcome},
    transport::websocket::Pauses,
};

impl<T, Q: Clone> Machine<T, Q> {
    /// Takes a subscription up. Gives its number and that of the call.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) after a drain.
    pub(in super::super) fn subscribe(&mut self, interest: Interest, queue: Q, token: T) -> Result<(u64, u64)> {
        self.check_open()?;
        self.next_sub += 1;
        let sub = self.next_sub;
        let place = Place::new(interest.start, interest.acks.is_some(), interest.group.is_none());
        let id = self.open(Some(token), About::Subscribe { sub }, String::new());
        self.subs.insert(
            sub,
            Sub {
                queue,
                interest,
                place,
                far: None,
                asking: Some(id),
                begun: false,
                draining: false,
                again: None,
                vain: 0,
            },
        );
        if self.is_up() {
            self.first.push_back(id);
            self.flush();
        }
        Ok((sub, id))
    }

    /// Asks the host for a subscription.
    pub(super) fn ask(&mut self, number: u64) {
        let Some(sub) = self.subs.get_mut(&number) else { return };
        sub.again = None;
        let id = match sub.asking {
            Some(id) => id,
            None => self.open(None, About::Subscribe { sub: number }, String::new()),
        };
        if let Some(sub) = self.subs.get_mut(&number) {
            sub.asking = Some(id);
        }
        self.first.push_back(id);
    }

    /// When the machine wants to be asked again.
    pub(in super::super) fn due(&self) -> Option<Instant> {
        self.subs.values().filter_map(|sub| sub.again).min()
    }

    /// Asks again for what the host did not begin.
    pub(in super::super) fn tick(&mut self, now: Instant) {
        let due = |sub: &Sub<Q>| sub.again.is_some_and(|again| again <= now);
        let due: Vec<u64> = self.subs.iter().filter(|(_, sub)| due(sub)).map(|(number, _)| *number).collect();
        if self.is_up() {
            due.into_iter().for_each(|number| self.ask(number));
            self.flush();
        }
    }

    pub(super) fn begun(&mut self, id: u64, number: u64, far: u64, after: Option<Cursor>) {
        let Some(sub) = self.subs.get_mut(&number) else {
            self.end(id, Ok(None));
            // It was given up while it began.
            self.effects.push(Effect::Say { text: say::unsubscribe(far, false), begins: None });
            return;
        };
        let known = sub.place.is_known();
        sub.place.begun(after);
        (sub.far, sub.asking, sub.again, sub.vain) = (Some(far), None, None, 0);
        self.by_far.insert(far, number);
        let resumes = sub.place.open() > 0;
        self.effects.push(Effect::Begun { queue: sub.queue.clone(), far, resumes });
        if std::mem::replace(&mut sub.begun, true) && !known {
            // What was published in between is not known to it.
            let nowhere = Cursor::new(0, 0);
            let gap = Gap::new(nowhere, after.unwrap_or(nowhere), GapReason::Skipped);
            self.effects.push(Effect::Gap { queue: sub.queue.clone(), gap });
        }
        if sub.draining {
            self.effects.push(Effect::Say { text: say::unsubscribe(far, true), begins: None });
        }
        self.end(id, Ok(after));
    }

    pub(super) fn not_begun(&mut self, id: u64, number: u64, error: Error) {
        let Some(call) = self.forget(id) else { return };
        let sub = self.subs.remove(&number);
        match (call.token, sub) {
            (Some(token), _) => self.effects.push(Effect::Tell { token, result: Err(error) }),
            (None, Some(sub)) => self.effects.push(Effect::End { queue: sub.queue, error: Some(error) }),
            (None, None) => {}
        }
    }

    /// Asks for a subscription again after a while: that of the connections, but never without end.
    pub(super) fn later(
        &mut self,
        now: Instant,
        number: u64,
        asked: Duration,
        jitter: impl FnOnce(Duration) -> Duration,
    ) {
        let Pauses { base, max, .. } = self.rules.pauses;
        if let Some(sub) = self.subs.get_mut(&number) {
            sub.asking = None;
            let most = base.saturating_mul(1 << sub.vain.min(16)).min(max);
            sub.vain = sub.vain.saturating_add(1);
            sub.again = now.checked_add(asked.min(max).max(jitter(most)));
        }
    }

    /// An event came for this subscription of the host. Gives where it goes, and as which delivery, unless it is not given out.
    pub(in super::super) fn event(&mut self, far: u64, cursor: Cursor, delivery: u32) -> Option<(&Q, Option<u32>)> {
        let number = *self.by_far.get(&far)?;
        let came = self.subs.get_mut(&number)?.place.event(cursor, delivery);
        let outcome = match came {
            Came::Done => Some(Outcome::Ack),
            Came::Refused(delay) => Some(Outcome::Nack(delay)),
            Came::Give(_) | Came::Twice | Came::Held => None,
        };
        if let Some(outcome) = outcome {
            self.effects.push(Effect::Say { text: say::settled(far, cursor, delivery, outcome), begins: None });
        }
        if !self.late.is_empty() {
            self.look_again(number);
        }
        let given = if let Came::Give(delivery) = came { Some(delivery) } else { None };
        self.subs.get(&number).map(|sub| (&sub.queue, given))
    }

    /// A gap came. Gives where it goes.
    pub(in super::super) fn gap(&mut self, far: u64, gap: &Gap) -> Option<&Q> {
        let number = *self.by_far.get(&far)?;
        self.subs.get_mut(&number)?.place.gap(gap);
        self.look_again(number);
        self.subs.get(&number).map(|sub| &sub.queue)
    }

    /// Looks whether outcomes that waited for their event can be told, or need not be.
    pub(super) fn look_again(&mut self, number: u64) {
        let of = |id: &&u64| {
            let about = self.calls.get(id).map(|call| call.about);
            matches!(about, Some(About::Settle { sub, .. }) if sub == number)
        };
        let late: Vec<u64> = self.late.iter().filter(of).copied().collect();
        late.into_iter().for_each(|id| self.place_settle(id));
        self.flush();
    }

    /// The host has ended a subscription, with this error if there was one.
    pub(in super::super) fn ended(
        &mut self,
        now: Instant,
        far: u64,
        error: Option<Error>,
        jitter: impl FnOnce(Duration) -> Duration,
    ) {
        let Some(number) = self.by_far.remove(&far) else { return };
        let Some(sub) = self.subs.get_mut(&number) else { return };
        if sub.draining || error.is_some() {
            let queue = sub.queue.clone();
            self.subs.remove(&number);
            self.effects.push(Effect::End { queue, error });
        } else {
            // It shuts down, and will say so; or its broker is about to be another one.
            sub.place.lost();
            sub.far = None;
            self.effects.push(Effect::Paused(sub.queue.clone()));
            self.later(now, number, Duration::ZERO, jitter);
        }
        self.look_again(number);
    }

    /// Nobody listens any more.
    pub(in super::super) fn unsubscribe(&mut self, number: u64) {
        let Some(sub) = self.subs.remove(&number) else { return };
        if let Some(far) = sub.far {
            self.by_far.remove(&far);
            self.effects.push(Effect::Say { text: say::unsubscribe(far, false), begins: None });
        }
        if let Some(id) = sub.asking {
            self.give_up(id);
        }
        self.look_again(number);
    }

    /// A subscription takes in nothing more. Without a connection it goes on as far as the next one reaches.
    pub(in super::super) fn drain_one(&mut self, number: u64) {
        let Some(sub) = self.subs.get_mut(&number) else { return };
        if !std::mem::replace(&mut sub.draining, true)
            && let Some(far) = sub.far
        {
            self.effects.push(Effect::Say { text: say::unsubscribe(far, true), begins: None });
        }
    }
}
