use proptest::prelude::*;

use super::*;
use crate::{
    error::Verdict,
    time::{Clock, ManualClock},
    transport::Tried,
};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn entry(number: usize) -> Entry {
    Entry::new(format!("engram-{number}"), "engram", url(number))
}

fn url(number: usize) -> String {
    format!("http://{number}.engram:8005")
}

fn version(number: usize, version: &str) -> Entry {
    let mut entry = entry(number);
    entry.version = version.to_owned();
    entry
}

/// Which of the instances was picked.
fn number(picked: &Picked) -> usize {
    picked.endpoint().host().split('.').next().unwrap().parse().unwrap()
}

/// Some instances on a clock moved by hand.
struct Lab {
    clock: ManualClock,
    balancer: Balancer,
    engram: Instances,
}

impl Lab {
    fn of(instances: usize) -> Self {
        Self::with(BalanceConfig::default(), (0..instances).map(entry).collect())
    }

    fn with(config: BalanceConfig, entries: Vec<Entry>) -> Self {
        let clock = ManualClock::new();
        let balancer = Balancer::new(config, SharedClock::new(clock.clone()), Random::seeded(5));
        let engram = balancer.instances("engram", &entries).unwrap();
        Self { clock, balancer, engram }
    }

    /// Makes a call after another, each taking as long and ending as is said of its instance; counts them by instance.
    fn calls(&self, count: usize, how: impl Fn(usize) -> (Duration, Verdict)) -> Vec<usize> {
        let mut by_instance = vec![0; 1000];
        for _ in 0..count {
            let picked = self.engram.pick().unwrap();
            let (took, verdict) = how(number(&picked));
            by_instance[number(&picked)] += 1;
            self.clock.advance(took);
            picked.settle(verdict);
        }
        by_instance
    }

    /// Ends a call to this instance, whoever is picked for it.
    fn end(&self, instance: usize, verdict: Verdict) {
        // All others are as good as tried, so that it is picked however much it has to do.
        let tried = Tried::default();
        for _ in 0..1000 {
            let picked = self.engram.pick_at(self.clock.now(), None, Some(&tried)).unwrap();
            if number(&picked) == instance {
                return picked.settle(verdict);
            }
            tried.add(picked.instance_mark());
            picked.settle(Verdict::Ignored);
        }
        panic!("{instance} is not to be had");
    }

    fn state(&self, instance: usize) -> String {
        let shown = self.balancer.introspect();
        shown["endpoints"][&url(instance)]["state"].as_str().unwrap().to_owned()
    }

    fn target(&self) -> (u64, u64, bool) {
        drop(self.engram.pick());
        let shown = &self.balancer.introspect()["targets"]["engram"];
        (shown["well"].as_u64().unwrap(), shown["ejected"].as_u64().unwrap(), shown["panic"].as_bool().unwrap())
    }
}

fn well(took: Duration) -> (Duration, Verdict) {
    (took, Verdict::Success)
}

#[test]
fn instances_that_are_alike_get_alike_many_calls() {
    let lab = Lab::of(4);
    let calls = lab.calls(8_000, |_| well(MILLI));
    assert!(calls[..4].iter().all(|calls| (1_800..2_200).contains(calls)), "{:?}", &calls[..4]);
}

#[test]
fn a_slow_instance_is_called_little_and_never_left_alone_for_longer_than_a_minute() {
    let lab = Lab::of(3);
    let slow = |instance| well(if instance == 2 { SECOND } else { 5 * MILLI });
    let calls = lab.calls(60_000, slow);
    // 60,000 calls of 5 ms are five minutes.
    assert!((3..=12).contains(&calls[2]), "{:?}", &calls[..3]);

    let mut alone_for = [Duration::ZERO; 3];
    for _ in 0..60_000 {
        let picked = lab.engram.pick().unwrap();
        let took = slow(number(&picked)).0;
        lab.clock.advance(took);
        alone_for.iter_mut().for_each(|alone| *alone += took);
        alone_for[number(&picked)] = Duration::ZERO;
        picked.settle(Verdict::Success);
        assert!(alone_for.iter().all(|alone| *alone < 62 * SECOND), "{alone_for:?}");
    }
}

