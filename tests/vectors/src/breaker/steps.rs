//! Plays the steps of a scenario on a breaker.

use std::time::Duration;

use tekton_sdk::{
    Verdict,
    patterns::breaker::{BreakerState, CircuitBreaker, Permit},
    time::ManualClock,
};

use super::format::{Outcome, Step};

/// More calls in one step would keep the runner busy for hours.
const MAX_REPEAT: u64 = 100_000_000;

/// How far a rate may be from the one in the file, in per cent: files round.
const TOLERANCE: f64 = 0.05;

/// What a call that ended in another state than it began in may have changed, were it counted there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Late {
    Never,
    /// Numbers alone: the state it ended in does not end by results.
    Counted,
    /// Everything: it ended in closed or half-open.
    Decided,
}

/// What differed: a number that the breaker counts, or something else.
pub(super) enum Differs {
    Count(String),
    Other(String),
}

impl From<String> for Differs {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

pub(super) struct Run<'a> {
    breaker: &'a CircuitBreaker,
    clock: ManualClock,
    /// By name, with the number of the state they began in.
    held: Vec<(String, u64, Permit<'a>)>,
    state: BreakerState,
    /// How often the state has changed.
    states: u64,
    late: Late,
}

impl<'a> Run<'a> {
    pub(super) const fn new(breaker: &'a CircuitBreaker, clock: ManualClock) -> Self {
        Self { breaker, clock, held: Vec::new(), state: BreakerState::Closed, states: 0, late: Late::Never }
    }

    pub(super) const fn late(&self) -> Late {
        self.late
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), Differs> {
        match step {
            Step::Call { outcome, repeat, permitted, duration_ms } => {
                if repeat > MAX_REPEAT {
                    return Err(format!("`repeat` is {repeat}, the most is {MAX_REPEAT}").into());
                }
                for _ in 0..repeat {
                    if let Some(permit) = self.ask(permitted)? {
                        let outcome =
                            outcome.ok_or_else(|| "a call that is let through needs an `outcome`".to_owned())?;
                        finish(permit, outcome, duration_ms);
                    }
                }
            }
            Step::Acquire { r#as, permitted } => {
                if let Some(permit) = self.ask(permitted)? {
                    self.look();
                    self.held.push((r#as, self.states, permit));
                }
            }
            Step::Finish { of, outcome, duration_ms } => finish(self.take(&of)?, outcome, duration_ms),
            Step::Release { of } => drop(self.take(&of)?),
            Step::Advance { ms } => self.clock.advance(Duration::from_millis(ms)),
            Step::ForceOpen {} => self.by_hand(CircuitBreaker::force_open),
            Step::Disable {} => self.by_hand(CircuitBreaker::disable),
            Step::MetricsOnly {} => self.by_hand(CircuitBreaker::metrics_only),
            Step::Reset {} => self.by_hand(CircuitBreaker::reset),
            Step::Open {} => self.by_hand(CircuitBreaker::open),
            Step::HalfOpen {} => self.by_hand(CircuitBreaker::half_open),
            Step::Close {} => self.by_hand(CircuitBreaker::close),
            Step::Expect { state, failure_rate_pct, slow_rate_pct, buffered_calls, not_permitted } => {
                let got = self.breaker.snapshot();
                same("state", Some(state.name()), got.state.name(), |a, b| a == b)?;
                let percent = |rate: Option<f64>| rate.map(|rate| rate * 100.0);
                same("failure_rate_pct", failure_rate_pct, percent(got.failure_rate), near)
                    .and_then(|()| same("slow_rate_pct", slow_rate_pct, percent(got.slow_rate), near))
                    .and_then(|()| same("buffered_calls", buffered_calls, got.calls, |a, b| a == b))
                    .map_err(Differs::Count)?;
                same("not_permitted", not_permitted, got.refused, |a, b| a == b)?;
            }
        }
        Ok(())
    }

    /// Asks for a permit, which must be given or refused as the step says.
    fn ask(&self, permitted: bool) -> Result<Option<Permit<'a>>, String> {
        let permit = self.breaker.acquire().ok();
        if permit.is_some() == permitted { Ok(permit) } else { Err(format!("permitted: wanted {permitted}")) }
    }

    fn by_hand(&mut self, command: fn(&CircuitBreaker)) {
        command(self.breaker);
        self.states += 1;
    }

    fn take(&mut self, name: &str) -> Result<Permit<'a>, String> {
        let held = self.held.iter().rposition(|(held, ..)| held == name);
        let (_, states, permit) = self.held.remove(held.ok_or_else(|| format!("no permit {name:?} is held"))?);
        if states != self.states {
            let decides = matches!(self.state, BreakerState::Closed | BreakerState::HalfOpen);
            self.late = self.late.max(if decides { Late::Decided } else { Late::Counted });
        }
        Ok(permit)
    }

    /// Counts a change of state. No step comes back by itself to a state that it left.
    pub(super) fn look(&mut self) {
        let state = self.breaker.state();
        self.states += u64::from(state != self.state);
        self.state = state;
    }
}

fn finish(permit: Permit<'_>, outcome: Outcome, ms: u64) {
    let verdict = match outcome {
        Outcome::Ok | Outcome::ErrAsSuccess => Verdict::Success,
        Outcome::Err | Outcome::BadResult => Verdict::Failure,
        Outcome::Ignored => Verdict::Ignored,
    };
    permit.record(verdict, Duration::from_millis(ms));
}

fn same<T: std::fmt::Debug>(key: &str, wanted: Option<T>, got: T, is_same: fn(&T, &T) -> bool) -> Result<(), String> {
    match wanted {
        Some(wanted) if !is_same(&wanted, &got) => Err(format!("{key}: wanted {wanted:?}, got {got:?}")),
        _ => Ok(()),
    }
}

fn near(wanted: &Option<f64>, got: &Option<f64>) -> bool {
    match (wanted, got) {
        (Some(wanted), Some(got)) => (wanted - got).abs() <= TOLERANCE,
        (wanted, got) => wanted.is_none() && got.is_none(),
    }
}
