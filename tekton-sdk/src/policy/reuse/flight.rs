//! Equal reads that are under way: one leads, the others wait for what it gets.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{
    cache::Moment,
    key::{Hashed, Key},
};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    time::{Deadline, SharedClock},
    transport::{Body, Origin, Response},
};

/// What is under way through one stage, by key.
pub(super) struct Flights {
    clock: SharedClock,
    under_way: Mutex<UnderWay>,
}

type UnderWay = HashMap<Arc<Key>, Arc<Flight>, Hashed>;

/// Equal reads that share one answer.
struct Flight {
    /// What was known of the target when it began: who comes after a write begins another one.
    moment: Moment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    landed: Option<Arc<Landed>>,
    waiting: HashMap<u64, Waiter>,
    last: u64,
    /// Who is to lead, because the one before gave up.
    heir: Option<u64>,
    /// Whether nobody leads on, because nobody has any time left.
    is_over: bool,
}

struct Waiter {
    deadline: Option<Deadline>,
    waker: Option<Waker>,
}

/// What the leader got.
enum Landed {
    Answer(Response, bytes::Bytes),
    Failure(Error),
}

/// What one of several equal reads is to do.
pub(super) enum Part<'a> {
    /// Ask the callee.
    Lead(Lead<'a>),
    /// Wait for the one who does.
    Wait(Waiting<'a>),
}

impl Flights {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, under_way: Mutex::default() }
    }

    /// Takes part in the flight of this key, or begins one.
    pub(super) fn join(&self, key: &Arc<Key>, moment: &Moment, deadline: Option<Deadline>) -> Part<'_> {
        let mut flights = self.lock();
        match flights.get(key).filter(|flight| flight.moment.is_now()) {
            Some(flight) => {
                let mut state = flight.lock();
                state.last += 1;
                let id = state.last;
                state.waiting.insert(id, Waiter { deadline, waker: None });
                drop(state);
                Part::Wait(Waiting { flights: self, key: Arc::clone(key), flight: Arc::clone(flight), id })
            }
            None => {
                let flight = Arc::new(Flight { moment: moment.clone(), state: Mutex::default() });
                flights.insert(Arc::clone(key), Arc::clone(&flight));
                Part::Lead(Lead { flights: self, key: Arc::clone(key), flight, landed: false })
            }
        }
    }

    /// Makes the one with the most time lead on: when it gives up too, nobody of those who wait with it has any left. Where the
    /// one before ended at `than`, only one with more time leads on; where it gave up and nobody has any, all are told.
    fn pass_on(&self, key: &Arc<Key>, flight: &Arc<Flight>, than: Option<Deadline>) -> bool {
        let now = self.clock.now();
        let mut under_way = self.lock();
        let mut state = flight.lock();
        let most = state.waiting.iter().max_by_key(|(_, waiter)| order(waiter.deadline));
        let heir = most.filter(|(_, waiter)| {
            let has_time = waiter.deadline.is_none_or(|deadline| !deadline.is_past(now));
            has_time && than.is_none_or(|than| order(waiter.deadline) > order(Some(than)))
        });
        state.heir = heir.map(|(id, _)| *id);
        let wakers = match state.heir {
            Some(heir) => state.waiting.get_mut(&heir).and_then(|waiter| waiter.waker.take()).into_iter().collect(),
            None if than.is_some() => Vec::new(),
            None => {
                remove(&mut under_way, key, flight);
                state.is_over = true;
                state.wakers()
            }
        };
        let passed_on = state.heir.is_some();
        drop((state, under_way));
        wakers.into_iter().for_each(Waker::wake);
        passed_on
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without a deadline there is the most time.
fn order(deadline: Option<Deadline>) -> (bool, Option<Deadline>) {
    (deadline.is_none(), deadline)
}

/// Another flight may have taken the place since.
fn remove(under_way: &mut UnderWay, key: &Arc<Key>, flight: &Arc<Flight>) {
    if under_way.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
        under_way.remove(key);
    }
}

