//! The protocol of a broker behind a WebSocket, over all its connections: which is made, what is said on it, what is said again on the
//! next one, and what becomes of what comes. Pure: it has no clock, no randomness, no socket, and does nothing by itself.

mod call;
mod place;
mod road;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;

use self::{
    call::{About, Call, Stage},
    place::{Place, Settled},
    road::Road,
};
pub(super) use self::{place::Came, road::Next};
use super::say;
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::events::{ConnectionState, Cursor, Gap, GapReason, Interest, Outcome},
    transport::websocket::{Closed, Pauses},
};

/// What the machine goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) pauses: Pauses,
    /// How many URLs there are.
    pub(super) urls: usize,
    /// Whether there is somebody to ask for another token.
    pub(super) has_tokens: bool,
    /// Whether the first connection may be long in coming.
    pub(super) patient: bool,
    /// How many calls may be sent and not answered.
    pub(super) max_in_flight: usize,
    /// How many calls may be waited for, and how many bytes they may have.
    pub(super) max_waiting: usize,
    pub(super) max_waiting_bytes: usize,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Effect<T, Q> {
    /// This is to be sent.
    Say { text: String, begins: Option<u64> },
    /// A call has ended.
    Tell { token: T, result: Result<Option<Cursor>> },
    /// The host has begun a subscription, and knows it by this number.
    Begun { queue: Q, far: u64 },
    /// The host has it no more.
    Paused(Q),
    /// The subscription may have missed something.
    Gap { queue: Q, gap: Gap },
    /// It has ended.
    End { queue: Q, error: Option<Error> },
    /// Another connection is needed, with another token.
    Renew,
}

/// Why a call was refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) error: Error,
}

/// A subscription, over all its connections.
#[derive(Debug)]
struct Sub<Q> {
    queue: Q,
    interest: Interest,
    place: Place,
    /// Its number on this connection, once the host has begun it.
    far: Option<u64>,
    /// The call that asks for it.
    asking: Option<u64>,
    /// It heard something, or was told that it began.
    begun: bool,
    draining: bool,
    /// When it is asked for again, and how often that was in vain.
    again: Option<Instant>,
    vain: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Draining,
    Closed,
}

/// The machine. `T` tells a caller how its call ended, `Q` is where the events of a subscription go.
#[derive(Debug)]
pub(super) struct Machine<T, Q> {
    rules: Rules,
    road: Road,
    phase: Phase,
    calls: BTreeMap<u64, Call<T>>,
    /// What is to be sent when there is room, subscriptions first.
    first: VecDeque<u64>,
    queued: BTreeSet<u64>,
    /// Outcomes that wait for their event to be handed over again.
    late: BTreeSet<u64>,
    in_flight: usize,
    waiting_bytes: usize,
    next_id: u64,
    /// In the order of subscribing.
    subs: BTreeMap<u64, Sub<Q>>,
    by_far: HashMap<u64, u64, RandomState>,
    next_sub: u64,
    /// Since when the token of this connection is in doubt: it was fetched after a refusal, and nothing was accepted since.
    doubted: Option<Instant>,
    renewing: bool,
    effects: Vec<Effect<T, Q>>,
}

