//! The handle, and the shell around front and machine.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    BreakerConfig, BreakerSnapshot, BreakerState, ByResult, OwnedPermit, Permit, Refused, Transition, Transitions,
    atomic::{Counts, Front, Mark, Mode},
    machine::{Effect, Input, Machine, Terms},
    permit::Ticket,
    sync::{AtomicU32, AtomicU64, Ordering},
    transition::Listeners,
};
use crate::{
    error::{Error, FieldError, Result},
    policy::Classify,
    random::Random,
    telemetry::{Event, Observers},
    time::SharedClock,
};

/// How many of its last changes a breaker remembers.
const REMEMBERED: usize = 32;
/// No limit, no moment.
pub(super) const NONE: u64 = u64::MAX;
/// Set in [`Inner::probed`] where an open breaker was opened by its probes, and shows them.
const SHOWS_PROBES: u64 = 1 << 63;

/// Stops calling what is down: counts how calls go, refuses them while the callee is not well, and lets a few probe.
///
/// Clones share their state. A call that goes well while the breaker is closed takes no lock. Dropping it is free.
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Inner>);

pub(super) struct Inner {
    front: Front,
    /// What a call may take before it is slow, in nanoseconds; [`NONE`] where calls are not timed.
    slow_nanos: AtomicU64,
    /// Until when an open breaker refuses, in nanoseconds since `base`.
    until: AtomicU64,
    refused: AtomicU64,
    since: AtomicU64,
    /// The counts of the probes, sixteen bits each, for those who look.
    probed: AtomicU64,
    probes_needed: AtomicU32,
    name: Arc<str>,
    base: Instant,
    clock: SharedClock,
    random: Random,
    observers: Observers,
    behind: Mutex<Behind>,
}

/// What only a failure, a probe or a command touches.
struct Behind {
    machine: Machine,
    config: BreakerConfig,
    recent: VecDeque<Transition>,
    listeners: Listeners,
}

impl CircuitBreaker {
    /// A closed breaker of this name; the name stands in errors, metrics and events.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong.
    pub fn new(name: impl Into<Arc<str>>, config: BreakerConfig, clock: SharedClock) -> Result<Self> {
        Ok(Self::made(name.into(), config.checked()?, clock, Random::new(), Observers::default()))
    }

    /// A breaker of settings that have been checked.
    pub(super) fn made(
        name: Arc<str>,
        config: BreakerConfig,
        clock: SharedClock,
        random: Random,
        observers: Observers,
    ) -> Self {
        let base = clock.now();
        let inner = Inner {
            front: Front::new(config.window_calls, config.window_seconds(), config.rules()),
            slow_nanos: AtomicU64::new(NONE),
            until: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            since: AtomicU64::new(0),
            probed: AtomicU64::new(0),
            probes_needed: AtomicU32::new(0),
            name,
            base,
            clock,
            random,
            observers,
            behind: Mutex::new(Behind {
                machine: Machine::new(base),
                recent: VecDeque::new(),
                listeners: Listeners::default(),
                config,
            }),
        };
        inner.adopt(&inner.lock().config);
        Self(Arc::new(inner))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Asks to make one call.
    ///
    /// # Errors
    /// [`Refused`] where the breaker is open, or half-open with all its probes under way.
    #[inline(always)]
    pub fn acquire(&self) -> Result<Permit<'_>, Refused> {
        // Always inlined: a permit that comes back through memory is copied in other widths than it was written in, and the
        // processor then waits longer than all the rest takes.
        let (mode, epoch, began) = self.0.admit()?;
        Ok(Permit(Ticket::new(&*self.0, mode, epoch, began)))
    }

    /// Asks to make one call, with a permit that can be moved into a task.
    ///
    /// # Errors
    /// As [`CircuitBreaker::acquire`].
    #[inline(always)]
    pub fn acquire_owned(&self) -> Result<OwnedPermit, Refused> {
        let (mode, epoch, began) = self.0.admit()?;
        Ok(OwnedPermit(Ticket::new(Arc::clone(&self.0), mode, epoch, began)))
    }

