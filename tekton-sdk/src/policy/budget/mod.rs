//! The budgets of retries, one for each target.

mod machine;

use std::{fmt, sync::Arc, time::Instant};

use serde_json::{Value, json};

use self::machine::{Budget, WINDOW};
use super::{
    RetryConfig,
    registry::{Kept, Registry},
};
use crate::{
    error::{Result, Sent, Verdict},
    telemetry::{Gauge, Introspect, names},
    time::SharedClock,
    transport::Response,
};

/// The budgets of one handle, found by the target's name. Clones share them.
///
/// A call that went out adds [`RetryConfig::budget_percent`] of a retry to the budget of its target, and a retry takes one out. What was
/// added can be spent for ten seconds. [`RetryConfig::budget_reserve`] retries are there without any call, and those are back
/// ten seconds after they were taken: a target that is called once in a while can be tried again, and a target that fails is
/// sent at most that percentage more, however many clients call it.
///
/// 1024 targets have a budget of their own. A new one takes the place of one that nobody holds and that holds nothing; where
/// there is none, it shares one budget with all others that came too late.
///
/// ```
/// use tekton_sdk::{
///     policy::{RetryBudgets, RetryConfig},
///     time::{Clock, ManualClock, SharedClock},
/// };
///
/// let clock = ManualClock::new();
/// let budgets = RetryBudgets::new(&RetryConfig::default(), SharedClock::new(clock.clone()));
/// let budget = budgets.of("engram");
/// for _ in 0..20 {
///     budget.deposit(clock.now());
/// }
/// // Two for the twenty calls, and the reserve of three.
/// assert_eq!(budgets.of("engram").left(clock.now()), 5.0);
/// assert!(budget.withdraw(clock.now()));
/// ```
#[derive(Clone)]
pub struct RetryBudgets(Arc<Shared>);

struct Shared {
    clock: SharedClock,
    percent: u32,
    reserve: u32,
    targets: Registry<Budget>,
}

/// The budget of one target; cheap to clone.
#[derive(Clone)]
pub struct RetryBudget(Arc<Budget>);

impl RetryBudgets {
    /// Budgets as configured.
    #[must_use]
    pub fn new(config: &RetryConfig, clock: SharedClock) -> Self {
        let (percent, reserve, targets) = (config.budget_percent, config.budget_reserve, Registry::new());
        Self(Arc::new(Shared { clock, percent, reserve, targets }))
    }

    /// The budget of this target. Whoever calls it often keeps it.
    #[must_use]
    pub fn of(&self, target: &str) -> RetryBudget {
        let Shared { clock, percent, reserve, targets } = &*self.0;
        RetryBudget(targets.of((target, ""), || clock.now(), || Budget::new(clock.now(), *percent, *reserve)))
    }

    /// The budget of those who came too late for one of their own.
    pub(super) fn overflow(&self) -> RetryBudget {
        let Shared { clock, percent, reserve, targets } = &*self.0;
        RetryBudget(targets.rest(|| Budget::new(clock.now(), *percent, *reserve)))
    }

    /// The budgets with what they hold, by target, and how many are not among them.
    pub(super) fn shown(&self) -> (Vec<(Arc<str>, RetryBudget)>, usize) {
        let shown = self.0.targets.shown();
        (shown.values.into_iter().map(|(target, _, budget)| (target, RetryBudget(budget))).collect(), shown.left_out)
    }
}

impl Kept for Budget {
    fn is_idle(&self, now: Instant) -> bool {
        Self::is_idle(self, now)
    }
}

impl RetryBudget {
    /// Adds a call's share. `Peer::send` does it for each call that went out; whoever runs a pipeline of their own does it
    /// themselves.
    pub fn deposit(&self, now: Instant) {
        self.0.deposit(now);
    }

    /// Adds the share of a call that ended so. What this side refused has put no load on the callee, and pays for none.
    pub(crate) fn earn(&self, outcome: &Result<Response>, now: Instant) {
        if went_out(outcome) {
            self.deposit(now);
        }
    }

