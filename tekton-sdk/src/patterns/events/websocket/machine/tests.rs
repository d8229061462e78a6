//! The machine against a host that is modelled: whatever breaks in between, nothing is lost in silence, and nothing comes twice.

mod host;
mod world;

use proptest::prelude::*;

use self::world::{Step, World, step};
use super::*;
use crate::{
    error::Result,
    patterns::events::{AckConfig, Gap, GapReason, Interest, Outcome, Start, TopicFilter},
    time::{Clock, ManualClock},
};

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules {
        pauses: Pauses { spread: 5 * SECOND, base: SECOND, again: 10 * SECOND, max: 30 * SECOND, stable_after: SECOND },
        urls: 1,
        has_tokens: true,
        patient: true,
        max_in_flight: 3,
        max_waiting: 1000,
        max_waiting_bytes: 1 << 20,
    }
}

fn epoch() -> Instant {
    ManualClock::new().now()
}

fn interest(is_acked: bool) -> Interest {
    let mut interest = Interest::new(vec![TopicFilter::parse("a").unwrap()]);
    interest.acks = is_acked.then(AckConfig::default);
    interest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_breaks_nothing_is_lost_in_silence_and_nothing_comes_twice(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        world.step(Step::Subscribe(false))?;
        world.step(Step::Subscribe(true))?;
        world.open()?;
        for step in steps {
            world.step(step)?;
        }
        world.heal()?;
        world.check()?;
    }
}

fn opened() -> (Machine<u8, u8>, Instant) {
    let (mut machine, now) = (Machine::new(rules()), epoch());
    machine.opened(now);
    (machine, now)
}