#[test]
fn the_one_with_fewer_calls_under_way_is_called() {
    let lab = Lab::of(2);
    lab.calls(10, |_| well(MILLI));
    let held: Vec<Picked> = (0..20).map(|_| lab.engram.pick().unwrap()).collect();
    let first = held.iter().filter(|picked| number(picked) == 0).count();
    assert_eq!(first, 10);
}

#[test]
fn an_instance_that_fails_fast_is_not_the_favourite() {
    let lab = Lab::of(2);
    // Ten seconds is what a good answer takes here, so a fixed penalty of one second would be a bait.
    let calls = lab.calls(400, |instance| if instance == 0 { (MILLI, Verdict::Failure) } else { well(10 * SECOND) });
    assert!(calls[0] < 60, "{:?}", &calls[..2]);
}

#[test]
fn calls_under_way_end_with_what_held_them() {
    let lab = Lab::of(3);
    let mut held: Vec<Picked> = (0..100).map(|_| lab.engram.pick().unwrap()).collect();
    let in_flight = || -> u64 {
        let shown = lab.balancer.introspect();
        shown["endpoints"].as_object().unwrap().values().map(|shown| shown["in_flight"].as_u64().unwrap()).sum()
    };
    assert_eq!(in_flight(), 100);
    held.drain(..40).for_each(drop);
    held.drain(..30).for_each(|picked| picked.settle(Verdict::Success));
    held.drain(..10).for_each(|picked| picked.settle(Verdict::Ignored));
    assert_eq!(in_flight(), 20);
    drop(held);
    assert_eq!(in_flight(), 0);
}

#[test]
fn an_ejected_instance_gets_no_call_until_its_time_is_over_and_then_one_at_a_time() {
    let lab = Lab::of(3);
    for _ in 0..5 {
        lab.end(1, Verdict::Failure);
    }
    assert_eq!((lab.state(1).as_str(), lab.target()), ("ejected", (2, 1, false)));
    let mut gauges = Vec::new();
    lab.balancer.gauges(&mut |gauge| gauges.push((gauge.key.to_owned(), gauge.value)));
    assert_eq!(gauges, [("engram".to_owned(), 1.0)]);
    // Jitter shortens the thirty seconds to twenty-seven at least.
    assert_eq!(lab.calls(2_600, |_| well(10 * MILLI))[1], 0);
    lab.clock.advance(4 * SECOND);
    let held: Vec<Picked> = (0..200).map(|_| lab.engram.pick().unwrap()).collect();
    assert_eq!(held.iter().filter(|picked| number(picked) == 1).count(), 1, "the probe");
    held.into_iter().for_each(|picked| picked.settle(Verdict::Success));
    assert_eq!(lab.state(1), "rising");
    let rising = lab.calls(300, |_| well(10 * MILLI))[1];
    lab.clock.advance(10 * SECOND);
    lab.calls(300, |_| well(10 * MILLI));
    let steady = lab.calls(300, |_| well(10 * MILLI))[1];
    assert!(rising < 30 && (70..130).contains(&steady), "{rising} {steady}");
}

#[test]
fn no_more_are_out_than_the_limit_allows_and_one_of_two_may_be() {
    let config = BalanceConfig::default().with_max_ejected_percent(30).with_panic_percent(10);
    let lab = Lab::with(config, (0..10).map(entry).collect());
    let failing = |instance| if instance < 5 { (MILLI, Verdict::Failure) } else { well(MILLI) };
    lab.calls(100_000, failing);
    assert_eq!(lab.target(), (5, 3, false));
    let lab = Lab::of(2);
    for _ in 0..5 {
        lab.end(0, Verdict::Failure);
    }
    assert_eq!((lab.target(), lab.calls(100, |_| well(MILLI))[0]), ((1, 1, false), 0));
    let none = Lab::with(BalanceConfig::default().with_max_ejected_percent(0), (0..3).map(entry).collect());
    for _ in 0..5 {
        none.end(0, Verdict::Failure);
    }
    assert_eq!(none.target(), (2, 0, false));
}