    /// Makes a call through the breaker, judged [by its result](ByResult).
    ///
    /// # Errors
    /// Those of the work, or [`Refused`] turned into them.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work and counts nothing.
    pub async fn call<T, E: From<Refused> + 'static>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.call_judged(&ByResult, work).await
    }

    /// Makes a call through the breaker; the classification judges its outcome.
    ///
    /// # Errors
    /// Those of the work, or [`Refused`] turned into them.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work and counts nothing.
    pub async fn call_judged<T, E: From<Refused>>(
        &self,
        classify: &impl Classify<Result<T, E>>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let permit = self.acquire()?;
        let outcome = work.await;
        permit.settle(classify.classify(&outcome));
        outcome
    }

    /// Makes a synchronous call through the breaker, judged [by its result](ByResult).
    ///
    /// # Errors
    /// Those of the work, or [`Refused`] turned into them.
    pub fn call_sync<T, E: From<Refused> + 'static>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let permit = self.acquire()?;
        let outcome = work();
        permit.settle(ByResult.classify(&outcome));
        outcome
    }

    /// Its state. Time alone changes none: an open breaker stays open until somebody asks after its wait.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.0.front.state().0.into()
    }

    /// What it shows of itself, without a lock. While calls end, its numbers may be of slightly different moments.
    #[must_use]
    pub fn snapshot(&self) -> BreakerSnapshot {
        self.0.snapshot()
    }

    /// Its last 32 changes of state, the oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Transition> {
        self.0.lock().recent.iter().copied().collect()
    }

    /// Its changes of state from now on.
    pub fn subscribe(&self) -> Transitions {
        self.0.lock().listeners.add()
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        self.0.lock().config.clone()
    }

    /// Changes thresholds, waits and probes while it runs. State and window stay.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong; the window's kind and size cannot change.
    pub fn reconfigure(&self, config: BreakerConfig) -> Result<()> {
        let config = config.checked()?;
        let mut behind = self.0.lock();
        let (old, new) = (&behind.config, &config);
        if (old.window_calls, old.window_time) != (new.window_calls, new.window_time) {
            let kept = "cannot change while the breaker runs: what it remembers would be lost; make another breaker";
            let field = if old.window_time == new.window_time { "window_calls" } else { "window_time" };
            let wrong = FieldError::new(format!("breaker.{field}"), kept);
            return Err(Error::config("the breaker's settings are wrong").with_fields(vec![wrong]));
        }
        self.0.adopt(&config);
        behind.config = config;
        Ok(())
    }

    /// Refuses every call until another command.
    pub fn force_open(&self) {
        self.0.drive(Input::Command(Mode::ForcedOpen));
    }

    /// Lets every call through, and counts none, until another command.
    pub fn disable(&self) {
        self.0.drive(Input::Command(Mode::Disabled));
    }

    /// Lets every call through, counts them with an empty window, and only says when it would have opened: a safe way to
    /// try thresholds.
    pub fn metrics_only(&self) {
        self.0.drive(Input::Command(Mode::MetricsOnly));
    }

    /// Opens, for the wait of the settings.
    pub fn open(&self) {
        self.0.drive(Input::Command(Mode::Open));
    }

    /// Begins to probe.
    pub fn half_open(&self) {
        self.0.drive(Input::Command(Mode::HalfOpen));
    }

    /// Closes, with an empty window.
    pub fn close(&self) {
        self.0.drive(Input::Command(Mode::Closed));
    }

    /// Closes with an empty window: the same as [`CircuitBreaker::close`], under the name that others give it.
    pub fn reset(&self) {
        self.close();
    }

    /// Whether nobody else holds it, and it is closed: forgetting it then loses nothing but its window.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && self.0.front.state().0 == Mode::Closed
    }
}

impl Inner {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    pub(super) fn is_settled(&self, epoch: u32) -> bool {
        self.front.is_settled(epoch)
    }

