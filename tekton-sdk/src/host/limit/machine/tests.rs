use proptest::prelude::*;

use super::*;

const MILLI: Duration = Duration::from_millis(1);
const BOUNDS: Bounds = Bounds { most: 1, max_waiting: 100, interval: Duration::from_millis(100), target: None };

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

/// A machine whose places are all taken.
fn full(bounds: Bounds) -> Machine<u64> {
    let mut machine = Machine::new(bounds);
    while machine.runs() {}
    assert_eq!(machine.running(), bounds.most);
    machine
}

fn wait(machine: &mut Machine<u64>, now: Instant, priority: Priority, ticket: u64) {
    assert_eq!(machine.waits(now, priority, None, ticket).map(|(_, displaced)| displaced), Ok(None));
}

/// Ends one after the other, and tells who ran.
fn turns(machine: &mut Machine<u64>, now: Instant, count: usize) -> Vec<u64> {
    (0..count).filter_map(|_| machine.ends(now, &mut Vec::new())).collect()
}

#[test]
fn the_higher_goes_first_and_within_one_who_came_first() {
    let (mut machine, now) = (full(BOUNDS), start());
    for (ticket, priority) in
        (0..).zip([Priority::Low, Priority::Normal, Priority::High, Priority::Normal, Priority::High])
    {
        wait(&mut machine, now, priority, ticket);
    }
    assert_eq!(turns(&mut machine, now, 6), [2, 4, 1, 3, 0]);
    assert_eq!((machine.running(), machine.waiting()), (0, 0));
}

#[test]
fn every_eighth_turn_is_that_of_the_oldest() {
    let (mut machine, now) = (full(BOUNDS), start());
    wait(&mut machine, now, Priority::Low, 1000);
    for ticket in 0..20 {
        wait(&mut machine, now, Priority::High, ticket);
    }
    let order = turns(&mut machine, now, 9);
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 1000, 7]);
}

#[test]
fn a_full_line_gives_up_the_newest_of_the_lowest() {
    let (mut machine, now) = (full(Bounds { max_waiting: 3, ..BOUNDS }), start());
    wait(&mut machine, now, Priority::Low, 0);
    wait(&mut machine, now, Priority::Low, 1);
    wait(&mut machine, now, Priority::Normal, 2);
    assert_eq!(machine.waits(now, Priority::Low, None, 3), Err(3));
    assert_eq!(machine.waits(now, Priority::High, None, 4).map(|(_, out)| out), Ok(Some(1)));
    assert_eq!(machine.waits(now, Priority::Normal, None, 5).map(|(_, out)| out), Ok(Some(0)));
    assert_eq!(machine.waits(now, Priority::Normal, None, 6), Err(6));
    assert_eq!(machine.waits(now, Priority::High, None, 7).map(|(_, out)| out), Ok(Some(5)));
    assert_eq!(turns(&mut machine, now, 4), [4, 7, 2]);
}

#[test]
fn who_leaves_is_passed_over() {
    let (mut machine, now) = (full(BOUNDS), start());
    let (first, _) = machine.waits(now, Priority::Normal, None, 0).unwrap();
    let (second, _) = machine.waits(now, Priority::Normal, None, 1).unwrap();
    wait(&mut machine, now, Priority::Normal, 2);
    assert_eq!(machine.leaves(Priority::Normal, second), Some(1));
    assert_eq!(machine.leaves(Priority::Normal, second), None);
    assert_eq!(turns(&mut machine, now, 2), [0, 2]);
    assert_eq!(machine.leaves(Priority::Normal, first), None);
}

