//! What is known of those that may be hedged, in bounded memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::latency::Latencies;
use crate::policy::{RetryBudget, RetryBudgets};

/// How many targets are told apart; the budgets are bounded in the same way.
const MAX_TARGETS: usize = 1024;
/// How many operations of one target are told apart.
const MAX_OPERATIONS: usize = 128;

/// The targets of one stage.
#[derive(Debug)]
pub(super) struct Targets {
    began: Instant,
    budgets: RetryBudgets,
    known: RwLock<HashMap<Arc<str>, Target>>,
    /// What all share who came too late.
    rest: Arc<Known>,
}

#[derive(Debug)]
struct Target {
    state: Arc<State>,
    operations: HashMap<Arc<str>, Arc<Known>>,
    /// What the operations share that came too late.
    rest: Arc<Known>,
}

/// What is known of one operation.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) latencies: Latencies,
    pub(super) target: Arc<State>,
}

/// What is known of one target.
#[derive(Debug)]
pub(super) struct State {
    began: Instant,
    pub(super) budget: RetryBudget,
    /// Until when it asks to be left alone, in nanoseconds since the beginning.
    until: AtomicU64,
}

impl State {
    /// Leaves the target alone for so long.
    pub(super) fn spare(&self, now: Instant, wait: Duration) {
        // What lies beyond the clock's reach is as good as for ever.
        let until = now.checked_add(wait).map_or(u64::MAX, |until| self.nanos(until));
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// Whether it asks to be left alone.
    pub(super) fn is_spared(&self, now: Instant) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until > 0 && self.nanos(now) < until
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Targets {
    pub(super) fn new(budgets: RetryBudgets, began: Instant) -> Self {
        let state = Arc::new(State { began, budget: budgets.overflow(), until: AtomicU64::new(0) });
        Self { began, budgets, known: RwLock::default(), rest: Arc::new(Known::of(state)) }
    }

    /// What is known of an operation of a target.
    pub(super) fn of(&self, target: &Arc<str>, operation: &Arc<str>) -> Arc<Known> {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let found = known.get(target).map(|target| target.operations.get(operation));
            match found {
                Some(Some(known)) => return Arc::clone(known),
                None if known.len() >= MAX_TARGETS => return Arc::clone(&self.rest),
                _ => {}
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TARGETS && !known.contains_key(target) {
            return Arc::clone(&self.rest);
        }
        let target = known.entry(Arc::clone(target)).or_insert_with(|| {
            let budget = self.budgets.of(target);
            let state = Arc::new(State { began: self.began, budget, until: AtomicU64::new(0) });
            Target { rest: Arc::new(Known::of(Arc::clone(&state))), state, operations: HashMap::new() }
        });
        if target.operations.len() >= MAX_OPERATIONS && !target.operations.contains_key(operation) {
            return Arc::clone(&target.rest);
        }
        let state = &target.state;
        Arc::clone(
            target.operations.entry(Arc::clone(operation)).or_insert_with(|| Arc::new(Known::of(Arc::clone(state)))),
        )
    }

    /// The budgets with what they hold, and how many are not among them.
    pub(super) fn shown(&self) -> (Vec<(Arc<str>, RetryBudget)>, usize) {
        self.budgets.shown()
    }
}

impl Known {
    fn of(target: Arc<State>) -> Self {
        Self { latencies: Latencies::default(), target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::RetryConfig,
        time::{Clock, ManualClock, SharedClock},
    };

    #[test]
    fn a_hundred_thousand_operations_take_no_more_room_than_a_hundred_of_a_thousand_targets() {
        let clock = ManualClock::new();
        let budgets = RetryBudgets::new(&RetryConfig::default(), SharedClock::new(clock.clone()));
        let targets = Targets::new(budgets, clock.now());
        let busy: Arc<str> = "busy".into();
        for n in 0..10_000 {
            targets.of(&busy, &format!("op-{n}").into()).latencies.record(Duration::ZERO);
            targets.of(&format!("target-{n}").into(), &busy).latencies.record(Duration::ZERO);
        }
        let known = targets.known.read().unwrap();
        assert_eq!((known.len(), known[&busy].operations.len()), (MAX_TARGETS, MAX_OPERATIONS));
        drop(known);
        assert!(Arc::ptr_eq(&targets.of(&"late".into(), &busy), &targets.rest));
        let late = targets.of(&busy, &"late".into());
        assert!(Arc::ptr_eq(&late.target, &targets.of(&busy, &"op-1".into()).target), "one budget for each target");
    }

    #[test]
    fn a_target_is_left_alone_until_the_longest_wait_is_over() {
        let clock = ManualClock::new();
        let budgets = RetryBudgets::new(&RetryConfig::default(), SharedClock::new(clock.clone()));
        let state = Arc::clone(&Targets::new(budgets, clock.now()).of(&"engram".into(), &"op".into()).target);
        assert!(!state.is_spared(clock.now()));
        state.spare(clock.now(), Duration::from_secs(9));
        state.spare(clock.now(), Duration::from_secs(1));
        clock.advance(Duration::from_millis(8_999));
        assert!(state.is_spared(clock.now()));
        clock.advance(Duration::from_millis(1));
        assert!(!state.is_spared(clock.now()));
    }
}