    #[inline(always)]
    fn admit(&self) -> Result<(Mode, u32, u64), Refused> {
        let (mut mode, mut epoch) = self.front.state();
        if mode != Mode::Closed {
            (mode, epoch) = self.admit_otherwise(mode, epoch)?;
        }
        let timed = self.slow_nanos.load(Ordering::Relaxed) != NONE;
        Ok((mode, epoch, if timed { self.nanos(self.clock.now()) } else { NONE }))
    }

    /// The ways that are not closed: let through, refused, or a probe.
    #[cold]
    fn admit_otherwise(&self, mode: Mode, epoch: u32) -> Result<(Mode, u32), Refused> {
        match mode {
            Mode::Closed | Mode::Disabled | Mode::MetricsOnly => return Ok((mode, epoch)),
            Mode::ForcedOpen => return Err(self.refuse(mode, None)),
            Mode::Open => {
                let now = self.nanos(self.clock.now());
                let until = self.until.load(Ordering::Acquire);
                if now <= until {
                    return Err(self.refuse(mode, Some(Duration::from_nanos(until - now))));
                }
            }
            Mode::HalfOpen => {}
        }
        let (effect, mode, epoch) = self.drive(Input::Ask);
        if effect.granted {
            return Ok((mode, epoch));
        }
        // It was found hung, or another one opened it in between.
        let left =
            || Duration::from_nanos(self.until.load(Ordering::Acquire).saturating_sub(self.nanos(self.clock.now())));
        Err(self.refuse(mode, (mode == Mode::Open).then(left)))
    }

    #[cold]
    fn refuse(&self, mode: Mode, retry_after: Option<Duration>) -> Refused {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if !self.observers.is_empty() {
            self.observers.tell(&Event::BreakerRefused { breaker: &self.name });
        }
        Refused { breaker: Arc::clone(&self.name), state: mode.into(), retry_after }
    }

    pub(super) fn give_back(&self, mode: Mode, epoch: u32) {
        if mode == Mode::HalfOpen {
            self.drive(Input::Returned { epoch });
        }
    }

    pub(super) fn record(&self, mode: Mode, epoch: u32, failed: bool, took: u64, began: u64, told: u64) {
        if matches!(mode, Mode::Disabled | Mode::ForcedOpen | Mode::Open) {
            return;
        }
        let slow_nanos = self.slow_nanos.load(Ordering::Relaxed);
        let asks_time = (slow_nanos != NONE && took == NONE && began != NONE) || self.front.counts_seconds();
        let now = if asks_time { self.nanos(self.clock.now()) } else { NONE };
        let took = match (took, now, began) {
            (NONE, NONE, _) | (NONE, _, NONE) => 0,
            (NONE, now, began) => now.saturating_sub(began),
            (took, ..) => took,
        };
        let slow = took > slow_nanos;
        let told = (told != NONE).then(|| Duration::from_nanos(told));
        if mode == Mode::HalfOpen {
            self.drive(Input::Probed { epoch, failed, slow, told });
            return;
        }
        if !failed && !slow && mode == Mode::Closed && self.front.is_settled(epoch) {
            return;
        }
        let second = if now == NONE { 0 } else { second(now) };
        if let Some(rule) = self.front.record(epoch, second, Mark { failed, slow }) {
            self.drive(Input::Trip { epoch, rule, told });
        }
    }