impl<T, Q: Clone> Machine<T, Q> {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            road: Road::new(rules.pauses, rules.urls, rules.has_tokens, rules.patient),
            phase: Phase::Open,
            calls: BTreeMap::new(),
            first: VecDeque::new(),
            queued: BTreeSet::new(),
            late: BTreeSet::new(),
            in_flight: 0,
            waiting_bytes: 0,
            next_id: 0,
            subs: BTreeMap::new(),
            by_far: HashMap::default(),
            next_sub: 0,
            doubted: None,
            renewing: false,
            effects: Vec::new(),
        }
    }

    /// What is to be done since this was asked last.
    pub(super) fn effects(&mut self) -> Vec<Effect<T, Q>> {
        std::mem::take(&mut self.effects)
    }

    pub(super) const fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    // The connection.

    pub(super) fn next(&self, now: Instant) -> Next {
        self.road.next(now)
    }

    pub(super) fn seen(&self, now: Instant) -> ConnectionState {
        match self.phase {
            Phase::Open => self.road.seen(now),
            Phase::Draining => ConnectionState::Draining,
            Phase::Closed => ConnectionState::Closed,
        }
    }

    /// A connection could not be made. Gives whether none will be.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        unauthorized: bool,
        jitter: impl FnOnce(Duration) -> Duration,
    ) -> bool {
        let over = self.road.failed(now, unauthorized, jitter);
        if over {
            self.close();
        }
        over
    }

    /// A connection was made: every subscription is asked for again in its order, then what waits is sent.
    pub(super) fn opened(&mut self, now: Instant) {
        self.doubted = self.road.opened(now).then_some(now);
        self.renewing = false;
        let subs: Vec<u64> = self.subs.keys().copied().collect();
        for sub in subs {
            self.ask(sub);
        }
        self.flush();
    }

    /// The connection is no more. `unsent` are the calls that were not written.
    pub(super) fn lost(
        &mut self,
        now: Instant,
        why: Closed,
        unsent: &HashSet<u64>,
        jitter: impl FnOnce(Duration) -> Duration,
    ) {
        self.road.lost(now, std::mem::take(&mut self.renewing), jitter);
        self.in_flight = 0;
        self.first.clear();
        self.by_far.clear();
        for sub in self.subs.values_mut() {
            sub.place.lost();
            (sub.asking, sub.again) = (None, None);
            if sub.far.take().is_some() {
                self.effects.push(Effect::Paused(sub.queue.clone()));
            }
        }
        let ids: Vec<u64> = self.calls.keys().copied().collect();
        for id in ids {
            self.again(id, why, unsent.contains(&id));
        }
    }

    /// What becomes of a call whose connection is no more.
    fn again(&mut self, id: u64, why: Closed, unsent: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let was_sent = call.stage == Stage::Sent && !unsent;
        if call.token.is_none() {
            self.forget(id);
            return;
        }
        match call.about {
            // What the other side could not take would break the next connection too.
            About::Publish { has_id } if was_sent && (!has_id || is_poison(why)) => {
                let error =
                    Error::new(ErrorKind::Interrupted, "the connection was lost before the event was confirmed");
                self.end(id, Err(error.with_sent(Sent::Maybe).with_source(why)));
            }
            About::Publish { .. } => {
                call.stage = Stage::Queued;
                self.queued.insert(id);
            }
            // It is asked for with its subscription.
            About::Subscribe { sub } => {
                call.stage = Stage::Queued;
                if let Some(sub) = self.subs.get_mut(&sub) {
                    sub.asking = Some(id);
                }
            }
            About::Settle { .. } => self.place_settle(id),
        }
    }

    // Calls.

    fn open(&mut self, token: Option<T>, about: About, params: String) -> u64 {
        self.next_id += 1;
        self.waiting_bytes += params.len();
        self.calls.insert(self.next_id, Call { token, about, params, stage: Stage::Queued });
        self.next_id
    }

    /// Takes a message that is to be published: the parameters as JSON.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) after a drain; [`Rejected`](ErrorKind::Rejected) if too much waits, naming the cap.
    pub(super) fn publish(&mut self, params: String, has_id: bool, token: T) -> Result<u64> {
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
    pub(super) fn settle(&mut self, sub: u64, cursor: Cursor, number: u32, outcome: Outcome, token: T) -> u64 {
        let id = self.open(Some(token), About::Settle { sub, cursor, number, outcome }, String::new());
        self.place_settle(id);
        self.flush();
        id
    }

    /// Finds out what becomes of an outcome that is not told.
    fn place_settle(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let About::Settle { sub, cursor, number, outcome } = call.about else { return };
        call.stage = Stage::Queued;
        self.late.remove(&id);
        let settled = match self.subs.get_mut(&sub) {
            Some(sub) => sub.place.settle(cursor, number, outcome),
            None => Settled::Nothing,
        };
        match settled {
            Settled::Tell(_) => drop(self.queued.insert(id)),
            Settled::Later => drop(self.late.insert(id)),
            Settled::Nothing => self.end(id, Ok(None)),
            Settled::Gone => {
                let what = "the event went to another member of the group when the connection was lost";
                self.end(id, Err(Error::new(ErrorKind::Interrupted, what)));
            }
        }
    }

    /// Takes a subscription up. Gives its number and that of the call.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) after a drain.
    pub(super) fn subscribe(&mut self, interest: Interest, queue: Q, token: T) -> Result<(u64, u64)> {
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
    fn ask(&mut self, number: u64) {
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
    pub(super) fn due(&self) -> Option<Instant> {
        self.subs.values().filter_map(|sub| sub.again).min()
    }

    /// Asks again for what the host did not begin.
    pub(super) fn tick(&mut self, now: Instant) {
        let due = |sub: &Sub<Q>| sub.again.is_some_and(|again| again <= now);
        let due: Vec<u64> = self.subs.iter().filter(|(_, sub)| due(sub)).map(|(number, _)| *number).collect();
        if self.is_up() {
            due.into_iter().for_each(|number| self.ask(number));
            self.flush();
        }
    }

    /// Sends what waits, as far as there is room.
    fn flush(&mut self) {
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

    fn is_up(&self) -> bool {
        self.road.is_up()
    }

    fn check_open(&self) -> Result<()> {
        match self.phase {
            Phase::Open => Ok(()),
            _ => Err(Error::new(ErrorKind::Closed, "the broker is drained and takes nothing more")),
        }
    }

    fn forget(&mut self, id: u64) -> Option<Call<T>> {
        let call = self.calls.remove(&id)?;
        self.waiting_bytes -= call.params.len();
        self.queued.remove(&id);
        self.late.remove(&id);
        if call.stage == Stage::Sent {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Some(call)
    }

    fn end(&mut self, id: u64, result: Result<Option<Cursor>>) {
        if let Some(token) = self.forget(id).and_then(|call| call.token) {
            self.effects.push(Effect::Tell { token, result });
        }
    }

    /// Nobody waits for a call any more. Gives whether it may have been sent.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return true };
        if call.stage == Stage::Sent {
            // Its answer still comes.
            call.token = None;
            return true;
        }
        self.forget(id);
        false
    }

    // Answers.

    /// The host has done what it was asked; what it says of that, as JSON.
    pub(super) fn answered(&mut self, id: u64, result: &str) {
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

    fn begun(&mut self, id: u64, number: u64, far: u64, after: Option<Cursor>) {
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
        self.effects.push(Effect::Begun { queue: sub.queue.clone(), far });
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

    fn not_begun(&mut self, id: u64, number: u64, error: Error) {
        let Some(call) = self.forget(id) else { return };
        let sub = self.subs.remove(&number);
        match (call.token, sub) {
            (Some(token), _) => self.effects.push(Effect::Tell { token, result: Err(error) }),
            (None, Some(sub)) => self.effects.push(Effect::End { queue: sub.queue, error: Some(error) }),
            (None, None) => {}
        }
    }

    /// The host has not done what it was asked. `jitter` gives a time from zero to what it is given.
    pub(super) fn refused(
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
            return;
        }
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

    /// Asks for a subscription again after a while: that of the connections, but never without end.
    fn later(&mut self, now: Instant, number: u64, asked: Duration, jitter: impl FnOnce(Duration) -> Duration) {
        let Pauses { base, max, .. } = self.rules.pauses;
        if let Some(sub) = self.subs.get_mut(&number) {
            sub.asking = None;
            let most = base.saturating_mul(1 << sub.vain.min(16)).min(max);
            sub.vain = sub.vain.saturating_add(1);
            sub.again = now.checked_add(asked.min(max).max(jitter(most)));
        }
    }

    // Events.

    /// An event came for this subscription of the host. Gives where it goes, and as which delivery, unless it is not given out.
    pub(super) fn event(&mut self, far: u64, cursor: Cursor, delivery: u32) -> Option<(&Q, Option<u32>)> {
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
    pub(super) fn gap(&mut self, far: u64, gap: &Gap) -> Option<&Q> {
        let number = *self.by_far.get(&far)?;
        self.subs.get_mut(&number)?.place.gap(gap);
        self.look_again(number);
        self.subs.get(&number).map(|sub| &sub.queue)
    }

    /// Looks whether outcomes that waited for their event can be told, or need not be.
    fn look_again(&mut self, number: u64) {
        let of = |id: &&u64| {
            let about = self.calls.get(id).map(|call| call.about);
            matches!(about, Some(About::Settle { sub, .. }) if sub == number)
        };
        let late: Vec<u64> = self.late.iter().filter(of).copied().collect();
        late.into_iter().for_each(|id| self.place_settle(id));
        self.flush();
    }

    /// The host has ended a subscription, with this error if there was one.
    pub(super) fn ended(
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
    pub(super) fn unsubscribe(&mut self, number: u64) {
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
    pub(super) fn drain_one(&mut self, number: u64) {
        let Some(sub) = self.subs.get_mut(&number) else { return };
        if !std::mem::replace(&mut sub.draining, true)
            && let Some(far) = sub.far
        {
            self.effects.push(Effect::Say { text: say::unsubscribe(far, true), begins: None });
        }
    }

    // The end.

    /// Where the events of all subscriptions go.
    pub(super) fn queues(&self) -> Vec<Q> {
        self.subs.values().map(|sub| sub.queue.clone()).collect()
    }

    /// Takes nothing more in.
    pub(super) fn drain(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining;
        }
        let subs: Vec<u64> = self.subs.keys().copied().collect();
        subs.into_iter().for_each(|sub| self.drain_one(sub));
    }

    /// Whether nothing is waited for.
    pub(super) fn is_done(&self) -> bool {
        self.subs.is_empty() && self.calls.values().all(|call| call.token.is_none())
    }

    /// How many events are known to be left: not confirmed, or handed over and not settled.
    pub(super) fn left(&self) -> usize {
        let publishes = self.calls.values().filter(|call| matches!(call.about, About::Publish { .. })).count();
        publishes + self.subs.values().map(|sub| sub.place.open()).sum::<usize>()
    }

    /// Ends everything.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
        self.road.stop();
        for (_, sub) in std::mem::take(&mut self.subs) {
            self.effects.push(Effect::End { queue: sub.queue, error: None });
        }
        let ids: Vec<u64> = self.calls.keys().copied().collect();
        for id in ids {
            let sent = match self.calls.get(&id) {
                Some(call) if call.stage == Stage::Sent => Sent::Maybe,
                _ => Sent::No,
            };
            self.end(id, Err(Error::new(ErrorKind::Closed, "the broker was closed").with_sent(sent)));
        }
        (self.in_flight, self.waiting_bytes) = (0, 0);
        self.first.clear();
    }
}

/// Whether a connection ended because the other side could not take what it was sent.
const fn is_poison(why: Closed) -> bool {
    matches!(why, Closed::Protocol | Closed::Unsupported | Closed::BadData | Closed::TooLarge)
}

#[cfg(test)]
mod tests;
