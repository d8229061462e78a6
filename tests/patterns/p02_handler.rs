//! Room 2: a handler that fails, panics or hangs.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::poll;
use tekton_sdk::{
    Error, ErrorKind,
    patterns::events::{Backpressure, HandlerConfig, Heard},
};

use super::p02_events::{Bed, is_silent, number};

const AGAIN: Duration = Duration::from_millis(100);

#[tokio::test]
async fn what_a_handler_fails_panics_or_hangs_on_comes_again_and_is_buried_in_the_end() {
    let bed = Bed::new();
    let mut letters = bed.events.subscribe::<u64>("dead.a").await.unwrap();
    let subscribe = bed.events.subscribe::<u64>("a").dead_letters("dead.a", 3).again_after(AGAIN, AGAIN);
    let subscription = subscribe.await.unwrap();
    bed.publish("a", 1).await;
    bed.publish("a", 2).await;
    let tried = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tried);
    let config = HandlerConfig::default().with_timeout(Duration::from_secs(5));
    let mut handling = Box::pin(subscription.handle(config, bed.shared(), move |heard| {
        let seen = Arc::clone(&seen);
        async move {
            let Heard::Event(event) = heard else { panic!("there is no gap") };
            let (data, number) = (event.data()?, event.number());
            seen.lock().unwrap().push((data, number));
            match (data, number) {
                (1, 1) => Err(Error::internal("it fails")),
                (1, 2) => panic!("it panics, as planned"),
                (1, _) => std::future::pending().await,
                _ => Ok(()),
            }
        }
    }));
    for _ in 0..3 {
        assert!(poll!(&mut handling).is_pending());
        bed.clock.advance(AGAIN);
    }
    assert!(poll!(&mut handling).is_pending());
    bed.clock.advance(Duration::from_secs(5));
    for _ in 0..2 {
        assert!(poll!(&mut handling).is_pending());
        bed.clock.advance(AGAIN);
    }
    assert!(poll!(&mut handling).is_pending());
    assert_eq!(*tried.lock().unwrap(), [(1, 1), (2, 1), (1, 2), (1, 3)]);
    assert_eq!(number(&mut letters).await, 1);
    assert!(is_silent(&mut letters));
    let failed = bed.log.named("handler_failed");
    let failed: Vec<_> =
        failed.iter().map(|told| (told.field("delivery").unwrap(), told.field("reason").unwrap())).collect();
    assert_eq!(failed, [("1", "failed"), ("2", "panicked"), ("3", "timed_out")]);
    let buried = bed.log.named("dead_lettered");
    assert_eq!((buried.len(), buried[0].field("outcome")), (1, Some("written")));
}

#[tokio::test]
async fn calls_run_at_once_up_to_the_bound_and_one_that_hangs_holds_no_other_up() {
    let bed = Bed::new();
    let subscription = bed.events.subscribe::<u64>("a").acked().await.unwrap();
    for n in 0..20 {
        bed.publish("a", n).await;
    }
    let (running, most, done) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let counts = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&done));
    let config = HandlerConfig::default().with_concurrency(3);
    let mut handling = Box::pin(subscription.handle(config, bed.shared(), move |heard| {
        let (running, most, done) = (Arc::clone(&counts.0), Arc::clone(&counts.1), Arc::clone(&counts.2));
        async move {
            let data = heard.event().unwrap().data()?;
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if data == 0 {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }));
    for _ in 0..100 {
        assert!(poll!(&mut handling).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!((most.load(Ordering::SeqCst), done.load(Ordering::SeqCst)), (3, 19));
}

#[tokio::test]
async fn it_ends_with_its_subscription_after_the_calls_under_way() {
    let bed = Bed::new();
    let mut subscription = bed.events.subscribe::<u64>("a").await.unwrap();
    bed.publish("a", 1).await;
    subscription.drain();
    let sum = Arc::new(AtomicUsize::new(0));
    let adds = Arc::clone(&sum);
    let handler = move |heard: Heard<u64>| {
        let adds = Arc::clone(&adds);
        async move {
            tokio::task::yield_now().await;
            adds.fetch_add(heard.event().unwrap().data()? as usize, Ordering::SeqCst);
            Ok(())
        }
    };
    subscription.handle(HandlerConfig::default(), bed.shared(), handler).await.unwrap();
    assert_eq!(sum.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_gap_is_handed_to_it_and_falling_behind_is_its_error() {
    let bed = Bed::new();
    let gaps = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&gaps);
    let handler = move |heard: Heard<u64>| {
        counts.fetch_add(usize::from(heard.gap().is_some()), Ordering::SeqCst);
        async { Ok(()) }
    };
    let mut slow = bed.events.subscribe::<u64>("a").capacity(2).await.unwrap();
    let failing = bed.events.subscribe::<u64>("a").capacity(2).when_full(Backpressure::Fail).await.unwrap();
    for n in 0..5 {
        bed.publish("a", n).await;
    }
    slow.drain();
    slow.handle(HandlerConfig::default(), bed.shared(), handler.clone()).await.unwrap();
    assert_eq!(gaps.load(Ordering::SeqCst), 1);
    let error = failing.handle(HandlerConfig::default(), bed.shared(), handler.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let none = bed.events.subscribe::<u64>("a").await.unwrap();
    let error = none.handle(HandlerConfig::default().with_concurrency(0), bed.shared(), handler).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
