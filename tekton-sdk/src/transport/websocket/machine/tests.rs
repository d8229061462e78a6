use proptest::prelude::*;

use super::*;
use crate::{
    random::Random,
    time::{Clock, ManualClock},
};

const SECOND: Duration = Duration::from_secs(1);

fn pauses() -> Pauses {
    Pauses { spread: SECOND * 5, base: SECOND, again: SECOND, max: SECOND * 30, stable_after: SECOND * 5 }
}

fn epoch() -> Instant {
    ManualClock::new().now()
}

#[test]
fn a_connection_that_served_is_waited_for_and_one_that_fails_is_refused_for_ever_longer() {
    let (mut life, now) = (Life::new(pauses()), epoch());
    assert_eq!(life.wanted(now), Wanted::Dial);
    life.opened(now);
    let lost = now + SECOND * 5;
    life.lost(lost, false, |most| most);
    assert_eq!(life.wanted(lost), Wanted::Wait(SECOND * 5));
    assert_eq!(life.wanted(lost + SECOND * 5), Wanted::Dial);
    let mut now = lost + SECOND * 5;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        life.failed(now, |most| most);
        assert_eq!(life.wanted(now), Wanted::Refuse(SECOND * pause));
        now += SECOND * pause;
        assert_eq!(life.wanted(now), Wanted::Dial);
    }
}

#[test]
fn a_connection_that_never_lasts_is_no_better_than_none() {
    let (mut life, mut now) = (Life::new(pauses()), epoch());
    for pause in [1, 2, 4] {
        life.opened(now);
        now += SECOND * 4;
        life.lost(now, false, |most| most);
        assert_eq!(life.wanted(now), Wanted::Refuse(SECOND * pause));
        now += SECOND * pause;
    }
    life.opened(now);
    now += SECOND * 5;
    life.lost(now, false, |most| most);
    assert_eq!(life.wanted(now), Wanted::Wait(SECOND * 5), "it has lasted");
    life.opened(now);
    life.lost(now, true, |most| most);
    assert_eq!(life.wanted(now), Wanted::Dial, "what this side closed was not lost");
}

#[test]
fn after_a_loss_the_pauses_begin_where_they_are_told_to() {
    let again = Pauses { again: SECOND * 10, ..pauses() };
    let (mut life, now) = (Life::new(again), epoch());
    life.failed(now, |most| most);
    assert_eq!(life.wanted(now), Wanted::Refuse(SECOND), "nothing was lost yet");
    life.opened(now + SECOND);
    let mut now = now + SECOND * 60;
    life.lost(now, false, |most| most);
    for pause in [10, 20, 30] {
        life.failed(now, |most| most);
        assert_eq!(life.wanted(now), Wanted::Refuse(SECOND * pause));
        now += SECOND * pause;
    }
    life.opened(now);
    life.lost(now + SECOND, false, |most| most);
    assert_eq!(life.wanted(now + SECOND), Wanted::Refuse(SECOND * 30), "it has not served since");
}

#[test]
fn the_first_reconnections_of_many_are_spread_evenly() {
    let (random, now) = (Random::seeded(3), epoch());
    let mut at = [0; 10];
    for _ in 0..2000 {
        let mut life = Life::new(pauses());
        life.opened(now);
        life.lost(now + SECOND * 60, false, |most| random.up_to(most));
        match life.wanted(now + SECOND * 60) {
            Wanted::Wait(wait) => at[(wait.as_millis() / 501) as usize] += 1,
            Wanted::Dial => at[0] += 1,
            Wanted::Refuse(_) => panic!("it served"),
        }
    }
    assert!(at.iter().all(|count| (140..260).contains(count)), "{at:?}");
}

#[test]
fn a_dead_side_is_seen_at_the_second_interval_and_any_word_is_life() {
    let (mut pulse, now) = (Pulse::new(SECOND * 100), epoch());
    assert_eq!(pulse.due(now, true), Beat::Ping);
    pulse.heard();
    assert_eq!(pulse.due(now, true), Beat::Ping);
    assert_eq!(pulse.due(now, true), Beat::Dead);
}

#[test]
fn a_connection_that_nobody_uses_is_given_up_in_time() {
    let (mut pulse, now) = (Pulse::new(SECOND * 30), epoch());
    let mut due = |at: u32, used| {
        pulse.heard();
        pulse.due(now + SECOND * at, used)
    };
    assert_eq!(due(15, false), Beat::Ping);
    assert_eq!(due(30, true), Beat::Ping);
    assert_eq!(due(45, false), Beat::Ping);
    assert_eq!(due(74, false), Beat::Ping);
    assert_eq!(due(75, false), Beat::Idle);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Opened,
    Failed,
    Lost(bool),
}

proptest! {
    #[test]
    fn whatever_happens_no_pause_is_longer_than_its_bound_and_each_one_ends(
        steps in prop::collection::vec(prop_oneof![
            (0_u64..40_000).prop_map(Step::Pass),
            Just(Step::Opened),
            Just(Step::Failed),
            any::<bool>().prop_map(Step::Lost),
        ], 0..60),
        seed: u64,
    ) {
        let (mut life, mut now, random) = (Life::new(pauses()), epoch(), Random::seeded(seed));
        // More than is asked for must not be waited either.
        let jitter = |most: Duration| random.up_to(most * 2);
        for step in steps {
            match step {
                Step::Pass(millis) => now += Duration::from_millis(millis),
                Step::Opened => life.opened(now),
                Step::Failed => life.failed(now, jitter),
                Step::Lost(by_us) => life.lost(now, by_us, jitter),
            }
            match life.wanted(now) {
                Wanted::Dial => {}
                Wanted::Wait(wait) => {
                    prop_assert!(wait <= pauses().spread);
                    prop_assert_eq!(life.wanted(now + wait), Wanted::Dial);
                }
                Wanted::Refuse(wait) => {
                    prop_assert!(wait <= pauses().max);
                    prop_assert_eq!(life.wanted(now + wait), Wanted::Dial);
                }
            }
        }
    }

    #[test]
    fn who_answers_each_ping_lives_and_who_falls_silent_dies_within_two_intervals(
        answered in 0_u32..50, used: bool,
    ) {
        let (mut pulse, now) = (Pulse::new(SECOND * 1_000_000), epoch());
        for n in 0..answered {
            prop_assert_eq!(pulse.due(now + SECOND * n, used), Beat::Ping);
            pulse.heard();
        }
        let left: Vec<_> = (0..2).map(|n| pulse.due(now + SECOND * (answered + n), used)).collect();
        prop_assert_eq!(left, [Beat::Ping, Beat::Dead]);
    }
}