#[test]
fn a_burst_may_wait_and_a_standing_line_may_not() {
    let bounds = Bounds { target: Some(10 * MILLI), ..BOUNDS };
    let (mut machine, now) = (full(bounds), start());
    for ticket in 0..5 {
        wait(&mut machine, now, Priority::Normal, ticket);
    }
    // 90 ms in the line: longer than the target, but the line is younger than the interval.
    let mut shed = Vec::new();
    assert_eq!(machine.ends(now + 90 * MILLI, &mut shed), Some(0));
    assert_eq!(shed, []);
    wait(&mut machine, now + 95 * MILLI, Priority::Normal, 5);
    assert_eq!(machine.ends(now + 100 * MILLI, &mut shed), Some(5));
    assert_eq!(shed.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(shed.iter().all(|(_, why)| *why == Shed::Overload));
    // It was empty: what comes now may wait again.
    wait(&mut machine, now + 101 * MILLI, Priority::Normal, 6);
    wait(&mut machine, now + 101 * MILLI, Priority::Normal, 7);
    shed.clear();
    assert_eq!(machine.ends(now + 200 * MILLI, &mut shed), Some(6));
    assert_eq!(shed, []);
}

#[test]
fn the_lower_are_given_up_before_the_higher_and_never_all() {
    let bounds = Bounds { target: Some(10 * MILLI), ..BOUNDS };
    let (mut machine, now) = (full(bounds), start());
    wait(&mut machine, now, Priority::High, 0);
    wait(&mut machine, now, Priority::Low, 1);
    wait(&mut machine, now, Priority::High, 2);
    let mut shed = Vec::new();
    assert_eq!(machine.ends(now + 200 * MILLI, &mut shed), Some(2));
    assert_eq!(shed, [(1, Shed::Overload), (0, Shed::Overload)]);
}

#[test]
fn a_standing_low_line_costs_the_higher_nothing() {
    let bounds = Bounds { target: Some(10 * MILLI), ..BOUNDS };
    let (mut machine, now) = (full(bounds), start());
    wait(&mut machine, now, Priority::Low, 0);
    wait(&mut machine, now + 85 * MILLI, Priority::High, 1);
    let mut shed = Vec::new();
    assert_eq!(machine.ends(now + 100 * MILLI, &mut shed), Some(1));
    assert_eq!(shed, [(0, Shed::Overload)]);
}

#[test]
fn who_would_be_late_is_given_up_when_its_turn_comes() {
    let (mut machine, now) = (full(BOUNDS), start());
    machine.waits(now, Priority::Normal, Some(now + 5 * MILLI), 0).unwrap();
    machine.waits(now, Priority::Normal, Some(now + 6 * MILLI), 1).unwrap();
    let mut shed = Vec::new();
    assert_eq!(machine.ends(now + 6 * MILLI, &mut shed), Some(1));
    assert_eq!(shed, [(0, Shed::Late)]);
    machine.waits(now, Priority::Normal, Some(now), 2).unwrap();
    assert_eq!(machine.ends(now + 6 * MILLI, &mut shed), None);
    assert_eq!((machine.running(), shed.last()), (0, Some(&(2, Shed::Late))));
}

#[test]
fn after_the_close_nobody_waits_and_places_are_given_all_the_same() {
    let (mut machine, now) = (full(BOUNDS), start());
    wait(&mut machine, now, Priority::High, 0);
    wait(&mut machine, now, Priority::Low, 1);
    assert_eq!(machine.close(), [1, 0]);
    assert_eq!(machine.waits(now, Priority::High, None, 2), Err(2));
    assert_eq!(machine.ends(now, &mut Vec::new()), None);
    assert!(machine.runs());
    assert_eq!((machine.running(), machine.waiting()), (1, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Come { priority: Priority, patience: Option<u8> },
    End,
    Leave(prop::sample::Index),
    Pass(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop::sample::select(Priority::ALL.as_slice());
    let step = prop_oneof![
        4 => (priority, prop::option::weighted(0.2, any::<u8>())).prop_map(|(priority, patience)| Step::Come { priority, patience }),
        3 => Just(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        2 => (0_u8..40).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..400)
}

/// What is known of one that waits, beside the machine.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: u64,
    priority: Priority,
    since: Instant,
    latest: Option<Instant>,
    /// How many turns it has seen go to others, and how many stood there before it.
    passed: u64,
    before: u64,
}

proptest! {
    #[test]
    fn places_lines_and_turns_keep_their_rules(
        steps in steps(),
        most in 1_usize..4,
        max_waiting in 0_usize..12,
        target in prop::option::of(0_u8..50),
    ) {
        let bounds = Bounds { most, max_waiting, interval: 100 * MILLI, target: target.map(|ms| u32::from(ms) * MILLI) };
        let mut machine = Machine::<u64>::new(bounds);
        let mut now = start();
        let mut line: Vec<(u64, Known)> = Vec::new();
        let mut running = 0_usize;
        for (ticket, step) in (0..).zip(steps) {
            match step {
                Step::Pass(millis) => now += u32::from(millis) * MILLI,
                Step::Come { priority, patience } => {
                    if machine.runs() {
                        prop_assert!(line.is_empty(), "nobody passes those who wait");
                        running += 1;
                        continue;
                    }
                    prop_assert_eq!(running, most);
                    let latest = patience.map(|ms| now + u32::from(ms) * MILLI);
                    match machine.waits(now, priority, latest, ticket) {
                        Ok((id, displaced)) => {
                            if let Some(out) = displaced {
                                prop_assert_eq!(line.len(), max_waiting);
                                let at = line.iter().position(|(known, _)| *known == out).expect("it waited");
                                let (_, gone) = line.remove(at);
                                prop_assert!(gone.priority < priority);
                                prop_assert!(line.iter().all(|(_, other)| other.priority >= gone.priority), "the lowest");
                                let newer = |other: &Known| other.priority == gone.priority && other.id > gone.id;
                                prop_assert!(!line.iter().any(|(_, other)| newer(other)), "the newest");
                            }
                            let before = line.len() as u64;
                            line.push((ticket, Known { id, priority, since: now, latest, passed: 0, before }));
                        }
                        Err(_) => {
                            prop_assert_eq!(line.len(), max_waiting);
                            prop_assert!(line.iter().all(|(_, other)| other.priority >= priority));
                        }
                    }
                }
                Step::Leave(which) if !line.is_empty() => {
                    let (ticket, known) = line.remove(which.index(line.len()));
                    prop_assert_eq!(machine.leaves(known.priority, known.id), Some(ticket));
                    prop_assert_eq!(machine.leaves(known.priority, known.id), None);
                }
                Step::Leave(_) => {}
                Step::End if running > 0 => {
                    let mut shed = Vec::new();
                    let next = machine.ends(now, &mut shed);
                    for (ticket, why) in shed {
                        let at = line.iter().position(|(known, _)| *known == ticket).expect("it waited");
                        let (_, gone) = line.remove(at);
                        match why {
                            Shed::Late => prop_assert!(gone.latest.is_some_and(|latest| now > latest)),
                            Shed::Displaced | Shed::Closed => prop_assert!(false, "nobody came or closed"),
                            Shed::Overload => {
                                let target = bounds.target.expect("without a target nobody is given up");
                                prop_assert!(now - gone.since > target);
                                let lower = |other: &Known| other.priority < gone.priority && now - other.since > target;
                                prop_assert!(!line.iter().any(|(_, other)| lower(other)), "the lower first");
                                let older = |other: &Known| other.priority == gone.priority && other.id < gone.id;
                                prop_assert!(!line.iter().any(|(_, other)| older(other)), "the older first");
                            }
                        }
                    }
                    match next {
                        None => {
                            running -= 1;
                            prop_assert!(line.is_empty(), "no place is free while somebody waits");
                        }
                        Some(ticket) => {
                            let at = line.iter().position(|(known, _)| *known == ticket).expect("it waited");
                            let (_, gone) = line.remove(at);
                            let before = |other: &Known| other.priority == gone.priority && other.id < gone.id;
                            prop_assert!(!line.iter().any(|(_, other)| before(other)), "first come, first served");
                            prop_assert!(gone.latest.is_none_or(|latest| now <= latest));
                            for (_, other) in &mut line {
                                other.passed += 1;
                                prop_assert!(other.passed <= OLDEST_EVERY * (other.before + 1), "nobody starves: {other:?}");
                            }
                        }
                    }
                }
                Step::End => {}
            }
            prop_assert_eq!((machine.running(), machine.waiting()), (running, line.len()));
            prop_assert!(line.len() <= max_waiting && running <= most);
        }
    }
}
