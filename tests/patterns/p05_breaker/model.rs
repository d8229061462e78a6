//! The breaker against a naive model of it: the same calls, the same answers at every step.

use std::{collections::VecDeque, time::Duration};

use proptest::prelude::*;
use tekton_sdk::{
    Verdict,
    patterns::breaker::{BreakerConfig, BreakerState, CircuitBreaker, Permit},
    time::ManualClock,
};

use super::{SECOND, breaker};

const LIMIT: Duration = Duration::from_millis(100);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(4);

/// One call that ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    second: u64,
    failed: bool,
    slow: bool,
}

/// What the documentation says, as plainly as it can be written.
struct Model {
    config: BreakerConfig,
    now: Duration,
    state: BreakerState,
    /// Which state of all that there were: a permit of another one counts nothing.
    number: usize,
    window: VecDeque<Ended>,
    row: u32,
    probes: Vec<Ended>,
    probes_left: u32,
    opened: u32,
    opened_by_probes: bool,
    since: Duration,
    until: Duration,
    refused: u64,
}

impl Model {
    fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            now: Duration::ZERO,
            state: BreakerState::Closed,
            number: 0,
            window: VecDeque::new(),
            row: 0,
            probes: Vec::new(),
            probes_left: 0,
            opened: 0,
            opened_by_probes: false,
            since: Duration::ZERO,
            until: Duration::ZERO,
            refused: 0,
        }
    }

    fn enter(&mut self, state: BreakerState) {
        self.opened_by_probes = self.state == BreakerState::HalfOpen;
        (self.state, self.refused, self.since) = (state, 0, self.now);
        self.number += 1;
        if state == BreakerState::HalfOpen {
            self.probes.clear();
            self.probes_left = self.config.half_open_calls;
        } else if state != BreakerState::Open {
            self.window.clear();
            (self.row, self.opened) = (0, 0);
        }
    }

    fn open(&mut self, told: Duration) {
        let doubled = (self.config.open_wait * 2_u32.pow(self.opened)).min(self.config.max_open_wait);
        let opened = self.opened + 1;
        self.enter(BreakerState::Open);
        self.opened = opened;
        self.until = self.now + doubled.max(told.min(MAX_RETRY_AFTER));
    }

    fn ask(&mut self) -> bool {
        if self.state == BreakerState::Open && self.now > self.until {
            self.enter(BreakerState::HalfOpen);
        }
        let stale = self.now - self.since > self.config.max_half_open;
        if self.state == BreakerState::HalfOpen && self.probes_left > 0 && stale {
            self.enter(BreakerState::HalfOpen);
        }
        let granted = match self.state {
            BreakerState::Closed | BreakerState::Disabled | BreakerState::MetricsOnly => true,
            BreakerState::HalfOpen if self.probes_left > 0 => {
                self.probes_left -= 1;
                true
            }
            BreakerState::HalfOpen if self.now - self.since > self.config.max_half_open => {
                self.open(Duration::ZERO);
                false
            }
            _ => false,
        };
        self.refused += u64::from(!granted);
        granted
    }

    fn end(&mut self, number: usize, verdict: Verdict, took: Duration, told: Duration) {
        if number != self.number {
            return;
        }
        let slow = self.config.slow_call.is_some_and(|limit| took > limit);
        let call = Ended { second: self.now.as_secs(), failed: verdict == Verdict::Failure, slow };
        match (self.state, verdict) {
            (BreakerState::HalfOpen, Verdict::Ignored) => self.probes_left += 1,
            (_, Verdict::Ignored) => {}
            (BreakerState::HalfOpen, _) => {
                self.probes.push(call);
                self.judge_probes(told);
            }
            (BreakerState::Closed | BreakerState::MetricsOnly, _) => {
                self.window.push_back(call);
                if self.config.window_time.is_none() && self.window.len() > self.config.window_calls as usize {
                    self.window.pop_front();
                }
                self.row = if call.failed { self.row + 1 } else { 0 };
                if self.state == BreakerState::Closed && self.a_rule_holds() {
                    self.open(told);
                }
            }
            _ => {}
        }
    }

    fn a_rule_holds(&self) -> bool {
        let (calls, failed, slow) = self.counted();
        let enough = calls >= self.needed();
        let rules: Vec<bool> = [
            self.config.failure_threshold.map(|limit| self.row >= limit),
            self.config.failure_rate.map(|rate| enough && failed as f64 / calls as f64 >= rate),
            self.config.slow_call.map(|_| enough && slow as f64 / calls as f64 >= self.config.slow_rate),
        ]
        .into_iter()
        .flatten()
        .collect();
        if self.config.all_rules { rules.iter().all(|holds| *holds) } else { rules.contains(&true) }
    }

    fn judge_probes(&mut self, told: Duration) {
        let calls = self.probes.len() as u64;
        let share =
            |which: fn(&Ended) -> bool| self.probes.iter().filter(|call| which(call)).count() as f64 / calls as f64;
        let (failed, slow) = (share(|call| call.failed), share(|call| call.slow));
        if self.config.failure_rate.is_none() && failed > 0.0 {
            self.open(told);
        } else if calls >= self.needed() {
            let bad = self.config.failure_rate.is_some_and(|rate| failed >= rate)
                || self.config.slow_call.is_some_and(|_| slow >= self.config.slow_rate);
            if bad { self.open(told) } else { self.enter(BreakerState::Closed) }
        }
    }

    fn shows_probes(&self) -> bool {
        self.state == BreakerState::HalfOpen || self.state == BreakerState::Open && self.opened_by_probes
    }

    fn needed(&self) -> u64 {
        let full = if self.config.window_time.is_some() { u32::MAX } else { self.config.window_calls };
        let needed = self.config.min_calls.min(full);
        u64::from(if self.shows_probes() { needed.min(self.config.half_open_calls) } else { needed })
    }

    fn counted(&self) -> (u64, u64, u64) {
        let length = self.config.window_time.filter(|_| !self.shows_probes()).map(|time| time.as_secs());
        let young = |call: &&Ended| length.is_none_or(|length| self.now.as_secs() - call.second < length);
        let shown: Vec<&Ended> =
            if self.shows_probes() { self.probes.iter().collect() } else { self.window.iter().filter(young).collect() };
        let count = |which: fn(&Ended) -> bool| shown.iter().filter(|call| which(call)).count() as u64;
        (shown.len() as u64, count(|call| call.failed), count(|call| call.slow))
    }

    fn rate(&self, part: u64) -> Option<f64> {
        let calls = self.counted().0;
        (calls > 0 && calls >= self.needed()).then(|| part as f64 / calls as f64)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Call(Verdict, bool, u64),
    Begin,
    End(usize, Verdict, bool, u64),
    GiveUp(usize),
    Wait(u64),
    Command(u8),
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![4 => Just(Verdict::Success), 4 => Just(Verdict::Failure), 1 => Just(Verdict::Ignored)]
}

