//! Many callers that come, wait and go away: no place is lost, none is given twice, and nobody sleeps beside a free one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::poll;
use tekton_sdk::{
    policy::{Bulkhead, BulkheadConfig, Pipeline, RateConfig, RateLimit},
    telemetry::Introspect,
    time::SharedClock,
};

use super::{Callee, MILLI, alone, call, numbered};

/// The same numbers in every run, well mixed.
fn mixed(n: usize) -> usize {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_callers_that_go_away_loses_no_place() {
    let callee = Callee::taking(10 * MILLI);
    let config = BulkheadConfig::default().with_max_concurrency(8).with_max_waiting(10_000).with_shed(false);
    let bulkhead = Arc::new(Bulkhead::new(Some(config), SharedClock::default()));
    let pipeline = Pipeline::new(vec![Arc::clone(&bulkhead) as _], Arc::new(callee.clone()), SharedClock::default());
    let mut calls: Vec<_> =
        numbered(5_000).map(|operation| Some(Box::pin(pipeline.send(call("engram", &operation))))).collect();
    for one in calls.iter_mut().flatten() {
        assert!(poll!(one).is_pending());
    }
    let clock = SharedClock::default();
    // In each turn some that run and some that wait go away, in no order, some of them right after they were called.
    for turn in 0..100 {
        for n in 0..40 {
            calls[mixed(turn * 40 + n) % 5_000] = None;
        }
        clock.sleep(MILLI).await;
        for one in &mut calls {
            if let Some(call) = one
                && let std::task::Poll::Ready(answer) = poll!(call)
            {
                answer.unwrap();
                *one = None;
            }
        }
    }
    let left: Vec<_> = calls.into_iter().flatten().collect();
    assert!((100..4_000).contains(&left.len()), "{}", left.len());
    assert!(futures_util::future::join_all(left).await.iter().all(Result::is_ok));
    assert_eq!((callee.most(), callee.running("engram")), (8, 0));
    let shown = &bulkhead.introspect()["shown"][0];
    assert_eq!((shown["running"].as_u64(), shown["waiting"].as_u64()), (Some(0), Some(0)));
    assert!(callee.began().is_sorted(), "nobody overtook");
}

/// Counts who is inside, and yields a few times there.
async fn inside(running: &AtomicUsize, most: &AtomicUsize, yields: usize) {
    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
    running.fetch_sub(1, Ordering::SeqCst);
}

/// A stage that counts who is inside.
#[derive(Debug, Default)]
struct Counts {
    running: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl tekton_sdk::policy::Policy for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn handle<'a>(
        &'a self,
        request: tekton_sdk::transport::Request,
        next: tekton_sdk::policy::Next<'a>,
    ) -> tekton_sdk::time::BoxFuture<'a, tekton_sdk::Result<tekton_sdk::transport::Response>> {
        Box::pin(async move {
            let nth = self.done.fetch_add(1, Ordering::SeqCst);
            inside(&self.running, &self.most, mixed(nth) % 3).await;
            next.run(request).await
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_meet_at_a_bulkhead_lose_no_wake_up() {
    let callee = Callee::taking(std::time::Duration::ZERO);
    let config = BulkheadConfig::default().with_max_concurrency(3).with_max_waiting(1_000).with_shed(false);
    let (bulkhead, counts) =
        (Arc::new(Bulkhead::new(Some(config), SharedClock::default())), Arc::new(Counts::default()));
    let stages = vec![Arc::clone(&bulkhead) as _, Arc::clone(&counts) as _];
    let pipeline = Arc::new(Pipeline::new(stages, Arc::new(callee.clone()), SharedClock::default()));
    let callers: Vec<_> = (0..50)
        .map(|caller| {
            let pipeline = Arc::clone(&pipeline);
            tokio::spawn(async move {
                for n in 0..200 {
                    let mut one = Box::pin(pipeline.send(call("engram", "op")));
                    if mixed(caller * 200 + n).is_multiple_of(7) {
                        // It goes away wherever it is just then.
                        let _ = poll!(&mut one);
                        continue;
                    }
                    one.await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let shown = &bulkhead.introspect()["shown"][0];
    assert_eq!((shown["running"].as_u64(), shown["waiting"].as_u64()), (Some(0), Some(0)));
    assert!(counts.done.load(Ordering::SeqCst) > 8_000);
    // One that was dropped inside never counts itself out again.
    assert!(callee.most() <= 3, "{}", callee.most());
}

#[tokio::test(start_paused = true)]
async fn waiters_for_a_turn_that_go_away_leave_it_to_those_behind_them() {
    let callee = Callee::taking(MILLI);
    let config =
        RateConfig::default().with_per_second(100).with_burst(1).with_max_wait(std::time::Duration::from_secs(60));
    let pipeline = alone(RateLimit::new(Some(config), SharedClock::default()), &callee);
    let mut calls: Vec<_> =
        numbered(1_000).map(|operation| Some(Box::pin(pipeline.send(call("engram", &operation))))).collect();
    for one in calls.iter_mut().flatten() {
        assert!(poll!(one).is_pending());
    }
    for (n, one) in calls.iter_mut().enumerate() {
        if n % 10 != 0 {
            *one = None;
        }
    }
    let clock = SharedClock::default();
    let began = clock.now();
    assert!(futures_util::future::join_all(calls.into_iter().flatten()).await.iter().all(Result::is_ok));
    let took = clock.now() - began;
    assert!((990 * MILLI..1_100 * MILLI).contains(&took), "a hundred at a hundred a second: {took:?}");
    assert!(callee.began().is_sorted());
}