    /// Adds a call's share of so many percent.
    pub(crate) fn deposit_percent(&self, now: Instant, percent: u32) {
        self.0.deposit_percent(now, percent);
    }

    /// Takes one retry out; `false` if there is none.
    #[must_use = "`false` forbids the retry"]
    pub fn withdraw(&self, now: Instant) -> bool {
        self.0.withdraw(now)
    }

    /// How many retries are left, with their fraction.
    #[must_use]
    pub fn left(&self, now: Instant) -> f64 {
        self.0.left(now)
    }
}

/// Whether a call that ended so has put any load on the callee.
pub(super) fn went_out(outcome: &Result<Response>) -> bool {
    match outcome {
        Ok(response) => response.went_out,
        Err(error) => match error.verdict() {
            Some(verdict) => verdict != Verdict::Ignored,
            None => error.sent() != Sent::No,
        },
    }
}

impl Introspect for RetryBudgets {
    fn section(&self) -> &'static str {
        "retry_budgets"
    }

    fn introspect(&self) -> Value {
        let now = self.0.clock.now();
        let shown = self.0.targets.shown();
        let left: serde_json::Map<String, Value> =
            shown.values.into_iter().map(|(target, _, budget)| (target.to_string(), budget.left(now).into())).collect();
        json!({
            "percent": self.0.percent,
            "reserve": self.0.reserve,
            "window_seconds": WINDOW,
            "left": left,
            "left_in_overflow": shown.rest.map_or_else(|| f64::from(self.0.reserve), |rest| rest.left(now)),
            "not_shown": shown.left_out,
        })
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        let now = self.0.clock.now();
        for (target, _, budget) in self.0.targets.shown().values {
            emit(Gauge { name: names::RETRY_BUDGET_LEFT, key: &target, value: budget.left(now) });
        }
    }
}

impl fmt::Debug for RetryBudgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudgets").field("targets", &self.0.targets.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::registry::{MAX_KEYS, MAX_SHOWN},
        *,
    };
    use crate::time::{Clock, ManualClock};

    fn budgets() -> (RetryBudgets, ManualClock) {
        let clock = ManualClock::new();
        (RetryBudgets::new(&RetryConfig::default(), SharedClock::new(clock.clone())), clock)
    }

    #[test]
    fn a_million_targets_take_no_more_room_than_a_thousand() {
        let (budgets, clock) = budgets();
        for number in 0..1_000_000 {
            budgets.of(&format!("target-{number}")).deposit(clock.now());
        }
        assert_eq!(budgets.0.targets.len(), MAX_KEYS);
        assert!(budgets.of("another").left(clock.now()) > 99_000.0, "the rest share one budget");
        let mut gauges = 0;
        budgets.gauges(&mut |_| gauges += 1);
        let shown = budgets.introspect();
        assert_eq!((gauges, shown["not_shown"].as_u64()), (MAX_SHOWN, Some(896)));
        assert!(shown["left_in_overflow"].as_f64().unwrap() > 99_000.0);
    }

    #[test]
    fn only_what_is_idle_and_held_by_nobody_makes_room() {
        let (budgets, clock) = budgets();
        let held = budgets.of("held");
        for number in 1..MAX_KEYS {
            budgets.of(&format!("target-{number}")).deposit(clock.now());
        }
        let shared = budgets.of("late");
        assert!(Arc::ptr_eq(&budgets.of("later").0, &shared.0));
        clock.advance(Duration::from_secs(10));
        budgets.of("target-1").deposit(clock.now());
        assert!(!Arc::ptr_eq(&budgets.of("late").0, &shared.0));
        assert!(Arc::ptr_eq(&budgets.of("held").0, &held.0));
        assert_eq!(budgets.0.targets.len(), 3);
        assert!((budgets.of("target-1").left(clock.now()) - 3.1).abs() < 1e-9);
    }
}