#[test]
fn when_all_fail_at_once_all_are_called_and_enough_come_back_by_answering() {
    for max_ejected_percent in [50, 100] {
        let config = BalanceConfig::default().with_max_ejected_percent(max_ejected_percent);
        let lab = Lab::with(config, (0..4).map(entry).collect());
        lab.calls(2_000, |_| (MILLI, Verdict::Failure));
        assert_eq!(lab.target(), (0, 0, true));
        let calls = lab.calls(400, |_| (MILLI, Verdict::Failure));
        assert!(calls[..4].iter().all(|calls| *calls > 20), "{:?}", &calls[..4]);
        lab.calls(200, |_| well(MILLI));
        let (back, out, panic) = lab.target();
        assert!(back >= 2 && back + out == 4 && !panic, "as many as are enough come back without a wait: {back}");
        lab.clock.advance(30 * SECOND);
        lab.calls(400, |_| well(MILLI));
        assert_eq!(lab.target(), (4, 0, false));
    }
}

#[test]
fn an_instance_that_is_alone_is_never_kept_out() {
    let lab = Lab::of(1);
    let calls = lab.calls(100, |_| (MILLI, Verdict::Failure));
    assert_eq!((calls[0], lab.state(0).as_str()), (100, "steady"));
}

#[test]
fn who_succeeds_far_less_often_than_the_others_is_ejected() {
    let lab = Lab::of(4);
    for round in 0..60 {
        for instance in (0..4).filter(|instance| lab.state(*instance) != "ejected") {
            let fails = round % 2 == 0 && instance == 3 || round % 10 == 0;
            lab.end(instance, if fails { Verdict::Failure } else { Verdict::Success });
        }
        lab.clock.advance(SECOND / 10);
    }
    let states: Vec<String> = (0..4).map(|instance| lab.state(instance)).collect();
    assert_eq!(states, ["steady", "steady", "steady", "ejected"], "never five failures in a row");
}

#[test]
fn what_this_side_refused_says_nothing_about_an_instance() {
    let lab = Lab::of(2);
    for _ in 0..50 {
        lab.end(0, Verdict::Ignored);
    }
    assert_eq!((lab.state(0).as_str(), lab.balancer.measured(&url(0))), ("steady", None));
}

#[test]
fn nothing_that_an_instance_says_of_itself_is_believed() {
    let mut liar = entry(0);
    (liar.metadata.avg_response_time, liar.metadata.success_rate, liar.metadata.cost) =
        (Some(0.0), Some(1.0), Some(0.0));
    let lab = Lab::with(BalanceConfig::default(), vec![liar, entry(1)]);
    let calls = lab.calls(2_000, |instance| well(if instance == 0 { SECOND } else { MILLI }));
    assert!(calls[0] < 10, "{:?}", &calls[..2]);
    let measured = lab.balancer.measured(&url(0)).unwrap();
    assert_eq!((measured.latency, measured.success_rate), (SECOND, 1.0));
}

#[test]
fn another_attempt_goes_elsewhere_as_long_as_there_is_somebody() {
    let lab = Lab::of(3);
    for key in [None, Some(StickyKey::new("a"))] {
        let tried = Tried::default();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let picked = lab.engram.pick_at(lab.clock.now(), key, Some(&tried)).unwrap();
            seen.push(number(&picked));
            tried.add(picked.instance_mark());
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
        assert!(lab.engram.pick_at(lab.clock.now(), key, Some(&tried)).is_some());
    }
}