impl State {
    fn wakers(&mut self) -> Vec<Waker> {
        self.waiting.values_mut().filter_map(|waiter| waiter.waker.take()).collect()
    }
}

impl Flight {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of the one that asks the callee. Dropped without an outcome, another leads on.
pub(super) struct Lead<'a> {
    flights: &'a Flights,
    key: Arc<Key>,
    flight: Arc<Flight>,
    landed: bool,
}

impl Lead<'_> {
    /// Gives the outcome to all who wait.
    pub(super) fn land(mut self, outcome: &Result<Response>) {
        self.landed = true;
        // Out of the map first: who comes from here on is not told of what was asked before it came.
        remove(&mut self.flights.lock(), &self.key, &self.flight);
        let mut state = self.flight.lock();
        if state.waiting.is_empty() {
            return;
        }
        state.landed = Some(Arc::new(Landed::of(outcome)));
        let wakers = state.wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Lets another lead on who has more time, if there is one; else the flight is to be landed.
    pub(super) fn hand_over(mut self, deadline: Option<Deadline>) -> Result<(), Self> {
        self.landed = deadline.is_some() && self.flights.pass_on(&self.key, &self.flight, deadline);
        if self.landed { Ok(()) } else { Err(self) }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.flights.pass_on(&self.key, &self.flight, None);
        }
    }
}

/// The part of one that waits: ready with the outcome, or with the lead.
pub(super) struct Waiting<'a> {
    flights: &'a Flights,
    key: Arc<Key>,
    flight: Arc<Flight>,
    id: u64,
}

/// How a wait ended.
pub(super) enum Waited<'a> {
    Landed(Result<Response>),
    Leads(Lead<'a>),
}

impl<'a> Future for Waiting<'a> {
    type Output = Waited<'a>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<'a>> {
        let mut state = self.flight.lock();
        if let Some(landed) = state.landed.clone() {
            state.waiting.remove(&self.id);
            drop(state);
            return Poll::Ready(Waited::Landed(landed.outcome()));
        }
        if state.is_over {
            state.waiting.remove(&self.id);
            let late = "the deadline passed while the answer to an equal call was waited for";
            return Poll::Ready(Waited::Landed(Err(Error::new(ErrorKind::Timeout, late).with_sent(Sent::Maybe))));
        }
        if state.heir == Some(self.id) {
            state.heir = None;
            state.waiting.remove(&self.id);
            drop(state);
            let (flights, key, flight) = (self.flights, Arc::clone(&self.key), Arc::clone(&self.flight));
            return Poll::Ready(Waited::Leads(Lead { flights, key, flight, landed: false }));
        }
        if let Some(waiter) = state.waiting.get_mut(&self.id)
            && !waiter.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker()))
        {
            waiter.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.flight.lock();
        state.waiting.remove(&self.id);
        let was_heir = state.heir == Some(self.id) && state.landed.is_none();
        drop(state);
        if was_heir {
            self.flights.pass_on(&self.key, &self.flight, None);
        }
    }
}

impl Landed {
    fn of(outcome: &Result<Response>) -> Self {
        match outcome {
            Ok(response) => {
                let mut shared = Response::with_headers(response.status, response.headers.clone(), Body::empty());
                shared.verdict = response.verdict;
                Self::Answer(shared, response.body.as_bytes().cloned().unwrap_or_default())
            }
            Err(error) => Self::Failure(error.shared()),
        }
    }

    fn outcome(&self) -> Result<Response> {
        match self {
            Self::Answer(known, body) => {
                let mut response = Response::with_headers(known.status, known.headers.clone(), body.clone());
                (response.verdict, response.origin) = (known.verdict, Origin::Shared);
                (response.attempt, response.went_out) = (0, false);
                Ok(response)
            }
            Self::Failure(error) => Err(error.shared().with_attempts(0)),
        }
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("under_way", &self.lock().len()).finish_non_exhaustive()
    }
}
