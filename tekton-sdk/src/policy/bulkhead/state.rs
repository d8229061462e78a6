//! The places of one target, and those that wait for them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    super::{BulkheadConfig, registry::Kept},
    machine::{Arrival, Crowd, Machine},
    places::Places,
};
use crate::time::SharedClock;

/// The places of one target.
#[derive(Debug)]
pub(super) struct State {
    clock: SharedClock,
    places: Places,
    machine: Mutex<Machine<oneshot::Sender<Permit>>>,
}

/// What comes of an arrival, with what it needs from there on.
pub(super) enum Entry {
    Runs(Permit),
    Waits(Waiting),
    Full(Crowd),
    Late(Crowd),
}

impl State {
    pub(super) fn new(config: &BulkheadConfig, clock: SharedClock) -> Self {
        Self { clock, places: Places::new(), machine: Mutex::new(Machine::new(config.max_concurrency)) }
    }

    /// A place for an arrival at this moment, if one is free and nobody waits.
    pub(super) fn take(self: &Arc<Self>, config: &BulkheadConfig, since: impl FnOnce() -> Instant) -> Option<Permit> {
        let taken = self.places.take(config.max_concurrency.max(1));
        taken.then(|| Permit { state: Some(Arc::clone(self)), since: config.shed.then(since) })
    }

    /// A place for an arrival that found none free, or a place in the line.
    pub(super) fn enter(self: &Arc<Self>, config: &BulkheadConfig, left: Option<Duration>) -> Entry {
        let (call, called) = oneshot::channel();
        let (woken, arrival) =
            self.locked(|machine| (machine.resize(config.max_concurrency), machine.arrives(config, left, call)));
        for waiter in woken {
            self.hand_to(waiter);
        }
        match arrival {
            Arrival::Runs => Entry::Runs(self.permit()),
            Arrival::Waits(number) => {
                Entry::Waits(Waiting { place: Leave { state: Arc::clone(self), number }, called })
            }
            Arrival::Full(crowd) => Entry::Full(crowd),
            Arrival::Late(crowd) => Entry::Late(crowd),
        }
    }

    pub(super) fn crowd(&self) -> Crowd {
        self.locked(|machine| machine.crowd())
    }

    /// How many run and wait, how many may run, and how long a place is held.
    pub(super) fn shown(&self) -> (u32, usize, u32, Option<Duration>) {
        let machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        (self.places.running(), machine.crowd().waiting, machine.most(), machine.held())
    }

    fn permit(self: &Arc<Self>) -> Permit {
        Permit { state: Some(Arc::clone(self)), since: Some(self.clock.now()) }
    }

    /// Gives a place to a waiter; if it went away meanwhile, to the next one.
    fn hand_to(self: &Arc<Self>, waiter: oneshot::Sender<Permit>) {
        let mut next = Some(waiter);
        while let Some(waiter) = next {
            let Err(mut unwanted) = waiter.send(self.permit()) else { return };
            unwanted.state = None;
            next = self.locked(|machine| machine.ends(None));
        }
    }

    fn give_back(self: &Arc<Self>, since: Option<Instant>) {
        if self.places.give() {
            return;
        }
        let held = since.map(|since| self.clock.now().saturating_duration_since(since));
        if let Some(waiter) = self.locked(|machine| machine.ends(held)) {
            self.hand_to(waiter);
        }
    }

    /// Runs the machine, with all others kept out.
    fn locked<R>(&self, work: impl FnOnce(&mut Machine<oneshot::Sender<Permit>>) -> R) -> R {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.runs(self.places.enter());
        let result = work(&mut machine);
        self.places.leave(machine.running(), machine.listens());
        result
    }
}

impl Kept for State {
    fn is_idle(&self, _now: Instant) -> bool {
        self.places.is_free()
    }
}

/// A place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    /// `None` once it is given back.
    state: Option<Arc<State>>,
    /// Since when it is held, where that is asked for.
    since: Option<Instant>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            state.give_back(self.since);
        }
    }
}

/// A place in the line. Dropping it leaves the line.
pub(super) struct Waiting {
    place: Leave,
    called: oneshot::Receiver<Permit>,
}

impl Waiting {
    /// Waits for a place, at most this long.
    pub(super) async fn turn(self, clock: &SharedClock, limit: Option<Duration>) -> Option<Permit> {
        let Self { place: _place, called } = self;
        match limit {
            Some(limit) => clock.timeout(limit, called).await?.ok(),
            None => called.await.ok(),
        }
    }
}

struct Leave {
    state: Arc<State>,
    number: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.state.locked(|machine| machine.leaves(self.number));
    }
}
