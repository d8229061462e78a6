//! Half-open: exactly so many probes in each cycle, whose permits come back only where they say nothing.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tekton_sdk::{
    Tekton, Verdict,
    patterns::breaker::{BreakerConfig, BreakerState, CircuitBreaker, OwnedPermit, Reason},
    telemetry::{Event, Observer},
    time::ManualClock,
    transport::MemoryTransport,
};
use tokio::sync::Barrier;

use super::{Failed, SECOND, breaker, counted, fail, in_a_row, work};

const PROBES: u32 = 7;
const TASKS: usize = 1_000;

fn probing() -> BreakerConfig {
    in_a_row(1).with_half_open_calls(PROBES).with_failure_rate(Some(0.5)).with_min_calls(100)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_tasks_exactly_the_probes_go_through_in_each_cycle() {
    let (breaker, clock) = breaker(probing());
    fail(&breaker, 1);
    for heals in [false, false, false, false, true] {
        clock.advance(2 * SECOND);
        let mut permits: Vec<OwnedPermit> = Vec::new();
        for wave in 0..2 {
            let at_once = Arc::new(Barrier::new(TASKS));
            let storm: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (breaker, at_once) = (breaker.clone(), Arc::clone(&at_once));
                    tokio::spawn(async move {
                        at_once.wait().await;
                        breaker.acquire_owned()
                    })
                })
                .collect();
            for task in storm {
                match task.await.unwrap() {
                    Ok(permit) => permits.push(permit),
                    Err(refused) => assert_eq!(refused.state, BreakerState::HalfOpen),
                }
            }
            assert_eq!(permits.len(), PROBES as usize, "wave {wave}");
        }
        assert_eq!(breaker.snapshot().refused, 2 * TASKS as u64 - u64::from(PROBES));
        permits.into_iter().for_each(|permit| permit.settle(if heals { Verdict::Success } else { Verdict::Failure }));
        assert_eq!(breaker.state(), if heals { BreakerState::Closed } else { BreakerState::Open });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_calls_that_fail_begins_exactly_the_probes() {
    let (breaker, clock) = breaker(probing());
    fail(&breaker, 1);
    for cycle in 1..=5 {
        clock.advance(2 * SECOND);
        let begun = Arc::new(AtomicUsize::new(0));
        let at_once = Arc::new(Barrier::new(TASKS));
        let storm: Vec<_> = (0..TASKS)
            .map(|number| {
                let (breaker, begun, at_once) = (breaker.clone(), Arc::clone(&begun), Arc::clone(&at_once));
                tokio::spawn(async move {
                    at_once.wait().await;
                    let _ = breaker.call(work(number % 3, begun, Err(Failed::Badly))).await;
                })
            })
            .collect();
        for task in storm {
            task.await.unwrap();
        }
        assert_eq!(begun.load(Ordering::SeqCst), PROBES as usize, "cycle {cycle}");
        assert_eq!((breaker.state(), counted(&breaker).0), (BreakerState::Open, PROBES.into()));
    }
}

#[test]
fn a_permit_comes_back_on_cancel_and_on_an_ignored_outcome_and_not_otherwise() {
    let (breaker, clock) = breaker(probing());
    fail(&breaker, 1);
    clock.advance(2 * SECOND);
    let mut held: Vec<_> = (0..PROBES).map(|_| breaker.acquire().unwrap()).collect();
    assert!(breaker.acquire().is_err());

    drop(held.pop());
    held.push(breaker.acquire().unwrap());
    held.pop().unwrap().ignored();
    held.push(breaker.acquire().unwrap());
    held.pop().unwrap().settle(Verdict::Ignored);
    held.push(breaker.acquire().unwrap());
    held.pop().unwrap().record(Verdict::Ignored, Duration::MAX);
    held.push(breaker.acquire().unwrap());
    assert!(breaker.acquire().is_err(), "one came back each time, and no more");
    assert_eq!(counted(&breaker), (0, 0, 0));

    for (ended, permit) in held.into_iter().enumerate() {
        permit.settle(if ended == 0 { Verdict::Failure } else { Verdict::Success });
        if ended + 1 < PROBES as usize {
            assert!(breaker.acquire().is_err(), "{} ended, and none came back", ended + 1);
            assert_eq!(breaker.state(), BreakerState::HalfOpen);
        }
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "one of seven failed");
}

#[test]
fn what_ends_late_counts_nothing_in_a_younger_cycle() {
    let (breaker, clock) = breaker(probing().with_max_half_open(10 * SECOND));
    let of_closed = || [breaker.acquire().unwrap(), breaker.acquire().unwrap(), breaker.acquire().unwrap()];
    let mut late: Vec<_> = of_closed().into();
    fail(&breaker, 1);
    clock.advance(2 * SECOND);
    late.extend((0..PROBES).map(|_| breaker.acquire().unwrap()));

    // They hang, and another cycle begins.
    clock.advance(11 * SECOND);
    let refused = breaker.acquire().unwrap_err();
    assert_eq!((refused.state, refused.retry_after), (BreakerState::Open, Some(SECOND)));
    assert_eq!(breaker.recent().last().unwrap().reason, Reason::ProbesHung);
    clock.advance(2 * SECOND);
    let probe = breaker.acquire().unwrap();
    let before = breaker.snapshot();
    for (number, permit) in late.into_iter().enumerate() {
        match number % 4 {
            0 => permit.failure(),
            1 => permit.success(),
            2 => permit.ignored(),
            _ => drop(permit),
        }
    }
    assert_eq!(breaker.snapshot(), before);
    let others: Vec<_> = (1..PROBES).map(|_| breaker.acquire().unwrap()).collect();
    assert!(breaker.acquire().is_err(), "no permit of an older cycle came back to this one");
    others.into_iter().chain([probe]).for_each(|permit| permit.success());
    assert_eq!(breaker.state(), BreakerState::Closed);

    // Nor in a younger closed state.
    let [first, second, third] = of_closed();
    breaker.close();
    first.failure();
    second.success();
    drop(third);
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Closed, (0, 0, 0)));
}

