//! A breaker by itself: its rules, its waits, its clock.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, poll};
use tekton_sdk::{
    Verdict,
    patterns::breaker::{BreakerConfig, BreakerState, CircuitBreaker, Reason},
    time::ManualClock,
};

use super::{Failed, SECOND, breaker, counted, fail, in_a_row, work};

fn reason(breaker: &CircuitBreaker) -> Reason {
    breaker.recent().last().expect("it has changed").reason
}

#[tokio::test]
async fn an_open_breaker_begins_no_work_and_says_how_long() {
    let (breaker, clock) = breaker(in_a_row(3));
    let begun = Arc::default();
    for _ in 0..3 {
        let failed = breaker.call(work(0, Arc::clone(&begun), Err(Failed::Badly))).await;
        assert_eq!(failed, Err(Failed::Badly));
    }
    clock.advance(Duration::from_millis(400));
    let refused = breaker.call(work(0, Arc::clone(&begun), Ok(()))).await;
    assert_eq!(refused, Err(Failed::Refused(BreakerState::Open)));
    assert_eq!(breaker.call_sync(|| Ok(())), Err(Failed::Refused(BreakerState::Open)));
    assert_eq!(begun.load(std::sync::atomic::Ordering::SeqCst), 3);
    let refused = breaker.acquire().unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_millis(600)));
    assert_eq!(refused.to_string(), "the breaker billing is open for another 600ms");
    assert_eq!((breaker.snapshot().refused, reason(&breaker)), (3, Reason::FailuresInARow));
}

#[test]
fn a_success_ends_the_row() {
    let (breaker, _clock) = breaker(in_a_row(3));
    for _ in 0..10 {
        fail(&breaker, 2);
        breaker.acquire().unwrap().success();
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 3);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_peer_that_comes_and_goes_is_left_alone_longer_while_it_stays_away_and_not_afterwards() {
    let config = in_a_row(3).with_max_open_wait(8 * SECOND);
    let (breaker, clock) = breaker(config);
    for _ in 0..5 {
        fail(&breaker, 3);
        for wait in [1, 2, 4, 8, 8] {
            assert_eq!(breaker.acquire().unwrap_err().retry_after, Some(wait * SECOND));
            clock.advance(wait * SECOND + Duration::from_nanos(1));
            fail(&breaker, 1);
        }
        clock.advance(8 * SECOND + Duration::from_nanos(1));
        breaker.acquire().unwrap().success();
        assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Closed, (0, 0, 0)));
    }
}

#[test]
fn a_peer_that_flaps_from_call_to_call_is_caught_by_its_rate() {
    let (breaker, _clock) = breaker(BreakerConfig::default());
    for _ in 0..9 {
        breaker.acquire().unwrap().success();
        fail(&breaker, 1);
    }
    breaker.acquire().unwrap().success();
    assert_eq!((breaker.state(), breaker.snapshot().failure_rate), (BreakerState::Closed, None), "too few to tell");
    fail(&breaker, 1);
    assert_eq!((breaker.state(), reason(&breaker)), (BreakerState::Open, Reason::FailureRate));
}

fn slow() -> BreakerConfig {
    BreakerConfig::default().with_slow_call(Some(SECOND)).with_slow_rate(0.5).with_min_calls(4).with_window_calls(8)
}

async fn takes(breaker: &CircuitBreaker, clock: &ManualClock, time: Duration) {
    let slow = async {
        clock.advance(time);
        Ok::<(), Failed>(())
    };
    breaker.call(slow).await.unwrap();
}

