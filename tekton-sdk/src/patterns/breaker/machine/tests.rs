use proptest::prelude::*;

use super::*;
use crate::time::{Clock as _, ManualClock};

fn config() -> BreakerConfig {
    BreakerConfig::default()
        .with_open_wait(Duration::from_secs(1))
        .with_max_open_wait(Duration::from_secs(8))
        .with_open_jitter(0.0)
}

struct Bench {
    machine: Machine,
    now: Instant,
    config: BreakerConfig,
}

impl Bench {
    fn new(config: BreakerConfig) -> Self {
        let now = ManualClock::new().now();
        Self { machine: Machine::new(now), now, config }
    }

    fn on(&mut self, input: Input) -> Effect {
        self.machine.on(self.now, Terms { config: &self.config, chance: 1.0 }, input)
    }

    fn trip(&mut self) -> Option<Duration> {
        let epoch = self.machine.state().1;
        let effect = self.on(Input::Trip { epoch, rule: Tripped::InARow, told: None });
        Some(effect.entered?.until? - self.now)
    }

    fn probed(&mut self, failed: bool) -> Option<Mode> {
        let epoch = self.machine.state().1;
        Some(self.on(Input::Probed { epoch, failed, slow: false, told: None }).entered?.to)
    }

    fn ask_after(&mut self, wait: Duration) -> bool {
        self.now += wait;
        self.on(Input::Ask).granted
    }
}

#[test]
fn the_wait_doubles_up_to_its_limit_and_begins_anew_after_closing() {
    let mut bench = Bench::new(config());
    let secs = Duration::from_secs;
    for wait in [1, 2, 4, 8, 8] {
        let until = match bench.machine.mode {
            Mode::Closed => bench.trip().unwrap(),
            _ => {
                let epoch = bench.machine.state().1;
                for _ in 0..2 {
                    bench.on(Input::Probed { epoch, failed: true, slow: false, told: None });
                }
                let effect = bench.on(Input::Probed { epoch, failed: true, slow: false, told: None });
                effect.entered.unwrap().until.unwrap() - bench.now
            }
        };
        assert_eq!(until, secs(wait));
        assert!(!bench.ask_after(until), "at the very moment it still refuses");
        assert!(bench.ask_after(Duration::from_nanos(1)));
    }
    for closes in [None, None, Some(Mode::Closed)] {
        assert_eq!(bench.probed(false), closes);
    }
    assert_eq!(bench.trip(), Some(secs(1)));
}

#[test]
fn jitter_only_adds() {
    let mut bench = Bench::new(config().with_open_jitter(0.5));
    assert_eq!(bench.trip(), Some(Duration::from_millis(1500)));
}

#[test]
fn a_told_wait_is_kept_up_to_its_limit() {
    for (told, wait) in [(3, 3), (600, 300), (0, 1)] {
        let mut bench = Bench::new(config());
        let told = Some(Duration::from_secs(told));
        let effect = bench.on(Input::Trip { epoch: 1, rule: Tripped::FailureRate, told });
        assert_eq!(effect.entered.unwrap().until.unwrap() - bench.now, Duration::from_secs(wait));
    }
}

#[test]
fn probes_that_never_end_open_it_again() {
    let mut bench = Bench::new(config());
    bench.trip();
    bench.now += Duration::from_secs(2);
    assert!((0..3).all(|_| bench.on(Input::Ask).granted));
    assert!(!bench.ask_after(Duration::from_secs(60)));
    assert_eq!(bench.machine.mode, Mode::HalfOpen);
    bench.now += Duration::from_nanos(1);
    let entered = bench.on(Input::Ask).entered.unwrap();
    assert_eq!((entered.to, entered.why), (Mode::Open, Reason::ProbesHung));
}

#[test]
fn probes_of_long_ago_are_forgotten() {
    let mut bench = Bench::new(config());
    bench.trip();
    bench.now += Duration::from_secs(2);
    assert!((0..2).all(|_| bench.on(Input::Ask).granted));
    assert!((0..2).all(|_| bench.probed(true).is_none()));
    let epoch = bench.machine.epoch;
    bench.now += Duration::from_secs(61);
    let effect = bench.on(Input::Ask);
    assert_eq!((effect.granted, effect.entered.map(|entered| entered.why)), (true, Some(Reason::ProbesStale)));
    assert!(bench.machine.epoch != epoch && bench.machine.probed() == Counts::default());
    assert_eq!(bench.probed(false), None);
    assert!(bench.on(Input::Ask).granted && bench.on(Input::Ask).granted);
    assert_eq!((bench.probed(false), bench.probed(false)), (None, Some(Mode::Closed)));
}