/// Closes the breaker that it was given as soon as its probes are found hung.
#[derive(Clone, Debug, Default)]
struct Closes(Arc<OnceLock<CircuitBreaker>>);

impl Observer for Closes {
    fn observe(&self, event: &Event<'_>) {
        if let Event::BreakerChanged { reason: "probes_hung", .. } = event {
            self.0.get().unwrap().close();
        }
    }
}

#[test]
fn a_refusal_names_the_state_that_refused_whatever_comes_next() {
    let (clock, closes) = (ManualClock::new(), Closes::default());
    let builder = Tekton::builder().transport(MemoryTransport::new()).clock(clock.clone()).observer(closes.clone());
    let tekton = builder.configure(|config| config.breaker.half_open_calls = 1).build().unwrap();
    let breaker = tekton.breakers().unwrap().of("notes");
    closes.0.set(breaker.clone()).unwrap();
    breaker.half_open();
    let hangs = breaker.acquire().unwrap();
    clock.advance(61 * SECOND);
    let refused = breaker.acquire().unwrap_err();
    assert_eq!((refused.state, breaker.state()), (BreakerState::Open, BreakerState::Closed));
    drop(hangs);
}

#[test]
fn a_breaker_that_nobody_asks_stays_open() {
    let (breaker, clock) = breaker(in_a_row(1));
    fail(&breaker, 1);
    clock.advance(1000 * SECOND);
    assert_eq!((breaker.state(), breaker.snapshot().retry_after), (BreakerState::Open, Some(Duration::ZERO)));
    breaker.acquire().unwrap().ignored();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
}

#[test]
fn commands_are_obeyed_in_every_state_until_the_next() {
    let (breaker, clock) = breaker(in_a_row(1));
    breaker.force_open();
    clock.advance(1000 * SECOND);
    let refused = breaker.acquire().unwrap_err();
    assert_eq!((refused.state, refused.retry_after), (BreakerState::ForcedOpen, None));
    breaker.disable();
    fail(&breaker, 10);
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Disabled, (0, 0, 0)));
    breaker.half_open();
    let probe = breaker.acquire().unwrap();
    assert!(breaker.acquire().is_err());
    breaker.reset();
    probe.failure();
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Closed, (0, 0, 0)));
    breaker.open();
    assert_eq!(breaker.acquire().unwrap_err().retry_after, Some(SECOND));
}

#[test]
fn a_shadow_counts_and_says_once_when_it_would_have_opened() {
    let (breaker, clock) = breaker(in_a_row(3));
    breaker.metrics_only();
    fail(&breaker, 10);
    clock.advance(SECOND);
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::MetricsOnly, (10, 10, 0)));
    let said: Vec<_> = breaker.recent().iter().skip(1).map(|change| (change.from, change.to, change.reason)).collect();
    assert_eq!(said, [(BreakerState::MetricsOnly, BreakerState::MetricsOnly, Reason::FailuresInARow)]);
}
