use proptest::prelude::*;

use super::*;

const MILLI: u64 = 1_000_000;

fn terms() -> Terms {
    Terms {
        failures: Some(3),
        ejection_time: Duration::from_secs(30),
        max_ejection_time: Duration::from_secs(100),
        penalty: PENALTY,
        jitter: 0.0,
    }
}

/// A machine with a clock.
struct Lab {
    machine: Machine,
    now: Moment,
}

impl Lab {
    fn new() -> Self {
        Self { machine: Machine::new(), now: 2 }
    }

    fn wait(&mut self, time: u64) {
        self.now += time;
        self.machine.turn(self.now);
    }

    fn on(&mut self, outcome: Outcome) -> Option<Effect> {
        self.machine.on(self.now, outcome, MILLI, &terms())
    }

    /// Fails until it is ejected, and says for how long.
    fn eject(&mut self) -> (&'static str, u64) {
        loop {
            if let Some(Effect::Ejected { reason, wait }) = self.on(Outcome::Failed) {
                return (reason, wait.as_secs());
            }
        }
    }

    fn load(&self, in_flight: u32) -> f64 {
        let (peak, at) = self.machine.peak();
        load(peak, self.now - at, in_flight, self.machine.phase(), 0, self.now)
    }
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
    let mut lab = Lab::new();
    for _ in 0..10 {
        assert_eq!(lab.on(Outcome::Failed), None);
        assert_eq!(lab.on(Outcome::Failed), None);
        assert_eq!(lab.on(Outcome::Well), None);
    }
    assert_eq!(lab.eject(), ("failures_in_a_row", 30));
    assert_eq!(lab.machine.ejected(), (lab.now, lab.now + 30 * SECOND));
    let alone = Terms { failures: None, ..terms() };
    let mut alone_machine = Machine::new();
    assert!((0..100).all(|_| alone_machine.on(2, Outcome::Failed, 1, &alone).is_none()), "there is no other");
}

#[test]
fn who_flaps_is_out_longer_each_time_and_who_stays_well_is_forgiven() {
    let mut lab = Lab::new();
    assert_eq!(lab.eject(), ("failures_in_a_row", 30));
    for wait in [60, 90, 100, 100] {
        lab.wait(100 * SECOND);
        assert_eq!(lab.eject(), ("probe", wait), "one failure on its return is enough");
    }
    lab.wait(100 * SECOND);
    lab.on(Outcome::Well);
    lab.wait(90 * SECOND);
    lab.on(Outcome::Well);
    assert_eq!(lab.eject(), ("failures_in_a_row", 90), "of five three are forgotten, and this is the third");
    lab.wait(100 * SECOND);
    lab.on(Outcome::Well);
    lab.wait(1_000 * SECOND);
    assert_eq!(lab.eject(), ("failures_in_a_row", 100), "nobody knows how it was meanwhile");
    lab.wait(100 * SECOND);
    lab.on(Outcome::Well);
    lab.wait(1_000 * SECOND);
    lab.on(Outcome::Well);
    assert_eq!(lab.eject(), ("failures_in_a_row", 30));
}

#[test]
fn jitter_makes_an_ejection_at_most_a_tenth_shorter() {
    let mut machine = Machine::new();
    let effect = machine.eject(2, "success_rate", &Terms { jitter: 1.0, ..terms() });
    assert_eq!(effect, Effect::Ejected { reason: "success_rate", wait: Duration::from_secs(27) });
}

#[test]
fn who_returns_is_probed_once_at_a_time_and_then_called_more_and_more() {
    let mut lab = Lab::new();
    lab.eject();
    lab.wait(30 * SECOND);
    assert_eq!(lab.machine.phase(), Phase::Probing);
    assert_eq!(lab.load(0), 0.0, "the probe wins its draw");
    assert!(lab.load(1) >= UNKNOWN, "the second call loses every draw");
    assert_eq!(lab.on(Outcome::Well), None);
    assert_eq!(lab.machine.phase(), Phase::Rising(lab.now));
    lab.machine.peak = 50.0 * MILLI as f64;
    lab.machine.peak_at = lab.now;
    let shares: Vec<f64> = [0, 2, 5, 10]
        .map(|seconds| {
            let now = lab.now + seconds * SECOND;
            50.0 * MILLI as f64 / load(50.0 * MILLI as f64, 0, 0, lab.machine.phase(), 0, now)
        })
        .into();
    assert_eq!(shares, [0.1, 0.2, 0.5, 1.0]);
    lab.wait(RISE);
    lab.on(Outcome::Well);
    assert_eq!(lab.machine.phase(), Phase::Steady);
}

#[test]
fn who_is_called_although_it_is_ejected_comes_back_by_good_calls_in_a_row() {
    let mut lab = Lab::new();
    lab.eject();
    assert_eq!([lab.on(Outcome::Well), lab.on(Outcome::Well), lab.on(Outcome::Failed)], [None, None, None]);
    assert_eq!([lab.on(Outcome::Well), lab.on(Outcome::Well)], [None, None]);
    assert_eq!(lab.on(Outcome::Well), Some(Effect::Returned));
    assert_eq!(lab.machine.ejected(), (0, 0));
}