#[tokio::test]
async fn a_slow_peer_opens_it_although_every_call_goes_well() {
    let (breaker, clock) = breaker(slow());
    takes(&breaker, &clock, SECOND).await;
    assert_eq!(counted(&breaker), (1, 0, 0), "what takes just as long is not slow");
    takes(&breaker, &clock, SECOND + Duration::from_nanos(1)).await;
    takes(&breaker, &clock, SECOND).await;
    takes(&breaker, &clock, 2 * SECOND).await;
    assert_eq!((breaker.state(), reason(&breaker)), (BreakerState::Open, Reason::SlowRate));
    assert_eq!((counted(&breaker), breaker.snapshot().slow_rate), ((4, 0, 2), Some(0.5)));

    clock.advance(6 * SECOND);
    for _ in 0..3 {
        takes(&breaker, &clock, 2 * SECOND).await;
    }
    assert_eq!((breaker.state(), reason(&breaker)), (BreakerState::Open, Reason::ProbesSlow));
    clock.advance(12 * SECOND);
    for _ in 0..3 {
        takes(&breaker, &clock, SECOND).await;
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn the_callers_own_measure_decides_what_is_slow() {
    let (breaker, clock) = breaker(slow());
    for time in [SECOND, 3 * SECOND] {
        let permit = breaker.acquire().unwrap();
        clock.advance(10 * SECOND);
        permit.record(Verdict::Success, time);
    }
    assert_eq!(counted(&breaker), (2, 0, 1));
    let breaker = super::breaker(BreakerConfig::default()).0;
    breaker.acquire().unwrap().record(Verdict::Success, Duration::MAX);
    assert_eq!(counted(&breaker), (1, 0, 0), "without the rule nothing is slow");
}

#[test]
fn all_rules_must_hold_where_all_are_asked_for() {
    let (breaker, _clock) = breaker(slow().with_all_rules(true).with_failure_threshold(Some(2)));
    let call = |verdict, seconds| breaker.acquire().unwrap().record(verdict, seconds * SECOND);
    for _ in 0..4 {
        call(Verdict::Success, 2);
    }
    call(Verdict::Failure, 0);
    call(Verdict::Failure, 0);
    assert_eq!(breaker.state(), BreakerState::Closed, "six calls, four slow, two failed in a row: a rate of a third");
    call(Verdict::Failure, 0);
    assert_eq!(breaker.state(), BreakerState::Closed, "three of seven");
    call(Verdict::Failure, 0);
    assert_eq!((breaker.state(), reason(&breaker)), (BreakerState::Open, Reason::AllRules));
}

#[test]
fn the_seconds_of_a_window_of_time_are_forgotten_one_by_one() {
    let config = BreakerConfig::default().with_failure_threshold(None).with_window_time(Some(10 * SECOND));
    let (breaker, clock) = breaker(config.with_min_calls(100));
    for _ in 0..10 {
        fail(&breaker, 1);
        breaker.acquire().unwrap().success();
        clock.advance(SECOND);
    }
    for left in (0..10).rev() {
        assert_eq!(counted(&breaker), (2 * left, left, 0));
        clock.advance(SECOND);
    }
}

#[tokio::test]
async fn a_panic_inside_the_call_is_a_failure() {
    let (breaker, clock) = breaker(in_a_row(3));
    let panics = || catch_unwind(AssertUnwindSafe(|| breaker.call_sync::<(), Failed>(|| panic!("as planned"))));
    assert!(panics().is_err());
    let later = breaker.call::<(), Failed>(async {
        tokio::task::yield_now().await;
        panic!("as planned")
    });
    assert!(AssertUnwindSafe(later).catch_unwind().await.is_err());
    assert_eq!(counted(&breaker), (2, 2, 0));
    let spawned = {
        let permit = breaker.acquire_owned().unwrap();
        tokio::spawn(async move {
            let _permit = permit;
            panic!("as planned")
        })
    };
    assert!(spawned.await.unwrap_err().is_panic());
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Open, (3, 3, 0)));

    // A panicking probe opens it again; its permit does not come back.
    clock.advance(2 * SECOND);
    assert!(panics().is_err());
    assert_eq!((breaker.state(), reason(&breaker)), (BreakerState::Open, Reason::ProbesFailed));
}