#[test]
fn without_balancing_the_first_is_called_that_can_be_reached() {
    let lab = Lab::with(BalanceConfig::default().with_enabled(false), (0..3).map(entry).collect());
    assert_eq!(lab.calls(100, |_| (MILLI, Verdict::Failure))[0], 100);
    lab.engram.pick().unwrap().settle_at(Verdict::Failure, false, lab.clock.now());
    assert_eq!(lab.calls(100, |_| well(MILLI))[1], 100);
    lab.clock.advance(5 * SECOND);
    assert_eq!(lab.calls(100, |_| well(MILLI))[0], 100);
}

#[test]
fn who_cannot_be_reached_comes_last_and_of_such_the_one_doubted_longest() {
    let lab = Lab::of(2);
    let unreached = || {
        let picked = lab.engram.pick().unwrap();
        let instance = number(&picked);
        picked.settle_at(Verdict::Failure, false, lab.clock.now());
        lab.clock.advance(MILLI);
        instance
    };
    let first = unreached();
    let second = unreached();
    assert_ne!(first, second);
    assert_eq!([unreached(), unreached(), unreached()], [first, second, first]);
}

#[test]
fn a_later_group_is_called_when_the_first_has_nobody() {
    let lab = Lab::of(1);
    let entries = [entry(0), entry(1), entry(2)];
    let groups = [vec![&entries[0], &entries[1]], vec![&entries[2]]];
    let engram = lab.balancer.grouped("engram", &groups).unwrap();
    let pick = || engram.pick().unwrap();
    assert!((0..50).all(|_| number(&pick()) < 2));
    for _ in 0..2 {
        pick().settle_at(Verdict::Failure, false, lab.clock.now());
    }
    assert!((0..50).all(|_| number(&pick()) == 2));
    lab.clock.advance(5 * SECOND);
    assert!((0..50).all(|_| number(&pick()) < 2));
}

#[test]
fn weights_hold_within_chance() {
    let weights = Weights::of([("1.2", 70), ("1.3", 25), ("1.4", 0)]).unwrap();
    let entries: Vec<Entry> = (0..8).map(|n| version(n, ["1.2.0", "1.3.5", "1.4.0", "2.0.0"][n % 4])).collect();
    let lab = Lab::with(BalanceConfig::default(), entries.clone());
    lab.balancer.set_weights("engram", weights.clone());
    assert!(!lab.engram.is_current());
    let lab = Lab { engram: lab.balancer.instances("engram", &entries).unwrap(), ..lab };
    let calls = lab.calls(20_000, |_| well(MILLI));
    let share = |version: usize| (calls[version] + calls[version + 4]) as f64 / 20_000.0;
    // Four standard deviations of the widest are 1.3 points. The rest of 100 is for whom no key means.
    for (version, wanted) in [(0, 0.70), (1, 0.25), (2, 0.0), (3, 0.05)] {
        assert!((share(version) - wanted).abs() < 0.013, "{version}: {}", share(version));
    }
    assert_eq!(lab.balancer.weights("engram"), weights);
}

#[test]
fn the_share_of_who_is_out_goes_to_the_others_and_no_weight_is_used_last() {
    let weights = Weights::of([("1.2", 95), ("1.3", 5), ("1.4", 0)]).unwrap();
    let entries = vec![version(0, "1.2.0"), version(1, "1.3.0"), version(2, "1.4.0")];
    let lab = Lab::with(BalanceConfig::default(), entries.clone());
    lab.balancer.set_weights("engram", weights);
    let lab = Lab { engram: lab.balancer.instances("engram", &entries).unwrap(), ..lab };
    let unreached = |instance| loop {
        let picked = lab.engram.pick().unwrap();
        if number(&picked) == instance {
            return picked.settle_at(Verdict::Failure, false, lab.clock.now());
        }
    };
    unreached(0);
    assert_eq!(lab.calls(100, |_| well(MILLI))[1], 100);
    unreached(1);
    assert_eq!(lab.calls(100, |_| well(MILLI))[2], 100);
}

