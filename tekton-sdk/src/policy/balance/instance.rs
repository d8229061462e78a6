//! One instance: its machine, and what a choice reads of it without a lock.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    machine::{Effect, Machine, Moment, Outcome, Phase, Terms, load},
    sticky::hash,
    view::Seen,
};
use crate::{contract::Measured, transport::Endpoint};

/// What the phase is written as where it is not since when an instance rises.
const STEADY: u64 = 0;
const PROBING: u64 = 1;

/// What is known of an endpoint; everybody who calls it shares it.
#[derive(Debug)]
pub(super) struct Instance {
    /// As the directory writes it.
    pub(super) text: Arc<str>,
    pub(super) endpoint: Endpoint,
    /// What it goes by among what a call has tried.
    pub(super) mark: u64,
    in_flight: AtomicU32,
    /// When the last call to it began.
    called: AtomicU64,
    /// The bits of a float, as [`Machine::peak`].
    peak: AtomicU64,
    peak_at: AtomicU64,
    phase: AtomicU64,
    machine: Mutex<Machine>,
}

impl Instance {
    pub(super) fn new(text: &str, endpoint: Endpoint, now: Moment) -> Self {
        let machine = Machine::new();
        let (peak, peak_at) = machine.peak();
        Self {
            text: text.into(),
            endpoint,
            mark: hash(text.as_bytes()).max(1),
            in_flight: AtomicU32::new(0),
            called: AtomicU64::new(now),
            peak: AtomicU64::new(peak.to_bits()),
            peak_at: AtomicU64::new(peak_at),
            phase: AtomicU64::new(STEADY),
            machine: Mutex::new(machine),
        }
    }

    #[inline]
    pub(super) fn begin(&self, now: Moment) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.called.store(now, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many calls are under way.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How much there is to do before one more call would be answered.
    #[inline]
    pub(super) fn load(&self, now: Moment) -> f64 {
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let phase = match read(&self.phase) {
            STEADY => Phase::Steady,
            PROBING => Phase::Probing,
            since => Phase::Rising(since),
        };
        let (age, idle) = (now.saturating_sub(read(&self.peak_at)), now.saturating_sub(read(&self.called)));
        load(f64::from_bits(read(&self.peak)), age, self.in_flight(), phase, idle, now)
    }

    pub(super) fn on(&self, now: Moment, outcome: Outcome, took: u64, terms: &Terms) -> Option<Effect> {
        self.change(|machine| machine.on(now, outcome, took, terms))
    }

    pub(super) fn given_up(&self, now: Moment, took: u64) {
        self.change(|machine| machine.given_up(now, took));
    }

    pub(super) fn eject(&self, now: Moment, reason: &'static str, terms: &Terms) -> Effect {
        self.change(|machine| machine.eject(now, reason, terms))
    }

    /// Ends an ejection whose time has come, says whether one has, and what is to be seen then.
    pub(super) fn turn(&self, now: Moment) -> (bool, Seen) {
        self.change(|machine| {
            let returned = machine.turn(now);
            let (ejected_since, ejected_until) = machine.ejected();
            (returned, Seen { ejected_since, ejected_until, doubted_until: machine.doubted_until() })
        })
    }

    /// Changes the machine, and lets choices see it.
    fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine();
        let result = change(&mut machine);
        let (peak, peak_at) = machine.peak();
        self.peak.store(peak.to_bits(), Ordering::Relaxed);
        self.peak_at.store(peak_at, Ordering::Relaxed);
        let phase = match machine.phase() {
            Phase::Steady => STEADY,
            Phase::Probing => PROBING,
            Phase::Rising(since) => since.max(PROBING + 1),
        };
        self.phase.store(phase, Ordering::Relaxed);
        result
    }

    /// The mean latency, and the success rate if it is made of so many outcomes.
    pub(super) fn judged(&self, outcomes: u32) -> (f64, Option<f64>) {
        let machine = self.machine();
        (machine.measured().0, machine.rate_of(outcomes))
    }

    /// What was measured, once something was.
    pub(super) fn measured(&self) -> Option<Measured> {
        let (mean, success_rate, calls) = self.machine().measured();
        let latency = Duration::from_nanos(mean as u64);
        (calls > 0).then(|| Measured::new(latency, success_rate, calls))
    }

    /// How it stands, in a word, and how often it was ejected of late.
    pub(super) fn standing(&self, now: Moment) -> (&'static str, u32) {
        let machine = self.machine();
        let state = match (machine.ejected().1 > now, machine.doubted_until() > now, machine.phase()) {
            (true, ..) => "ejected",
            (_, true, _) => "doubted",
            (.., Phase::Probing) => "probing",
            (.., Phase::Rising(_)) => "rising",
            (.., Phase::Steady) => "steady",
        };
        (state, machine.ejections())
    }

    /// Whether forgetting it loses nothing: nobody calls it, and it has been left alone for so long.
    pub(super) fn is_idle(&self, now: Moment, since: u64) -> bool {
        self.in_flight() == 0 && now.saturating_sub(self.called.load(Ordering::Relaxed)) >= since
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