fn told() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 1 => 0..8_000_u64]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (verdict(), any::<bool>(), told()).prop_map(|(verdict, slow, told)| Step::Call(verdict, slow, told)),
        4 => Just(Step::Begin),
        4 => (any::<usize>(), verdict(), any::<bool>(), told())
            .prop_map(|(which, verdict, slow, told)| Step::End(which, verdict, slow, told)),
        1 => any::<usize>().prop_map(Step::GiveUp),
        6 => (0..2_500_u64).prop_map(Step::Wait),
        1 => (0..12_u8).prop_map(Step::Command),
    ];
    proptest::collection::vec(step, 1..250)
}

fn config() -> impl Strategy<Value = BreakerConfig> {
    let row = prop_oneof![Just(None), (1..6_u32).prop_map(Some)];
    let rate = || prop_oneof![Just(0.1), Just(0.25), Just(1.0 / 3.0), Just(0.5), Just(1.0)];
    let slow = proptest::option::of(rate());
    (row, proptest::option::of(rate()), slow, 1..12_u32, 1..15_u32, any::<bool>(), 1..5_u32).prop_map(
        |(row, rate, slow, window, min_calls, all_rules, half_open_calls)| {
            let none = row.is_none() && rate.is_none() && slow.is_none();
            BreakerConfig::default()
                .with_failure_threshold(if none { Some(2) } else { row })
                .with_failure_rate(rate)
                .with_slow_call(slow.map(|_| LIMIT))
                .with_slow_rate(slow.unwrap_or(1.0))
                .with_window_calls(window)
                .with_min_calls(min_calls)
                .with_all_rules(all_rules)
                .with_half_open_calls(half_open_calls)
                .with_max_half_open(3 * SECOND)
                .with_open_wait(SECOND)
                .with_max_open_wait(5 * SECOND)
                .with_open_jitter(0.0)
                .with_max_retry_after(MAX_RETRY_AFTER)
        },
    )
}