#[test]
fn without_a_rate_one_bad_probe_is_enough() {
    let mut bench = Bench::new(config().with_failure_rate(None));
    bench.trip();
    assert!(bench.ask_after(Duration::from_secs(2)));
    assert_eq!(bench.probed(true), Some(Mode::Open));
}

#[test]
fn a_wait_beyond_the_clocks_reach_is_no_panic() {
    let mut bench = Bench::new(config().with_open_wait(Duration::MAX).with_max_open_wait(Duration::MAX));
    assert!(bench.trip().is_some());
    assert!(!bench.ask_after(Duration::from_secs(60)));
}

#[derive(Clone, Debug)]
enum Step {
    Ask,
    End { which: usize, failed: bool, slow: bool },
    GiveBack { which: usize },
    Trip,
    Wait(u64),
    Command(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Ask),
        4 => (any::<usize>(), any::<bool>(), any::<bool>()).prop_map(|(which, failed, slow)| Step::End { which, failed, slow }),
        2 => any::<usize>().prop_map(|which| Step::GiveBack { which }),
        2 => Just(Step::Trip),
        2 => (0..5000_u64).prop_map(Step::Wait),
        1 => (0..6_u8).prop_map(Step::Command),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens: an open breaker lets nobody through before its time, a half-open one never more than its probes at
    /// once in one cycle, and what ends late changes nothing.
    #[test]
    fn it_never_lets_through_more_than_it_may(steps in steps()) {
        let mut bench = Bench::new(config());
        let mut out: Vec<(Mode, u32)> = Vec::new();
        for step in steps {
            let (mode, epoch) = (bench.machine.mode, bench.machine.state().1);
            match step {
                Step::Wait(ms) => bench.now += Duration::from_millis(ms),
                Step::Ask => {
                    let effect = bench.on(Input::Ask);
                    if effect.granted {
                        out.push((bench.machine.mode, bench.machine.state().1));
                    }
                    match mode {
                        Mode::Open if bench.now <= bench.machine.until => prop_assert!(!effect.granted),
                        Mode::ForcedOpen => prop_assert!(!effect.granted),
                        Mode::Closed | Mode::Disabled | Mode::MetricsOnly => prop_assert!(effect.granted),
                        _ => {}
                    }
                }
                Step::End { which, failed, slow } if !out.is_empty() => {
                    let (was, its) = out.swap_remove(which % out.len());
                    let effect = bench.on(Input::Probed { epoch: its, failed, slow, told: None });
                    if its != epoch || was != Mode::HalfOpen {
                        prop_assert_eq!(effect, Effect::default());
                    }
                }
                Step::GiveBack { which } if !out.is_empty() => {
                    let (_, its) = out.swap_remove(which % out.len());
                    bench.on(Input::Returned { epoch: its });
                }
                Step::Trip => {
                    let effect = bench.on(Input::Trip { epoch, rule: Tripped::FailureRate, told: None });
                    prop_assert_eq!(effect.entered.is_some_and(|entered| entered.to == Mode::Open), mode == Mode::Closed);
                }
                Step::Command(mode) => {
                    let modes = [Mode::Closed, Mode::HalfOpen, Mode::Open, Mode::ForcedOpen, Mode::Disabled, Mode::MetricsOnly];
                    bench.on(Input::Command(modes[usize::from(mode)]));
                    prop_assert_eq!(bench.machine.mode, modes[usize::from(mode)]);
                    prop_assert_eq!(bench.machine.state().1, epoch + 1);
                }
                Step::End { .. } | Step::GiveBack { .. } => {}
            }
            let current = (Mode::HalfOpen, bench.machine.state().1);
            let probing = out.iter().filter(|permit| **permit == current).count() as u64;
            prop_assert!(probing + bench.machine.probed().calls <= u64::from(bench.config.half_open_calls) || bench.machine.mode != Mode::HalfOpen);
        }
    }
}
