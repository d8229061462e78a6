//! The breaker's windows, over two calls, on two and three threads.

use loom::{model::Builder, sync::Arc, thread};

use crate::atomic::{CountWindow, Counts, Front, Mark, Mode, Rules, TimeWindow};

const OK: Mark = Mark { failed: false, slow: false };
const BAD: Mark = Mark { failed: true, slow: false };
const SLOW: Mark = Mark { failed: false, slow: true };

/// Every order with at most so many switches away from a thread that could have gone on.
pub(crate) fn orders(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}

/// Records as a permit does: a success that would change nothing is not written.
fn success(window: &CountWindow) {
    if !window.is_full_of_successes(1) {
        sane(window.record(1, OK));
    }
}

fn sane(counts: Option<Counts>) {
    let counts = counts.expect("the epoch goes on");
    assert!(counts.calls <= 2 && counts.failed <= counts.calls && counts.slow <= counts.calls, "{counts:?}");
}

/// Counts and places agree: so many successes as there are places empty the counts of everything else.
fn settles(window: &CountWindow) {
    sane(window.record(1, OK));
    sane(window.record(1, OK));
    assert!(window.is_full_of_successes(1), "the counts have drifted: {:?}", window.shown());
}

#[test]
fn counts_never_drift_from_what_stands_in_the_window() {
    orders(3, || {
        let window = Arc::new(CountWindow::new(2, 1));
        let other = Arc::clone(&window);
        let thread = thread::spawn(move || {
            sane(other.record(1, BAD));
            success(&other);
        });
        success(&window);
        sane(window.record(1, SLOW));
        thread.join().unwrap();
        assert_eq!(window.shown().calls, 2);
        settles(&window);
    });
}

#[test]
fn a_finished_failure_is_never_overlooked() {
    // The main thread only waits, so that a switch is spent on nobody but the three.
    orders(1, || {
        let window = Arc::new(CountWindow::new(2, 1));
        settles(&window);
        let [first, second, third] = [true, true, false].map(|fails| {
            let window = Arc::clone(&window);
            thread::spawn(move || if fails { sane(window.record(1, BAD)) } else { success(&window) })
        });
        second.join().unwrap();
        third.join().unwrap();
        // Of any two of the three last calls one failed, whether the first is done or not.
        assert!(!window.is_full_of_successes(1), "a failure was overlooked: {:?}", window.shown());
        first.join().unwrap();
        assert!(!window.is_full_of_successes(1), "a failure was overlooked: {:?}", window.shown());
    });
}

#[test]
fn what_ends_late_counts_nothing_in_the_next_epoch() {
    orders(3, || {
        let window = Arc::new(CountWindow::new(2, 1));
        let other = Arc::clone(&window);
        let thread = thread::spawn(move || {
            other.record(1, BAD);
            other.record(1, BAD);
        });
        window.reset(2);
        let first = window.record(2, OK).expect("the epoch goes on");
        assert_eq!(first, Counts { calls: 1, failed: 0, slow: 0 });
        thread.join().unwrap();
        assert_eq!(window.record(2, OK), Some(Counts { calls: 2, failed: 0, slow: 0 }));
        assert!(window.is_full_of_successes(2));
    });
}

#[test]
fn seconds_are_counted_once_and_taken_over_once() {
    orders(3, || {
        let window = Arc::new(TimeWindow::new(1, 1));
        window.record(1, 0, BAD);
        let other = Arc::clone(&window);
        let thread = thread::spawn(move || other.record(1, 1, BAD));
        let mine = window.record(1, 1, OK).expect("the epoch goes on");
        assert!(mine.failed <= mine.calls && mine.calls <= 2, "{mine:?}");
        thread.join().unwrap();
        assert_eq!(window.shown(1), Counts { calls: 2, failed: 1, slow: 0 });
    });
}

#[test]
fn a_row_of_failures_ends_with_any_success() {
    orders(3, || {
        let rules = Rules { min_calls: 1, failure_rate: None, slow_rate: None, in_a_row: Some(2), all: false };
        let front = Arc::new(Front::new(2, None, rules));
        let other = Arc::clone(&front);
        let thread = thread::spawn(move || other.record(1, 0, BAD));
        if !front.is_settled(1) {
            front.record(1, 0, OK);
        }
        thread.join().unwrap();
        for _ in 0..2 {
            if !front.is_settled(1) {
                assert_eq!(front.record(1, 0, OK), None);
            }
        }
        assert_eq!(front.record(1, 0, BAD), None, "one failure is no row of two");
    });
}

#[test]
fn a_call_of_an_open_breaker_counts_nothing() {
    orders(3, || {
        let rules = Rules { min_calls: 1, failure_rate: Some(0.5), slow_rate: None, in_a_row: None, all: false };
        let front = Arc::new(Front::new(2, None, rules));
        let other = Arc::clone(&front);
        let thread = thread::spawn(move || {
            let (mode, epoch) = other.state();
            assert!((mode, epoch) == (Mode::Closed, 1) || (mode, epoch) == (Mode::Closed, 2));
            other.record(1, 0, BAD)
        });
        front.enter(Mode::Closed, 2, true);
        assert_eq!(front.record(2, 0, OK), None);
        thread.join().unwrap();
        assert_eq!(front.shown(0), Counts { calls: 1, failed: 0, slow: 0 });
    });
}