/// Plays the steps on both.
struct Both<'a> {
    breaker: &'a CircuitBreaker,
    clock: ManualClock,
    model: Model,
    held: Vec<(usize, Permit<'a>)>,
}

impl<'a> Both<'a> {
    fn begin(&mut self) -> Result<Option<(usize, Permit<'a>)>, TestCaseError> {
        let (permit, granted) = (self.breaker.acquire(), self.model.ask());
        prop_assert_eq!(permit.is_ok(), granted);
        Ok(permit.ok().map(|permit| (self.model.number, permit)))
    }

    fn end(&mut self, (number, mut permit): (usize, Permit<'_>), verdict: Verdict, slow: bool, told: u64) {
        let took = if slow { LIMIT * 2 } else { LIMIT };
        let told = Duration::from_millis(told);
        permit.set_retry_after(told);
        permit.record(verdict, took);
        self.model.end(number, verdict, took, told);
    }

    fn play(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Call(verdict, slow, told) => {
                if let Some(permit) = self.begin()? {
                    self.end(permit, verdict, slow, told);
                }
            }
            Step::Begin => {
                let begun = self.begin()?;
                self.held.extend(begun);
            }
            Step::End(which, verdict, slow, told) if !self.held.is_empty() => {
                let permit = self.held.swap_remove(which % self.held.len());
                self.end(permit, verdict, slow, told);
            }
            Step::GiveUp(which) if !self.held.is_empty() => {
                let (number, permit) = self.held.swap_remove(which % self.held.len());
                drop(permit);
                self.model.end(number, Verdict::Ignored, Duration::ZERO, Duration::ZERO);
            }
            Step::Wait(ms) => {
                self.clock.advance(Duration::from_millis(ms));
                self.model.now += Duration::from_millis(ms);
            }
            Step::Command(0) => {
                self.breaker.open();
                self.model.open(Duration::ZERO);
            }
            Step::Command(number) if number < 6 => {
                let (command, state): (fn(&CircuitBreaker), _) = [
                    (CircuitBreaker::close as _, BreakerState::Closed),
                    (CircuitBreaker::half_open as _, BreakerState::HalfOpen),
                    (CircuitBreaker::force_open as _, BreakerState::ForcedOpen),
                    (CircuitBreaker::disable as _, BreakerState::Disabled),
                    (CircuitBreaker::metrics_only as _, BreakerState::MetricsOnly),
                ][usize::from(number - 1)];
                command(self.breaker);
                self.model.enter(state);
            }
            // The states that only a command ends would otherwise swallow most of the steps.
            Step::Command(_) => {
                self.breaker.reset();
                self.model.enter(BreakerState::Closed);
            }
            Step::End(..) | Step::GiveUp(_) => {}
        }
        self.look()
    }

    fn look(&self) -> Result<(), TestCaseError> {
        let (shown, model) = (self.breaker.snapshot(), &self.model);
        prop_assert_eq!(shown.state, model.state);
        prop_assert_eq!((shown.calls, shown.failed, shown.slow), model.counted());
        prop_assert_eq!(shown.failure_rate, model.rate(shown.failed));
        prop_assert_eq!(shown.slow_rate, model.rate(shown.slow));
        prop_assert_eq!(shown.refused, model.refused);
        prop_assert_eq!(shown.state_for, model.now - model.since);
        let left = (model.state == BreakerState::Open).then(|| model.until.saturating_sub(model.now));
        prop_assert_eq!(shown.retry_after, left);
        Ok(())
    }
}

fn run(config: BreakerConfig, steps: &[Step]) -> Result<(), TestCaseError> {
    let (breaker, clock) = breaker(config.clone());
    let mut both = Both { breaker: &breaker, clock, model: Model::new(config), held: Vec::new() };
    for step in steps {
        both.play(step)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_window_of_calls_does_what_the_model_does(config in config(), steps in steps()) {
        run(config, &steps)?;
    }

    #[test]
    fn a_window_of_time_does_what_the_model_does(config in config(), seconds in 1..6_u64, steps in steps()) {
        run(config.with_window_time(Some(Duration::from_secs(seconds))), &steps)?;
    }
}
