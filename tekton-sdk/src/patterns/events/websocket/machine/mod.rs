//! The protocol of a broker behind a WebSocket, over all its connections: which is made, what is said on it, what is said again on the
//! next one, and what becomes of what comes. Pure: it has no clock, no randomness, no socket, and does nothing by itself.

mod call;
mod calls;
mod place;
mod road;
mod subs;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;

use self::{
    call::{About, Call, Stage},
    place::Place,
    road::Road,
};
pub(super) use self::{place::Came, road::Next};
use super::say;
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::events::{ConnectionState, Cursor, Gap, Interest},
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
    Begun {
        queue: Q,
        far: u64,
        /// It has open events, which the host hands over again first.
        resumes: bool,
    },
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
        call.maybe |= was_sent;
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
        let publishes = self
            .calls
            .values()
            .filter(|call| call.token.is_some() && matches!(call.about, About::Publish { .. }))
            .count();
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
                Some(call) if call.stage == Stage::Sent || call.maybe => Sent::Maybe,
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