#[test]
fn a_sticky_key_stays_with_its_instance_goes_to_the_next_and_comes_back() {
    let lab = Lab::of(4);
    let key = StickyKey::new("session-17");
    let picked = || number(&lab.engram.pick_sticky(key).unwrap());
    let own = picked();
    assert!((0..50).all(|_| picked() == own));
    for _ in 0..5 {
        lab.end(own, Verdict::Failure);
    }
    let next = picked();
    assert!(next != own && (0..50).all(|_| picked() == next));
    lab.clock.advance(30 * SECOND);
    assert_eq!(picked(), own);
}

#[test]
fn a_sticky_key_stays_within_its_version() {
    let entries: Vec<Entry> = (0..10).map(|n| version(n, if n < 5 { "1.2.0" } else { "1.3.0" })).collect();
    let lab = Lab::with(BalanceConfig::default(), entries.clone());
    let canary = |percent: u32, entries: &[Entry]| -> Vec<usize> {
        lab.balancer.set_weights("engram", Weights::of([("1.2", 100 - percent), ("1.3", percent)]).unwrap());
        let engram = lab.balancer.instances("engram", entries).unwrap();
        (0..4_000).map(|key| number(&engram.pick_sticky(StickyKey::new(format!("key-{key}"))).unwrap())).collect()
    };
    let few = canary(10, &entries);
    let share = few.iter().filter(|instance| **instance >= 5).count();
    assert!((330..470).contains(&share), "{share}");
    let more = canary(20, &entries);
    let back = few.iter().zip(&more).filter(|(few, more)| **few >= 5 && *few != *more).count();
    assert_eq!(back, 0, "who has the new version keeps it when its share grows");
    let without = canary(20, &entries[..9]);
    let moved: Vec<_> = more.iter().zip(&without).filter(|(more, without)| more != without).collect();
    assert!(moved.iter().all(|(more, without)| **more == 9 && **without >= 5), "only the keys of who has gone move");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn one_more_of_n_instances_takes_about_the_nth_part_of_the_keys_and_moves_no_other(
        count in 1..40_usize,
        salt in any::<u64>(),
    ) {
        let lab = Lab::of(1);
        let before = lab.balancer.instances("engram", &(0..count).map(entry).collect::<Vec<_>>()).unwrap();
        let after = lab.balancer.instances("engram", &(0..=count).map(entry).collect::<Vec<_>>()).unwrap();
        let keys = 4_000;
        let mut moved = 0;
        for key in 0..keys {
            let key = StickyKey::new(format!("{salt}-{key}"));
            let (old, new) = (before.pick_sticky(key).unwrap(), after.pick_sticky(key).unwrap());
            if number(&old) != number(&new) {
                prop_assert_eq!(number(&new), count);
                moved += 1;
            }
        }
        let share = 1.0 / (count + 1) as f64;
        let deviation = (share * (1.0 - share) / f64::from(keys)).sqrt();
        let is = f64::from(moved) / f64::from(keys);
        prop_assert!((is - share).abs() < 5.0 * deviation, "{} of {}", is, share);
    }
}

#[test]
fn a_thousand_instances_are_all_called() {
    let lab = Lab::of(1_000);
    let calls = lab.calls(50_000, |_| well(MILLI));
    let (least, most) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
    assert!(*least > 10 && *most < 150, "{least} to {most}");
}

#[test]
fn ten_thousand_endpoints_take_no_more_room_than_there_is() {
    let lab = Lab::of(2);
    for first in (0..10_000).step_by(500) {
        let entries: Vec<Entry> = (first..first + 500).map(entry).collect();
        let engram = lab.balancer.instances("engram", &entries).unwrap();
        engram.pick().unwrap().settle(Verdict::Success);
        lab.clock.advance(SECOND);
    }
    assert!(lab.balancer.known().by_endpoint.len() <= MAX_INSTANCES);
    assert!(lab.balancer.known().by_endpoint.contains_key(&*url(0)), "who is held stays");
    let held: Vec<Instances> = (0..20)
        .map(|part| {
            lab.balancer.instances("engram", &(0..500).map(|n| entry(part * 500 + n)).collect::<Vec<_>>()).unwrap()
        })
        .collect();
    assert_eq!(lab.balancer.known().by_endpoint.len(), MAX_INSTANCES);
    assert!(held[19].pick().is_some(), "who finds no room is called all the same");
    for target in 0..2_000 {
        drop(lab.balancer.instances(&format!("target-{target}"), &[entry(0)]).unwrap());
    }
    assert!(lab.balancer.targets().len() <= MAX_TARGETS);
}

