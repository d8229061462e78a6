//! A breaker for each key: bounded however many keys come, and however many of them fail.

use std::collections::HashSet;

use tekton_sdk::{
    patterns::breaker::{BreakerState, Breakers, CircuitBreaker},
    time::{ManualClock, SharedClock},
};

use super::{SECOND, counted, fail, in_a_row};

const MILLION: u32 = 1_000_000;
/// How many breakers those share who come when every place is taken.
const SHARED: usize = 16;

fn breakers(max_keys: usize) -> (Breakers, ManualClock) {
    let clock = ManualClock::new();
    (Breakers::new(in_a_row(1).with_window_calls(1), max_keys, SharedClock::new(clock.clone())).unwrap(), clock)
}

/// Whether two handles are of one breaker. Leaves it closed.
fn same(one: &CircuitBreaker, other: &CircuitBreaker) -> bool {
    one.force_open();
    let is = other.state() == BreakerState::ForcedOpen;
    one.close();
    is
}

#[test]
fn each_target_and_each_part_has_its_own() {
    let (breakers, _clock) = breakers(8);
    assert!(breakers.is_empty());
    let (whole, part) = (breakers.of("notes"), breakers.of_part("notes", "add"));
    assert_eq!((whole.name(), part.name(), breakers.len()), ("notes", "notes/add", 2));
    assert!(same(&whole, &breakers.of("notes")) && same(&part, &breakers.of_part("notes", "add")));
    for other in [&part, &breakers.of("engram"), &breakers.of_part("engram", "add"), &breakers.of_part("notes", "list")]
    {
        assert!(!same(&whole, other), "{other:?}");
    }
    fail(&whole, 1);
    let open: Vec<_> = breakers.all().into_iter().filter(|breaker| breaker.state() == BreakerState::Open).collect();
    assert_eq!((open.len(), open[0].name(), breakers.len()), (1, "notes", 5));
}

#[test]
fn a_million_keys_take_no_more_room_than_a_thousand() {
    let (breakers, _clock) = breakers(1024);
    for number in 0..MILLION {
        breakers.of(&format!("target-{number}")).acquire().unwrap().success();
        assert!(breakers.len() <= 1024);
    }
    for number in 0..MILLION / 4 {
        breakers.of_part("notes", &format!("part-{number}")).acquire().unwrap().success();
    }
    assert!((1..=2048).contains(&breakers.len()), "{}", breakers.len());
}

#[test]
fn a_million_failing_keys_take_no_more_room_and_the_first_are_not_forgotten() {
    let (breakers, _clock) = breakers(1024);
    let mut refused = 0_u32;
    for number in 0..MILLION {
        match breakers.of(&format!("target-{number}")).acquire() {
            Ok(permit) => permit.failure(),
            Err(_) => refused += 1,
        }
    }
    assert_eq!(breakers.len(), 1024 + SHARED);
    assert_eq!(refused, MILLION - 1024 - SHARED as u32, "who comes too late shares one of {SHARED}");
    for number in 0..1024 {
        let breaker = breakers.of(&format!("target-{number}"));
        assert_eq!((breaker.name(), breaker.state()), (&*format!("target-{number}"), BreakerState::Open));
    }
}

#[test]
fn a_part_without_a_place_shares_its_targets_breaker() {
    let (breakers, _clock) = breakers(4);
    for part in 0..4 {
        fail(&breakers.of_part("notes", &part.to_string()), 1);
    }
    let late = breakers.of_part("notes", "late");
    assert!(same(&late, &breakers.of("notes")) && same(&late, &breakers.of_part("notes", "later")));
    assert!(!same(&late, &breakers.of_part("engram", "late")), "another target's parts share another");
    assert_eq!((late.name(), breakers.len()), ("notes", 6));
    for part in 0..4 {
        let known = breakers.of_part("notes", &part.to_string());
        assert_eq!((known.name(), known.state()), (&*format!("notes/{part}"), BreakerState::Open));
    }
}

#[test]
fn a_target_without_a_place_shares_one_with_few_others_and_gets_its_own_when_there_is_one() {
    let (breakers, clock) = breakers(4);
    for target in 0..4 {
        fail(&breakers.of(&target.to_string()), 1);
    }
    let late = breakers.of("late");
    assert!(late.name() == "other" && same(&late, &breakers.of("late")));
    breakers.of("0").close();
    assert_eq!(breakers.of("late").name(), "other", "it does not look at all of them for each that comes");
    clock.advance(SECOND);
    assert_eq!(breakers.of("late").name(), "late", "the one that closed has made room");
    assert_eq!(breakers.of("1").state(), BreakerState::Open);
}

#[test]
fn only_what_is_closed_and_held_by_nobody_and_not_asked_for_lately_is_forgotten() {
    let (breakers, clock) = breakers(4);
    let held = breakers.of("held");
    held.acquire().unwrap().success();
    fail(&breakers.of("open"), 1);
    fail(&breakers.of("half-open"), 1);
    clock.advance(2 * SECOND);
    let probe = breakers.of("half-open").acquire_owned().unwrap();
    for number in 0..100 {
        let _ = breakers.of(&number.to_string());
    }
    assert_eq!(breakers.len(), 4);
    assert!(same(&held, &breakers.of("held")));
    assert_eq!(breakers.of("open").state(), BreakerState::Open);
    assert_eq!(breakers.of("half-open").state(), BreakerState::HalfOpen);
    drop(probe);

    // A permit on its way holds its breaker.
    let (breakers, _clock) = super::keyed::breakers(1);
    let way = breakers.of("way").acquire_owned().unwrap();
    let _ = breakers.of("next");
    way.failure();
    assert_eq!((breakers.of("way").state(), breakers.of("next").name()), (BreakerState::Open, "other"));
}

#[test]
fn a_forgotten_key_begins_anew() {
    let clock = ManualClock::new();
    let breakers = Breakers::new(in_a_row(3), 2, SharedClock::new(clock)).unwrap();
    fail(&breakers.of("0"), 2);
    for number in 1..10 {
        let _ = breakers.of(&number.to_string());
    }
    let anew = breakers.of("0");
    assert_eq!(counted(&anew), (0, 0, 0));
}

#[test]
fn who_shares_is_not_told_by_a_name_alone() {
    let (breakers, _clock) = breakers(1);
    fail(&breakers.of("first"), 1);
    let mut shared: Vec<CircuitBreaker> = Vec::new();
    for number in 0..1_000 {
        let breaker = breakers.of(&format!("target-{number}"));
        if !shared.iter().any(|other| same(other, &breaker)) {
            shared.push(breaker);
        }
    }
    assert_eq!(shared.len(), SHARED);
    let names: HashSet<_> = shared.iter().map(|breaker| breaker.name().to_owned()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn a_registry_of_no_keys_keeps_one() {
    let (breakers, _clock) = breakers(0);
    fail(&breakers.of("a"), 1);
    assert_eq!((breakers.of("a").name(), breakers.of("a").state()), ("a", BreakerState::Open));
    assert_eq!(breakers.of("b").name(), "other");
}
