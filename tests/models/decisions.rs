//! Whoever records last decides on all that was recorded: no failure falls between two threads.

use loom::{sync::Arc, thread};

use crate::{
    atomic::{CountWindow, Counts, Front, Mark, Rules, TimeWindow, Tripped},
    breaker::orders,
};

const OK: Mark = Mark { failed: false, slow: false };
const BAD: Mark = Mark { failed: true, slow: false };

/// Does both beside each other, and returns what they return.
fn both<T: Send + Sync + 'static, R: 'static>(
    shared: &Arc<T>,
    one: impl FnOnce(&T) -> R + 'static,
    other: impl FnOnce(&T) -> R,
) -> [R; 2] {
    let theirs = Arc::clone(shared);
    let thread = thread::spawn(move || one(&theirs));
    let mine = other(shared);
    [thread.join().unwrap(), mine]
}

#[test]
fn of_two_failures_at_once_one_sees_both_in_a_window_of_calls() {
    orders(3, || {
        let window = Arc::new(CountWindow::new(2, 1));
        let seen = both(&window, |window| window.record(1, BAD), |window| window.record(1, BAD));
        assert!(seen.contains(&Some(Counts { calls: 2, failed: 2, slow: 0 })), "{seen:?}");
    });
}

#[test]
fn of_two_failures_at_once_one_sees_both_in_a_window_of_seconds() {
    orders(3, || {
        let window = Arc::new(TimeWindow::new(2, 1));
        let seen = both(&window, |window| window.record(1, 5, BAD), |window| window.record(1, 5, BAD));
        assert!(seen.contains(&Some(Counts { calls: 2, failed: 2, slow: 0 })), "{seen:?}");
    });
}

#[test]
fn calls_of_two_seconds_are_all_counted() {
    orders(3, || {
        let window = Arc::new(TimeWindow::new(2, 1));
        let early = |window: &TimeWindow| {
            window.record(1, 5, BAD);
            window.record(1, 6, OK);
        };
        both(&window, early, |window| {
            window.record(1, 6, BAD);
        });
        assert_eq!(window.shown(6), Counts { calls: 3, failed: 2, slow: 0 });
        assert_eq!(window.shown(7), Counts { calls: 2, failed: 1, slow: 0 });
    });
}

#[test]
fn two_failures_at_once_trip_a_rule_of_two_once() {
    orders(3, || {
        let rules = Rules { min_calls: 2, failure_rate: None, slow_rate: None, in_a_row: Some(2), all: false };
        let front = Arc::new(Front::new(2, None, rules));
        let tripped = both(&front, |front| front.record(1, 0, BAD), |front| front.record(1, 0, BAD));
        assert_eq!(tripped.iter().flatten().collect::<Vec<_>>(), [&Tripped::InARow]);
    });
}

#[test]
fn one_failure_among_successes_never_looks_like_more() {
    orders(3, || {
        let rules = Rules { min_calls: 2, failure_rate: Some(0.6), slow_rate: None, in_a_row: None, all: false };
        let front = Arc::new(Front::new(2, None, rules));
        front.record(1, 0, OK);
        front.record(1, 0, OK);
        let twice = |front: &Front| front.record(1, 0, OK).or_else(|| front.record(1, 0, OK));
        assert_eq!(both(&front, |front| front.record(1, 0, BAD), twice), [None, None]);
    });
}

#[test]
fn a_call_that_ends_late_does_not_hide_a_younger_failure() {
    orders(3, || {
        let window = Arc::new(TimeWindow::new(1, 1));
        both(&window, |window| window.record(1, 5, BAD), |window| window.record(1, 6, BAD));
        assert_eq!(window.record(1, 6, OK), Some(Counts { calls: 2, failed: 1, slow: 0 }));
    });
}