#[test]
fn what_cannot_be_read_is_left_out_and_told_when_nothing_else_is_there() {
    let lab = Lab::of(1);
    let wrong = Entry::new("engram-x", "engram", "engram:8005");
    let engram = lab.balancer.instances("engram", &[wrong.clone(), entry(0)]).unwrap();
    assert!((0..50).all(|_| number(&engram.pick().unwrap()) == 0));
    let kind = |entries: &[Entry]| lab.balancer.instances("engram", entries).unwrap_err().kind();
    assert_eq!(kind(&[wrong]), crate::ErrorKind::Invalid);
    assert_eq!(kind(&[]), crate::ErrorKind::NotFound);
    let twice = lab.balancer.instances("engram", &[entry(0), entry(0)]).unwrap();
    assert!(!twice.several(), "two entries of one endpoint are one instance");
}

#[test]
fn weights_mean_whom_they_name_the_most_exact_first() {
    let mut named = version(7, "1.3.1");
    named.metadata.instance = Some("blue".to_owned());
    let place = |keys: &[(&str, u32)], entry: &Entry| {
        let weights = Weights::of(keys.iter().copied()).unwrap();
        let place = weights.place(entry);
        weights.shares().nth(place).unwrap().0.to_owned()
    };
    let keys = [("*", 1), (">=1.3", 1), ("1", 1), ("1.3", 1), ("1.3.1", 1), ("blue", 1)];
    for (known, wanted) in [(6, "blue"), (5, "1.3.1"), (4, "1.3"), (3, "1"), (2, ">=1.3"), (1, "*"), (0, "")] {
        assert_eq!(place(&keys[..known], &named), wanted);
    }
    assert_eq!(place(&[("engram-7", 1), ("1.3", 1)], &named), "engram-7");
    assert_eq!(place(&[("1.3", 1)], &version(0, "1.3.0-rc.1")), "1.3", "a prerelease is of its numbers");
    assert_eq!(place(&[("1.3", 1), ("^1", 1)], &version(0, "1.30.0")), "^1", "numbers, not letters");
    assert_eq!(place(&[("2024-05", 1)], &version(0, "2024-05")), "", "that is the name of an instance");
    assert_eq!(place(&[("0.1", 1)], &version(0, "0.1")), "0.1", "other languages write it so");
    assert_eq!(place(&[("0.1", 1), ("*", 1)], &version(0, "")), "*");
}

#[test]
fn weights_that_are_wrong_are_named_all_at_once() {
    let wrong = Weights::of([("1.2", 101), ("", 1), ("a b", 1), ("1.3", 1), ("1.3", 2), (">=x", 1)]).unwrap_err();
    let fields: Vec<_> = wrong.fields().iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["1.2", "", "a b", "1.3", ">=x"]);
    let read = |json: &str| serde_json::from_str::<Weights>(json);
    let weights = read(r#"{"1.2": 95, "1.3": 5}"#).unwrap();
    assert_eq!(weights, Weights::of([("1.3", 5), ("1.2", 95)]).unwrap());
    assert_eq!(serde_json::to_string(&weights).unwrap(), r#"{"1.2":95,"1.3":5}"#);
    let told = read(r#"{"1.2": 95, "1.3": 6}"#).unwrap_err().to_string();
    assert!(told.contains("weights: must sum to at most 100, sum to 101"), "{told}");
}