#[tokio::test]
async fn giving_up_at_any_await_counts_nothing_and_gives_the_probe_back() {
    let (breaker, clock) = breaker(in_a_row(1));
    for polls in 0..=5 {
        for probing in [false, true] {
            breaker.close();
            if probing {
                fail(&breaker, 1);
                clock.advance(2 * SECOND);
            }
            let mut call = Box::pin(breaker.call(work(5, Arc::default(), Ok(()))));
            for _ in 0..polls {
                assert!(poll!(call.as_mut()).is_pending());
            }
            if probing && polls > 0 {
                assert!(breaker.acquire().is_err(), "the one probe is under way");
            }
            drop(call);
            assert_eq!(counted(&breaker).0, u64::from(probing && polls == 0), "{polls} polls");
            breaker.acquire().expect("the permit came back").success();
            assert_eq!(breaker.state(), BreakerState::Closed);
        }
    }
}

#[test]
fn a_wall_clock_that_goes_backwards_changes_nothing() {
    let runs = [None, Some(SystemTime::UNIX_EPOCH), Some(SystemTime::UNIX_EPOCH - 1000 * SECOND)].map(|wall| {
        let config = slow().with_window_time(Some(10 * SECOND)).with_open_jitter(0.0);
        let (breaker, clock) = breaker(config);
        let mut seen = Vec::new();
        for step in 0..200_u32 {
            if let Some(wall) = wall.filter(|_| step % 3 == 0) {
                clock.set_wall(wall);
            }
            if let Ok(permit) = breaker.acquire() {
                clock.advance(Duration::from_millis(u64::from(step * 37 % 1500)));
                permit.settle(if step / 20 % 2 == 0 { Verdict::Success } else { Verdict::Failure });
            }
            clock.advance(SECOND / 4);
            seen.push(breaker.snapshot());
        }
        seen
    });
    assert!(runs[0].iter().any(|shown| shown.state == BreakerState::Open));
    assert!(runs[0] == runs[1] && runs[0] == runs[2]);
}

#[test]
fn hammering_from_several_threads_loses_no_call() {
    const THREADS: u32 = 4;
    const CALLS: u32 = 8_000;
    let never = BreakerConfig::default().with_failure_threshold(None).with_failure_rate(Some(1.0));
    for config in [
        never.clone().with_window_calls(32_767),
        never.clone().with_window_time(Some(60 * SECOND)),
        never.with_window_calls(32_767).with_slow_call(Some(SECOND)),
    ] {
        let timed = config.slow_call.is_some();
        let (breaker, _clock) = breaker(config);
        // So that not even the first ones can be all failures.
        breaker.acquire().unwrap().success();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let breaker = &breaker;
                scope.spawn(move || {
                    for call in 0..CALLS {
                        let verdict = if (call + thread) % 4 == 0 { Verdict::Failure } else { Verdict::Success };
                        let took = if call % 5 == 0 { 2 * SECOND } else { Duration::ZERO };
                        breaker.acquire().unwrap().record(verdict, took);
                    }
                });
            }
        });
        let calls = u64::from(THREADS * CALLS);
        let slow = if timed { calls / 5 } else { 0 };
        assert_eq!(counted(&breaker), (calls + 1, calls / 4, slow));
    }
}

#[test]
fn a_small_window_is_exact_again_when_the_threads_are_gone() {
    let config = BreakerConfig::default().with_failure_threshold(None).with_failure_rate(Some(1.0)).with_min_calls(100);
    let (breaker, _clock) = breaker(config);
    breaker.acquire().unwrap().success();
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let breaker = &breaker;
            scope.spawn(move || {
                for call in 0..50_000_u32 {
                    let failed = (call + thread) % 7 < 3;
                    breaker.acquire().unwrap().settle(if failed { Verdict::Failure } else { Verdict::Success });
                }
            });
        }
    });
    let (calls, failed, _) = counted(&breaker);
    assert!(calls == 100 && (20..70).contains(&failed), "{failed} of {calls}");
    for _ in 0..100 {
        breaker.acquire().unwrap().success();
    }
    assert_eq!(counted(&breaker), (100, 0, 0), "no failure is left behind");
    fail(&breaker, 99);
    assert_eq!(counted(&breaker), (100, 99, 0));
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
}
