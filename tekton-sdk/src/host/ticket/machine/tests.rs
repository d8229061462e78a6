use proptest::prelude::*;

use super::*;
use crate::time::{Clock, ManualClock};

const SECOND: Duration = Duration::from_secs(1);
const HERE: Shown<'static> = Shown { origin: None, host: Some("h:1") };

fn mark(n: u8) -> Mark {
    [n; 32]
}

fn who(name: &str) -> Identity {
    Identity::new(name)
}

#[test]
fn a_ticket_is_good_once_and_for_its_life() {
    let (clock, mut machine) = (ManualClock::new(), Machine::new(30 * SECOND, 10));
    machine.give(clock.now(), mark(1), who("ann"), None);
    machine.give(clock.now(), mark(2), who("bob"), None);
    assert_eq!(machine.take(clock.now(), &mark(1), HERE), Ok(who("ann")));
    assert_eq!(machine.take(clock.now(), &mark(1), HERE), Err(Refused::Unknown));
    assert_eq!(machine.take(clock.now(), &mark(3), HERE), Err(Refused::Unknown));
    clock.advance(30 * SECOND);
    assert_eq!(machine.take(clock.now(), &mark(2), HERE), Err(Refused::Unknown));
    assert_eq!((machine.len(), machine.by_age.len(), machine.of.len()), (0, 0, 0), "nothing is left of any");
}

#[test]
fn a_ticket_that_a_page_asked_for_is_of_that_page_s_origin() {
    let clock = ManualClock::new();
    let mut machine = Machine::new(30 * SECOND, 10);
    for (bound, origin, host, wanted) in [
        (None, None, None, true),
        (None, Some("http://app.example"), None, true),
        (Some("http://app.example"), Some("http://app.example"), Some("h:1"), true),
        (Some("http://App.example"), Some("http://app.EXAMPLE"), Some("h:1"), true),
        (Some("http://app.example"), Some("http://other.example"), Some("h:1"), false),
        (Some("http://app.example"), Some("https://app.example"), Some("h:1"), false),
        (Some("http://app.example"), None, Some("h:1"), false),
        (Some("http://app.example"), None, None, false),
        // An `EventSource` of a page of the host itself says no origin.
        (Some("http://h:1"), None, Some("h:1"), true),
        (Some("http://h:1"), None, Some("h:2"), false),
    ] {
        machine.give(clock.now(), mark(1), who("ann"), bound);
        let taken = machine.take(clock.now(), &mark(1), Shown { origin, host });
        let wanted = if wanted { Ok(who("ann")) } else { Err(Refused::OtherOrigin) };
        assert_eq!(taken, wanted, "{bound:?} {origin:?} {host:?}");
        assert_eq!(machine.take(clock.now(), &mark(1), HERE), Err(Refused::Unknown), "whoever showed it, it is used");
    }
}

#[test]
fn who_asks_for_many_loses_its_own_first() {
    let (clock, mut machine) = (ManualClock::new(), Machine::new(30 * SECOND, 100));
    machine.give(clock.now(), mark(255), who("bob"), None);
    for n in 0..40 {
        machine.give(clock.now(), mark(n), who("ann"), None);
    }
    assert_eq!(machine.len(), MAX_OF_ONE + 1);
    assert_eq!(machine.take(clock.now(), &mark(255), HERE), Ok(who("bob")));
    assert_eq!(machine.take(clock.now(), &mark(7), HERE), Err(Refused::Unknown));
    assert_eq!(machine.take(clock.now(), &mark(8), HERE), Ok(who("ann")));
}

/// What happens to a store.
#[derive(Clone, Debug)]
enum Step {
    Give { by: u8, origin: Option<u8> },
    Take { ticket: usize, origin: Option<u8> },
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let origin = || proptest::option::of(0..2_u8);
    let step = prop_oneof![
        4 => (0..6_u8, origin()).prop_map(|(by, origin)| Step::Give { by, origin }),
        3 => (0..80_usize, origin()).prop_map(|(ticket, origin)| Step::Take { ticket, origin }),
        1 => (0..12_u32).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

/// A ticket as the model knows it.
struct Known {
    mark: Mark,
    by: u8,
    origin: Option<u8>,
    until: Instant,
}

proptest! {
    /// Against a list that is searched from end to end.
    #[test]
    fn it_does_what_a_list_would_do(steps in steps(), most in 1..50_usize) {
        let clock = ManualClock::new();
        let mut machine = Machine::new(10 * SECOND, most);
        let (mut model, mut given): (Vec<Known>, Vec<Mark>) = (Vec::new(), Vec::new());
        let name = |n: u8| format!("http://origin-{n}");
        for step in steps {
            let now = clock.now();
            model.retain(|known| known.until > now);
            match step {
                Step::Wait(seconds) => clock.advance(seconds * SECOND),
                Step::Give { by, origin } => {
                    let mark = [(given.len() % 256) as u8, (given.len() / 256) as u8].repeat(16).try_into().unwrap();
                    given.push(mark);
                    machine.give(now, mark, who(&by.to_string()), origin.map(name).as_deref());
                    if model.iter().filter(|known| known.by == by).count() >= MAX_OF_ONE {
                        let own = model.iter().position(|known| known.by == by).unwrap();
                        model.remove(own);
                    } else if model.len() >= most {
                        model.remove(0);
                    }
                    model.push(Known { mark, by, origin, until: now + 10 * SECOND });
                    prop_assert_eq!(machine.len(), model.len());
                    prop_assert!(machine.len() <= most);
                }
                Step::Take { ticket, origin } => {
                    let Some(mark) = given.get(ticket) else { continue };
                    let place = model.iter().position(|known| known.mark == *mark);
                    let wanted = match place.map(|place| model.remove(place)) {
                        None => Err(Refused::Unknown),
                        Some(known) if known.origin.is_none_or(|bound| origin == Some(bound)) => {
                            Ok(who(&known.by.to_string()))
                        }
                        Some(_) => Err(Refused::OtherOrigin),
                    };
                    let origin = origin.map(name);
                    let shown = Shown { origin: origin.as_deref(), host: Some("h:1") };
                    prop_assert_eq!(machine.take(now, mark, shown), wanted);
                }
            }
            prop_assert_eq!(machine.held.len(), machine.by_age.len());
            prop_assert_eq!(machine.held.len(), machine.of.values().map(VecDeque::len).sum::<usize>());
        }
    }
}