    /// Gives the machine one input and makes its effect visible; with it comes the state that the machine is in then.
    fn drive(&self, input: Input) -> (Effect, Mode, u32) {
        let now = self.clock.now();
        let chance = (self.random.next_u64() >> 32) as f64 / f64::from(u32::MAX);
        let mut behind = self.lock();
        let Behind { machine, config, recent, listeners } = &mut *behind;
        let effect = machine.on(now, Terms { config, chance }, input);
        let (mode, epoch) = machine.state();
        let Counts { calls, failed, slow } = machine.probed();
        let mut probed = (calls << 32) | (failed << 16) | slow;
        let Some(entered) = effect.entered else {
            self.probed.store(self.probed.load(Ordering::Relaxed) & SHOWS_PROBES | probed, Ordering::Release);
            return (effect, mode, epoch);
        };
        if entered.moved {
            if entered.to == Mode::Open && entered.from == Mode::HalfOpen {
                probed |= SHOWS_PROBES;
            }
            self.probed.store(probed, Ordering::Release);
            self.until.store(entered.until.map_or(0, |until| self.nanos(until)), Ordering::Release);
            self.refused.store(0, Ordering::Release);
            self.since.store(self.nanos(now), Ordering::Release);
            // An open breaker shows what opened it; a half-open one has the probes beside the window.
            let fresh = !matches!(entered.to, Mode::Open | Mode::HalfOpen);
            self.front.enter(entered.to, epoch, fresh);
        }
        let change = Transition::new(entered.from.into(), entered.to.into(), entered.why, self.clock.wall());
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(change);
        listeners.tell(change);
        drop(behind);
        self.tell(change);
        (effect, mode, epoch)
    }

    fn tell(&self, change: Transition) {
        let Transition { from, to, reason, .. } = change;
        let (breaker, from, to, reason) = (&*self.name, from.name(), to.name(), reason.name());
        tracing::info!(target: "tekton_sdk::breaker", breaker, from, to, reason, "the breaker changed its state");
        if !self.observers.is_empty() {
            self.observers.tell(&Event::BreakerChanged { breaker, from, to, reason });
        }
    }

    /// Takes over what is read without the lock.
    fn adopt(&self, config: &BreakerConfig) {
        self.slow_nanos.store(config.slow_call.map_or(NONE, nanos), Ordering::Relaxed);
        self.probes_needed.store(config.probes_needed(), Ordering::Relaxed);
        self.front.set_rules(config.rules());
    }

    fn snapshot(&self) -> BreakerSnapshot {
        let (mode, _) = self.front.state();
        let now = self.clock.now();
        let probed = self.probed.load(Ordering::Acquire);
        let shows_probes = mode == Mode::HalfOpen || (mode == Mode::Open && probed & SHOWS_PROBES != 0);
        let (counts, needed) = if shows_probes {
            let part = |shift: u32| (probed >> shift) & 0xFFFF;
            (Counts { calls: part(32), failed: part(16), slow: part(0) }, self.probes_needed.load(Ordering::Relaxed))
        } else {
            (self.front.shown(second(self.nanos(now))), self.front.rules().min_calls)
        };
        let until = self.until.load(Ordering::Acquire);
        let left = || Duration::from_nanos(until.saturating_sub(self.nanos(now)));
        BreakerSnapshot {
            name: Arc::clone(&self.name),
            state: mode.into(),
            state_for: Duration::from_nanos(self.nanos(now).saturating_sub(self.since.load(Ordering::Acquire))),
            calls: counts.calls,
            failed: counts.failed,
            slow: counts.slow,
            failure_rate: rate(counts.failed, counts, needed),
            slow_rate: rate(counts.slow, counts, needed),
            refused: self.refused.load(Ordering::Relaxed),
            retry_after: (mode == Mode::Open).then(left),
        }
    }

    #[inline]
    fn nanos(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.base))
    }

    fn lock(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time in nanoseconds, less than [`NONE`]: 584 years are as long as any.
#[inline]
pub(super) fn nanos(time: Duration) -> u64 {
    // In 64 bits: the 128 of `as_nanos` are slow.
    let whole = time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()));
    whole.min(NONE - 1)
}

fn second(nanos: u64) -> u32 {
    u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX)
}

/// A share of the calls, once there are enough of them.
fn rate(part: u64, counts: Counts, needed: u32) -> Option<f64> {
    (counts.calls > 0 && counts.calls >= u64::from(needed)).then(|| part as f64 / counts.calls as f64)
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.0.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
