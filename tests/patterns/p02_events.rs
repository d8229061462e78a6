//! Room 2: bounds, replay, topics and the door. What every broker must do stands among the laws.

use std::{sync::Arc, time::Duration};

use futures_util::poll;
use tekton_sdk::{
    Context, ErrorKind, Tekton,
    patterns::events::{
        Backpressure, Broker, Cursor, Delivery, Events, GapReason, Heard, MemoryBroker, MemoryBrokerConfig, Start,
        Subscription, Topic,
    },
    random::Random,
    telemetry::Observers,
    testing::{EventLog, TestBed},
    time::{ManualClock, SharedClock},
    wire::trace::TraceContext,
};

/// Events in memory, with a clock that the test moves and a log of what is told.
pub(crate) struct Bed {
    pub(crate) events: Events,
    pub(crate) broker: MemoryBroker,
    pub(crate) clock: ManualClock,
    pub(crate) log: EventLog,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(MemoryBrokerConfig::default())
    }

    pub(crate) fn with(config: MemoryBrokerConfig) -> Self {
        let (clock, log) = (ManualClock::new(), EventLog::default());
        let observers = Observers::new(vec![Arc::new(log.clone())]);
        let shared = SharedClock::new(clock.clone());
        let broker = MemoryBroker::new(config, shared.clone(), &Random::seeded(1)).unwrap();
        let broker = broker.with_observers(observers.clone());
        let events = Events::new(broker.clone(), shared).with_observers(observers);
        Self { events, broker, clock, log }
    }

    pub(crate) fn shared(&self) -> SharedClock {
        SharedClock::new(self.clock.clone())
    }

    pub(crate) async fn publish(&self, topic: &str, data: u64) -> Cursor {
        self.events.publisher(topic).unwrap().send(&data).await.unwrap().cursor.unwrap()
    }
}

pub(crate) async fn event<T: std::fmt::Debug>(subscription: &mut Subscription<T>) -> Delivery<T> {
    match subscription.next().await.unwrap().unwrap() {
        Heard::Event(event) => event,
        other => panic!("expected an event, got {other:?}"),
    }
}

pub(crate) async fn number(subscription: &mut Subscription<u64>) -> u64 {
    event(subscription).await.data().unwrap()
}

pub(crate) fn is_silent<T>(subscription: &mut Subscription<T>) -> bool {
    use futures_util::FutureExt;
    subscription.next().now_or_never().is_none()
}

#[tokio::test]
async fn a_subscriber_that_stops_reading_is_told_of_once_a_window_with_a_count() {
    let bed = Bed::new();
    let slow = bed.events.subscribe::<u64>("jobs.*").and("more.>").capacity(2).await.unwrap();
    for n in 0..12 {
        bed.publish("jobs.a", n).await;
    }
    bed.clock.advance(Duration::from_secs(10));
    for n in 0..3 {
        bed.publish("jobs.a", n).await;
    }
    assert_eq!(slow.counts().queue.dropped, 13);
    drop(slow);
    let told = bed.log.named("slow_subscriber");
    let lost: Vec<_> = told.iter().map(|event| event.field("lost").unwrap()).collect();
    // The first at once, the nine others with the first of the next window, and the last two when it ends.
    assert_eq!(lost, ["1", "10", "2"]);
    assert_eq!(told[0].field("subscription"), Some("jobs.* more.>"));
    assert_eq!(told[0].field("policy"), Some("drop_oldest"));
}

#[tokio::test]
async fn a_publisher_faster_than_all_fills_no_more_than_the_caps() {
    let bed = Bed::new();
    let by_count = bed.events.subscribe::<String>("a").capacity(64).await.unwrap();
    let mut by_bytes = bed.events.subscribe::<String>("a").capacity_bytes(10_000).await.unwrap();
    let text = "x".repeat(900);
    for _ in 0..5000 {
        bed.events.publisher("a").unwrap().send(&text).await.unwrap();
    }
    assert_eq!(by_count.counts().queue.waiting, 64);
    let waiting = by_bytes.counts().queue.waiting;
    assert!((8..=11).contains(&waiting), "{waiting}");
    let gap = by_bytes.next().await.unwrap().unwrap().gap().unwrap();
    assert_eq!((gap.lost, gap.reason), (Some(5000 - waiting as u64), GapReason::Overflow));
}

#[tokio::test]
async fn a_subscription_that_always_has_something_lets_others_have_their_turn() {
    let bed = Bed::new();
    let mut busy = bed.events.subscribe::<u64>("a").await.unwrap();
    for n in 0..1000 {
        bed.publish("a", n).await;
    }
    let mut in_a_row = 0;
    while !is_silent(&mut busy) {
        in_a_row += 1;
        assert!(in_a_row < 1000, "it never paused");
    }
    // It goes on by itself.
    let mut left = 0;
    while left + in_a_row < 1000 {
        number(&mut busy).await;
        left += 1;
    }
}