#[test]
fn who_cannot_be_reached_is_doubted_until_it_is() {
    let mut lab = Lab::new();
    assert_eq!(lab.on(Outcome::Unreached), Some(Effect::Doubted));
    assert_eq!(lab.machine.doubted_until(), lab.now + DOUBTED_FOR);
    assert_eq!(lab.on(Outcome::Well), Some(Effect::Doubted));
    assert_eq!(lab.machine.doubted_until(), 0);
    assert_eq!(lab.on(Outcome::Well), None, "nobody need look again");
}

#[test]
fn a_slow_answer_counts_at_once_and_fades() {
    let mut lab = Lab::new();
    assert_eq!((lab.load(0), lab.load(2)), (0.0, 2.0 * UNKNOWN), "nothing is known yet");
    lab.machine.on(lab.now, Outcome::Well, 10 * MILLI, &terms());
    assert_eq!(lab.load(2), 30.0 * MILLI as f64);
    lab.machine.on(lab.now, Outcome::Well, 800 * MILLI, &terms());
    lab.machine.on(lab.now, Outcome::Well, 10 * MILLI, &terms());
    assert_eq!(lab.load(0), 800.0 * MILLI as f64);
    lab.wait(HALF_LIFE);
    assert_eq!(lab.load(0), 400.0 * MILLI as f64);
    lab.wait(HALF_LIFE / 2);
    assert_eq!(lab.load(0), 300.0 * MILLI as f64);
    lab.wait(HALF_LIFE * 80);
    assert_eq!(lab.load(0), FLOOR);
    assert_eq!(load(1e15, 0, 0, Phase::Steady, STARVED, lab.now), 0.0, "left alone so long, it wins whatever its load");
}

#[test]
fn many_quick_answers_make_a_slow_one_fade_as_time_does() {
    let mut lab = Lab::new();
    lab.machine.on(lab.now, Outcome::Well, 1_000 * MILLI, &terms());
    for _ in 0..10_000 {
        lab.wait(HALF_LIFE / 10_000);
        lab.machine.on(lab.now, Outcome::Well, MILLI, &terms());
    }
    // Straight lines that begin anew at every answer are an exponential: e to the -1/2.
    let left = lab.load(0) / (1_000 * MILLI) as f64;
    assert!((0.60..0.62).contains(&left), "{left}");
}

#[test]
fn failing_fast_and_being_given_up_are_no_merit() {
    let mut lab = Lab::new();
    lab.on(Outcome::Failed);
    assert_eq!(lab.load(0), PENALTY as f64);
    let mut lab = Lab::new();
    lab.machine.given_up(lab.now, 5 * MILLI);
    assert_eq!(lab.load(0), PENALTY as f64, "nobody knows how long it would have taken");
    let mut lab = Lab::new();
    lab.on(Outcome::Well);
    lab.machine.given_up(lab.now, 5 * MILLI);
    assert_eq!(lab.load(0), 5.0 * MILLI as f64);
    lab.machine.given_up(lab.now, MILLI);
    assert_eq!(lab.load(0), 5.0 * MILLI as f64);
}

#[test]
fn what_is_measured_is_of_good_calls_where_there_are_any() {
    let mut lab = Lab::new();
    lab.machine.on(lab.now, Outcome::Failed, 100 * MILLI, &terms());
    assert_eq!(lab.machine.measured(), (100.0 * MILLI as f64, 0.0, 1));
    lab.machine.on(lab.now, Outcome::Well, 20 * MILLI, &terms());
    assert_eq!(lab.machine.measured(), (20.0 * MILLI as f64, 0.5, 2));
    lab.machine.on(lab.now, Outcome::Failed, 900 * MILLI, &terms());
    assert_eq!(lab.machine.measured().0, 20.0 * MILLI as f64);
    lab.machine.on(lab.now, Outcome::Well, 28 * MILLI, &terms());
    assert_eq!(lab.machine.measured().0, 21.0 * MILLI as f64);
    assert_eq!((lab.machine.rate_of(4), lab.machine.rate_of(5)), (Some(0.5), None));
    lab.eject();
    assert_eq!(lab.machine.rate_of(0), None, "who is out is not compared");
}

proptest! {
    #[test]
    fn whatever_happens_the_numbers_stay_within_their_bounds(
        steps in proptest::collection::vec((0..200 * SECOND, 0..4_u8, 0..100 * SECOND, 0.0..1.0_f64), 1..200),
    ) {
        let mut lab = Lab::new();
        for (wait, what, took, jitter) in steps {
            lab.wait(wait);
            let terms = Terms { jitter, ..terms() };
            let effect = match what {
                0 => lab.machine.on(lab.now, Outcome::Well, took, &terms),
                1 => lab.machine.on(lab.now, Outcome::Failed, took, &terms),
                2 => lab.machine.on(lab.now, Outcome::Unreached, took, &terms),
                _ => {
                    lab.machine.given_up(lab.now, took);
                    None
                }
            };
            if let Some(Effect::Ejected { wait, .. }) = effect {
                prop_assert!((Duration::from_secs(27)..=Duration::from_secs(100)).contains(&wait), "{wait:?}");
                prop_assert_eq!(lab.machine.ejected().1, lab.now + nanos(wait));
            }
            let (mean, rate, _) = lab.machine.measured();
            prop_assert!((0.0..=1.0).contains(&rate) && (0.0..=100.0 * SECOND as f64).contains(&mean));
            prop_assert!(lab.machine.peak().0 <= 100.0 * SECOND as f64 && lab.load(1) >= FLOOR);
            prop_assert!(lab.machine.ejected().1 == 0 || lab.machine.ejected().1 > lab.now);
        }
    }
}