fn said<T, Q: Clone>(machine: &mut Machine<T, Q>) -> Vec<String> {
    let said = machine.effects().into_iter().filter_map(|effect| match effect {
        Effect::Say { text, .. } => Some(text),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_subscription_whose_place_nobody_knows_is_told_that_something_may_be_missing() {
    let (mut machine, now) = opened();
    let (_, id) = machine.subscribe(interest(false), 7, 1).unwrap();
    machine.answered(id, r#"{"subscription":1}"#);
    machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
    machine.opened(now);
    machine.effects();
    machine.answered(id + 1, r#"{"subscription":1,"after":"0000000000000001-5"}"#);
    let gap = machine.effects().into_iter().find_map(|effect| match effect {
        Effect::Gap { queue: 7, gap } => Some(gap),
        _ => None,
    });
    assert_eq!(gap.map(|gap| (gap.to, gap.reason)), Some((Cursor::new(1, 5), GapReason::Skipped)));
}

#[test]
fn a_member_of_a_group_is_told_that_its_events_went_to_others() {
    let (mut machine, now) = opened();
    let group = Interest { group: Some("g".to_owned()), ..interest(true) };
    let (sub, id) = machine.subscribe(group, 0, 1).unwrap();
    machine.answered(id, r#"{"subscription":1}"#);
    let cursor = Cursor::new(1, 5);
    assert_eq!(machine.event(1, cursor, 2), Some((&0, Some(2))), "it is counted for the group");
    machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
    machine.effects();
    machine.settle(sub, cursor, 2, Outcome::Ack, 9);
    let told = machine.effects().into_iter().find_map(|effect| match effect {
        Effect::Tell { token: 9, result } => Some(result),
        _ => None,
    });
    assert_eq!(told.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn each_cap_of_what_waits_is_named() {
    let small = Rules { max_waiting: 2, max_waiting_bytes: 10, ..rules() };
    let mut machine = Machine::<u8, u8>::new(small);
    machine.publish("x".repeat(11), true, 0).unwrap();
    let error = machine.publish("x".to_owned(), true, 0).unwrap_err();
    assert!(error.to_string().contains("no more than 10"), "{error}");
    machine.give_up(1);
    machine.publish("x".to_owned(), true, 0).unwrap();
    machine.publish("x".to_owned(), true, 0).unwrap();
    let error = machine.publish("x".to_owned(), true, 0).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("no more than 2")), (ErrorKind::Rejected, true), "{error}");
    assert!(machine.effects().is_empty(), "there is no connection");
}

#[test]
fn a_token_is_fetched_again_once_and_then_its_refusal_is_told() {
    let (mut machine, now) = opened();
    let refused = || Refused { status: 401, error: Error::new(ErrorKind::Unauthorized, "no") };
    let id = machine.publish("{}".to_owned(), false, 1).unwrap();
    machine.refused(now, id, refused(), |most| most);
    assert!(machine.effects().iter().any(|effect| matches!(effect, Effect::Renew)));
    machine.lost(now, Closed::Normal, &HashSet::new(), |most| most);
    assert_eq!(machine.next(now), Next::Dial { url: 0, refused: true }, "at once");
    machine.opened(now);
    assert_eq!(said(&mut machine).len(), 1, "it was not carried out, and is said again");
    machine.refused(now, id, refused(), |most| most);
    let told = machine.effects();
    assert!(
        matches!(&told[..], [Effect::Tell { token: 1, result: Err(error) }] if error.kind() == ErrorKind::Unauthorized)
    );
    // Once a call is accepted, the token has proven good, and may go bad again.
    let id = machine.publish("{}".to_owned(), false, 2).unwrap();
    machine.answered(id, "{}");
    let id = machine.publish("{}".to_owned(), false, 3).unwrap();
    machine.effects();
    machine.refused(now, id, refused(), |most| most);
    assert!(machine.effects().iter().any(|effect| matches!(effect, Effect::Renew)));
}

#[test]
fn the_urls_are_tried_in_turn_and_pauses_come_after_all_of_them() {
    let mut machine = Machine::<u8, u8>::new(Rules { urls: 3, ..rules() });
    let now = epoch();
    for round in 0..2 {
        let now = now + round * SECOND;
        for url in 0..3 {
            assert_eq!(machine.next(now), Next::Dial { url, refused: false });
            assert_eq!(machine.seen(now), ConnectionState::connecting(round * 3 + url as u32 + 1));
            machine.failed(now, false, |most| most);
        }
        assert_eq!(machine.next(now), Next::Wait(SECOND * (1 << round)));
    }
    let now = now + 10 * SECOND;
    machine.failed(now, false, |most| most);
    machine.opened(now);
    assert_eq!((machine.next(now), machine.seen(now)), (Next::Stay, ConnectionState::Up));
    machine.lost(now + 10 * SECOND, Closed::Broken, &HashSet::new(), |most| most);
    let now = now + 10 * SECOND;
    assert_eq!(machine.seen(now), ConnectionState::down(1, Some(5 * SECOND)));
    assert_eq!(machine.next(now + 5 * SECOND), Next::Dial { url: 1, refused: false }, "where it was, first");
}

#[test]
fn without_patience_the_first_connection_is_tried_once_at_each_url() {
    let mut machine = Machine::<u8, u8>::new(Rules { urls: 2, patient: false, ..rules() });
    let now = epoch();
    machine.publish("{}".to_owned(), true, 1).unwrap();
    assert!(!machine.failed(now, false, |most| most));
    // With another token once more.
    assert!(!machine.failed(now, true, |most| most));
    assert_eq!(machine.next(now), Next::Dial { url: 1, refused: true });
    assert!(machine.failed(now, true, |most| most));
    assert_eq!((machine.next(now), machine.seen(now)), (Next::Stop, ConnectionState::Closed));
    assert!(
        matches!(&machine.effects()[..], [Effect::Tell { token: 1, result: Err(error) }] if error.sent() == Sent::No)
    );
}

#[test]
fn a_thousand_that_lose_their_connection_at_once_do_not_come_back_at_once() {
    let random = crate::random::Random::seeded(11);
    let rules = crate::patterns::events::WebSocketBrokerConfig::default().rules(1, false);
    for down in [0, 1, 3, 7, 20] {
        let start = epoch();
        let mut all: Vec<_> = (0..1000)
            .map(|_| {
                let mut machine = Machine::<u8, u8>::new(rules);
                machine.opened(start);
                machine.lost(start + 60 * SECOND, Closed::Broken, &HashSet::new(), |most| random.up_to(most));
                machine
            })
            .collect();
        let lost = start + 60 * SECOND;
        // How many attempts are made in each tenth of a second, until everybody is back.
        let mut attempts = Vec::new();
        while all.iter().any(|machine| machine.next(lost) != Next::Stay) {
            let now = lost + Duration::from_millis(100) * attempts.len() as u32;
            let mut made = 0;
            for machine in &mut all {
                while let Next::Dial { .. } = machine.next(now) {
                    made += 1;
                    match now < lost + down * SECOND {
                        true => drop(machine.failed(now, false, |most| random.up_to(most))),
                        false => machine.opened(now),
                    }
                }
            }
            attempts.push(made);
            assert!(attempts.len() < 1000, "they come back in time");
        }
        assert!(attempts.iter().all(|made| *made <= 50), "down for {down} s: {attempts:?}");
    }
}

proptest! {
    #[test]
    fn a_state_of_the_road_is_always_left(steps in prop::collection::vec((0_u8..4, 0_u32..40), 0..80), seed: u64) {
        let (mut machine, mut now) = (Machine::<u8, u8>::new(Rules { urls: 2, ..rules() }), epoch());
        let random = crate::random::Random::seeded(seed);
        for (act, seconds) in steps {
            now += seconds * SECOND;
            match act {
                0 => drop(machine.failed(now, seconds % 2 == 0, |most| random.up_to(most))),
                1 => machine.opened(now),
                2 => machine.lost(now, Closed::Broken, &HashSet::new(), |most| random.up_to(most)),
                _ => {}
            }
            match machine.next(now) {
                Next::Wait(time) => {
                    prop_assert!(time <= rules().pauses.max);
                    let dials = matches!(machine.next(now + time), Next::Dial { .. });
                    prop_assert!(dials);
                }
                Next::Dial { url, .. } => prop_assert!(url < 2),
                Next::Stay => prop_assert_eq!(machine.seen(now), ConnectionState::Up),
                Next::Stop => prop_assert!(false, "it has patience"),
            }
        }
    }
}

#[test]
fn what_begins_at_a_time_or_with_the_oldest_is_asked_for_again_like_that() {
    for start in [Start::Oldest, Start::At(std::time::SystemTime::UNIX_EPOCH)] {
        let (mut machine, now) = opened();
        let (_, id) = machine.subscribe(Interest { start, ..interest(false) }, 0, 1).unwrap();
        let first = said(&mut machine);
        machine.answered(id, r#"{"subscription":1}"#);
        machine.lost(now, Closed::Broken, &HashSet::new(), |most| most);
        machine.effects();
        machine.opened(now);
        let again = said(&mut machine);
        let params = |text: &str| text.split_once("params").unwrap().1.to_owned();
        assert_eq!(params(&again[0]), params(&first[0]));
    }
}