#[tokio::test]
async fn what_the_history_let_go_is_a_gap() {
    let bed = Bed::with(MemoryBrokerConfig::default().with_history_events(5));
    let first = bed.publish("a", 0).await;
    for n in 1..20 {
        bed.publish("a", n).await;
    }
    let mut late = bed.events.subscribe::<u64>("a").start(Start::After(first)).await.unwrap();
    let gap = late.next().await.unwrap().unwrap().gap().unwrap();
    assert_eq!((gap.from, gap.to.sequence(), gap.lost), (first, 15, None));
    assert_eq!(gap.reason, GapReason::Expired);
    for n in 15..20 {
        assert_eq!(number(&mut late).await, n);
    }
    assert!(is_silent(&mut late));
    let ahead = Cursor::new(first.epoch(), 99);
    let mut ahead = bed.events.subscribe::<u64>("a").start(Start::After(ahead)).await.unwrap();
    let gap = ahead.next().await.unwrap().unwrap().gap().unwrap();
    assert_eq!((gap.to.sequence(), gap.reason), (20, GapReason::Restarted));
}

#[tokio::test]
async fn a_replay_that_the_history_overtakes_is_told_of_it() {
    let bed = Bed::with(MemoryBrokerConfig::default().with_history_events(100));
    for n in 0..100 {
        bed.publish("a", n).await;
    }
    let mut slow = bed.events.subscribe::<u64>("a").start(Start::Oldest).await.unwrap();
    assert_eq!(number(&mut slow).await, 0);
    for n in 100..1000 {
        bed.publish("a", n).await;
    }
    // What was read already is given out first.
    let mut heard = 1;
    let gap = loop {
        match slow.next().await.unwrap().unwrap() {
            Heard::Event(event) => heard += u64::from(event.data().unwrap() == heard),
            Heard::Gap(gap) => break gap,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((gap.from.sequence(), gap.to.sequence(), gap.reason), (heard, 900, GapReason::Expired));
    for n in 900..1000 {
        assert_eq!(number(&mut slow).await, n);
    }
}

#[tokio::test]
async fn the_history_is_bounded_in_bytes_and_age() {
    let config = MemoryBrokerConfig::default().with_history_bytes(4000).with_history_age(Some(Duration::from_secs(60)));
    let bed = Bed::with(config);
    for _ in 0..50 {
        bed.events.publisher("a").unwrap().send(&"x".repeat(900)).await.unwrap();
    }
    let mut all = bed.events.subscribe::<String>("a").start(Start::Oldest).await.unwrap();
    let mut kept = 0;
    while !is_silent(&mut all) {
        kept += 1;
    }
    assert_eq!(kept, 4);
    bed.clock.advance(Duration::from_secs(61));
    let mut old = bed.events.subscribe::<String>("a").start(Start::Oldest).await.unwrap();
    assert!(is_silent(&mut old));
}

#[tokio::test]
async fn a_time_before_what_is_kept_is_a_gap_and_one_within_is_not() {
    let bed = Bed::with(MemoryBrokerConfig::default().with_history_events(3));
    let began = tekton_sdk::time::Clock::wall(&bed.clock);
    for n in 0..6 {
        bed.publish("a", n).await;
        bed.clock.advance(Duration::from_secs(1));
    }
    let since = |seconds| Start::At(began + Duration::from_secs(seconds));
    let mut old = bed.events.subscribe::<u64>("a").start(since(1)).await.unwrap();
    assert_eq!(old.next().await.unwrap().unwrap().gap().unwrap().reason, GapReason::Expired);
    assert_eq!(number(&mut old).await, 3);
    let mut within = bed.events.subscribe::<u64>("a").start(since(4)).await.unwrap();
    assert_eq!(number(&mut within).await, 4);
    let mut ahead = bed.events.subscribe::<u64>("a").start(since(99)).await.unwrap();
    assert!(is_silent(&mut ahead));
}

#[tokio::test]
async fn markup_is_no_topic_anywhere() {
    let bed = Bed::new();
    let markup = "jobs.<img src=x onerror=alert(1)>";
    let refused = [
        bed.events.publisher(markup).map(drop).unwrap_err(),
        bed.events.subscribe::<u64>(markup).await.map(drop).unwrap_err(),
        bed.events.subscribe::<u64>("jobs.a").dead_letters(markup, 1).await.map(drop).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("token 2 has a character other than"), "{error}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_topics_are_heard_and_leave_nothing_behind() {
    let bed = Bed::new();
    let mut one = bed.events.subscribe::<u64>("jobs.77777.done").await.unwrap();
    let mut all = bed.events.subscribe::<u64>("jobs.*.done").when_full(Backpressure::Fail).await.unwrap();
    for n in 0..100_000 {
        bed.publish(&format!("jobs.{n}.done"), n).await;
        assert_eq!(number(&mut all).await, n);
        if n % 100 == 99 {
            is_silent(&mut all);
        }
    }
    assert_eq!(number(&mut one).await, 77_777);
    assert!(is_silent(&mut one));
    assert_eq!(bed.broker.subscriptions(), 2);
}

#[tokio::test]
async fn wildcard_bombs_are_refused_at_the_cap_and_give_their_places_back() {
    let bed = Bed::with(MemoryBrokerConfig::default().with_max_stars(64).with_max_subscriptions(200));
    let mut bombs = Vec::new();
    let refused = loop {
        let filter: Vec<_> = (0..10).map(|at| if bombs.len() >> at & 1 == 0 { "*" } else { "a" }).collect();
        match bed.events.subscribe::<u64>(filter.join(".")).await {
            Ok(bomb) => bombs.push(bomb),
            Err(error) => break error,
        }
    };
    assert_eq!((refused.kind(), refused.sent()), (ErrorKind::Rejected, tekton_sdk::Sent::No));
    assert_eq!(refused.to_string(), "the broker holds 64 stars in filters, no more are allowed");
    // Who asks for a plain topic has a place.
    let mut plain = bed.events.subscribe::<u64>("a.a").await.unwrap();
    bed.publish("a.a", 1).await;
    assert_eq!(number(&mut plain).await, 1);
    drop(bombs);
    drop(bed.events.subscribe::<u64>("*.*.*.*.*.*").await.unwrap());

    let mut many = Vec::new();
    while let Ok(subscription) = bed.events.subscribe::<u64>("a").await {
        many.push(subscription);
    }
    assert_eq!(bed.broker.subscriptions(), 200);
    drop(many);
    assert_eq!(bed.broker.subscriptions(), 1);
}

#[tokio::test]
async fn a_publisher_that_is_held_back_hears_of_a_drain() {
    let bed = Bed::new();
    let _stuck = bed.events.subscribe::<u64>("a").capacity(1).when_full(Backpressure::Block).await.unwrap();
    bed.publish("a", 1).await;
    let publisher = bed.events.publisher("a").unwrap();
    let mut held = Box::pin(publisher.send(&2));
    assert!(poll!(&mut held).is_pending());
    let mut draining = Box::pin(bed.broker.drain(Duration::from_secs(1)));
    assert!(poll!(&mut draining).is_pending());
    assert_eq!(held.await.unwrap_err().kind(), ErrorKind::Closed);
    bed.clock.advance(Duration::from_secs(1));
    let error = draining.await.unwrap_err();
    assert!(error.to_string().contains("1 events were not handed over"), "{error}");
}

#[tokio::test]
async fn a_held_back_publisher_that_is_given_up_publishes_nothing() {
    let bed = Bed::new();
    let mut slow = bed.events.subscribe::<u64>("a").capacity(1).when_full(Backpressure::Block).await.unwrap();
    bed.publish("a", 1).await;
    let publisher = bed.events.publisher("a").unwrap();
    let mut held = Box::pin(publisher.send(&2));
    assert!(poll!(&mut held).is_pending());
    drop(held);
    assert_eq!(number(&mut slow).await, 1);
    bed.publish("a", 3).await;
    assert_eq!(number(&mut slow).await, 3);
}

#[tokio::test]
async fn what_is_published_in_an_operation_carries_its_trace_and_the_handles_name() {
    let bed = TestBed::new().unwrap();
    let tekton = bed.tekton();
    let mut heard = tekton.events().subscribe::<u64>("a").await.unwrap();
    let trace = TraceContext::new_root([1; 16], [2; 8], true);
    let context = Context::new().with_trace(Some(trace.clone()));
    let other = tekton.calling_as("other").events();
    context.scope(async { other.publisher("a").unwrap().send(&7).await.unwrap() }).await;
    let event = event(&mut heard).await;
    assert_eq!((event.message().source(), event.message().trace()), (Some("other"), Some(&trace)));
    // The same broker, whichever clone or name is asked.
    assert!(Arc::ptr_eq(tekton.events().broker(), other.broker()));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_handle_publishes_through_the_broker_that_its_builder_was_given() {
    let broker = MemoryBroker::default();
    let tekton = Tekton::builder().named("test").broker(broker.clone()).build().unwrap();
    let mut heard = Events::new(broker, SharedClock::default()).subscribe::<u64>("a").await.unwrap();
    tekton.events().publisher("a").unwrap().send(&7).await.unwrap();
    assert_eq!(number(&mut heard).await, 7);
}

#[tokio::test]
async fn senseless_settings_are_named() {
    let bed = Bed::new();
    let error = bed.events.subscribe::<u64>("jobs.>").dead_letters("jobs.dead", 3).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the subscription hears its own dead letters on jobs.dead");
    let error = bed.events.subscribe::<u64>("a").dead_letters("dead.a", 0).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let error = bed.events.subscribe::<u64>("a").capacity(0).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "`capacity` must be at least 1");
    let config = MemoryBrokerConfig::default().with_max_stars(0);
    let error = MemoryBroker::new(config, SharedClock::default(), &Random::seeded(1)).unwrap_err();
    assert_eq!(error.to_string(), "`max_stars` of a memory broker must be at least 1");
    assert!(Topic::parse("a").is_ok());
}
