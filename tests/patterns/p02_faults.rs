//! Room 2: what is lost, doubled, late or refused on the way, and what is not done.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use tekton_sdk::{
    ErrorKind,
    patterns::events::{AckConfig, Cursor, Events, GapReason, Start, TopicFilter},
    testing::{BrokerFaults, DeliveryFault, FaultyBroker, PublishFault},
};

use super::p02_events::{Bed, event, is_silent, number};

const AGAIN: Duration = Duration::from_millis(100);

/// Events over a faulty road to the bed's broker.
fn faulty(bed: &Bed) -> (Events, BrokerFaults) {
    let (broker, faults) = FaultyBroker::new(bed.broker.clone(), bed.shared());
    (Events::new(broker, bed.shared()), faults)
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_event_that_does_not_arrive_is_a_gap() {
    let bed = Bed::new();
    let (events, faults) = faulty(&bed);
    let mut heard = events.subscribe::<u64>("a").await.unwrap();
    let first = bed.publish("a", 1).await;
    assert_eq!(number(&mut heard).await, 1);
    faults.deliver(3, DeliveryFault::Drop);
    for n in 2..6 {
        bed.publish("a", n).await;
    }
    let gap = heard.next().await.unwrap().unwrap().gap().unwrap();
    assert_eq!((gap.from, gap.to), (first, Cursor::new(first.epoch(), 4)));
    assert_eq!((gap.lost, gap.reason), (Some(3), GapReason::Skipped));
    assert_eq!(number(&mut heard).await, 5);
    assert_eq!(heard.counts().gaps, 1);
}

#[tokio::test]
async fn an_event_that_comes_twice_is_heard_once_and_one_that_comes_late_is_heard() {
    let bed = Bed::new();
    let (events, faults) = faulty(&bed);
    let mut heard = events.subscribe::<u64>("a").await.unwrap();
    faults.deliver(1, DeliveryFault::Duplicate).deliver(1, DeliveryFault::Swap);
    for n in 1..=4 {
        bed.publish("a", n).await;
    }
    assert_eq!(number(&mut heard).await, 1);
    // The number of the late one is missing when the next one comes; that it comes after all cannot be known.
    assert_eq!(heard.next().await.unwrap().unwrap().gap().unwrap().lost, Some(1));
    let mut came = Vec::new();
    for _ in 0..3 {
        came.push(number(&mut heard).await);
    }
    assert_eq!(came, [3, 2, 4]);
    let counts = heard.counts();
    assert_eq!((counts.duplicates, counts.late, counts.delivered), (1, 1, 4));
}

#[tokio::test]
async fn a_publisher_that_tries_again_after_a_lost_confirmation_is_heard_once() {
    let bed = Bed::new();
    let (events, faults) = faulty(&bed);
    let mut heard = bed.events.subscribe::<u64>("a").acked().await.unwrap();
    faults.publish(1, PublishFault::FailAfter(ErrorKind::Timeout));
    let message = events.publisher("a").unwrap().message(&7).unwrap().with_id("order-7");
    let error = events.publish(message.clone()).await.unwrap_err();
    assert_eq!(error.sent(), tekton_sdk::Sent::Maybe);
    events.publish(message).await.unwrap();
    event(&mut heard).await.ack().await.unwrap();
    // The second one is let go, not left to come again.
    assert!(is_silent(&mut heard) && is_silent(&mut heard));
    bed.clock.advance(Duration::from_secs(60));
    assert!(is_silent(&mut heard));
    assert_eq!(heard.counts().duplicates, 1);
}

#[tokio::test]
async fn a_delivery_that_is_lost_comes_again_where_it_is_to_be_acknowledged() {
    let bed = Bed::new();
    let (events, faults) = faulty(&bed);
    let acks = AckConfig::default().with_wait(Duration::from_secs(5));
    let mut heard = events.subscribe::<u64>("a").acks(acks).await.unwrap();
    faults.deliver(1, DeliveryFault::Drop);
    bed.publish("a", 1).await;
    assert!(is_silent(&mut heard));
    bed.clock.advance(Duration::from_secs(5));
    let again = event(&mut heard).await;
    assert_eq!((again.data().unwrap(), again.number()), (1, 2));
    again.ack().await.unwrap();
    assert_eq!(heard.counts().gaps, 0);
}

#[tokio::test]
async fn dropping_a_delivery_wakes_the_task_that_owns_the_subscription() {
    let bed = Bed::new();
    let mut heard = bed.events.subscribe::<u64>("a").acked().again_after(AGAIN, AGAIN).await.unwrap();
    bed.publish("a", 1).await;
    let dropped = event(&mut heard).await;
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    {
        let mut next = pin!(heard.next());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        let before = woken.0.load(Ordering::SeqCst);
        drop(dropped);
        assert!(woken.0.load(Ordering::SeqCst) > before, "the flag wakes it");
        assert!(next.as_mut().poll(&mut cx).is_pending(), "it comes again after its time");
        bed.clock.advance(AGAIN);
    }
    assert_eq!(event(&mut heard).await.number(), 2);
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let bed = Bed::new();
    let mut heard = bed.events.subscribe::<u64>("a").acked().again_after(AGAIN, AGAIN).await.unwrap();
    assert!(is_silent(&mut heard));
    bed.publish("a", 1).await;
    assert!(!is_silent(&mut heard), "it was given to a future that had it, and dropped it with its guard");
    assert!(is_silent(&mut heard));
    bed.clock.advance(AGAIN);
    let again = event(&mut heard).await;
    // An acknowledgement that is not even begun.
    drop(again.ack());
    assert!(is_silent(&mut heard));
    bed.clock.advance(AGAIN);
    let again = event(&mut heard).await;
    assert_eq!(again.number(), 3);
    again.ack().await.unwrap();
}

#[tokio::test]
async fn a_restart_hears_all_that_was_not_acknowledged() {
    let bed = Bed::new();
    let mut heard = bed.events.subscribe::<u64>("a").acked().await.unwrap();
    for n in 0..5 {
        bed.publish("a", n).await;
    }
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(event(&mut heard).await);
    }
    open.remove(3).ack().await.unwrap();
    open.remove(0).ack().await.unwrap();
    let cursor = heard.cursor().unwrap();
    assert_eq!(cursor.sequence(), 1, "the second is the first that is open");
    drop((heard, open));
    let mut again = bed.events.subscribe::<u64>("a").acked().start(Start::After(cursor)).await.unwrap();
    let mut came = Vec::new();
    for _ in 0..4 {
        came.push(number(&mut again).await);
    }
    assert_eq!(came, [1, 2, 3, 4]);
}

#[tokio::test]
async fn data_that_is_not_what_was_expected_is_an_error_of_that_event_alone() {
    let bed = Bed::new();
    let mut letters = bed.events.subscribe::<String>("dead.a").await.unwrap();
    let mut heard = bed.events.subscribe::<u64>("a").dead_letters("dead.a", 1).await.unwrap();
    bed.events.publisher("a").unwrap().send("no number").await.unwrap();
    bed.publish("a", 2).await;
    let odd = event(&mut heard).await;
    let error = odd.data().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(odd.read::<&str>().unwrap(), "no number");
    odd.nack(Duration::ZERO).await.unwrap();
    let next = event(&mut heard).await;
    assert_eq!(next.data().unwrap(), 2);
    next.ack().await.unwrap();
    assert_eq!(event(&mut letters).await.data().unwrap(), "no number");
}

#[tokio::test]
async fn a_dead_letter_sink_that_is_down_lets_nothing_go() {
    for fault in [PublishFault::FailBefore(ErrorKind::Connect), PublishFault::Hang] {
        let bed = Bed::new();
        let (events, faults) = faulty(&bed);
        faults.publish_on(TopicFilter::parse("dead.>").unwrap(), usize::MAX, fault);
        let mut letters = bed.events.subscribe::<u64>("dead.a").await.unwrap();
        let subscribe = events.subscribe::<u64>("a").dead_letters("dead.a", 2).again_after(AGAIN, AGAIN);
        let mut heard = subscribe.await.unwrap();
        bed.publish("a", 1).await;
        for _ in 0..2 {
            event(&mut heard).await.nack(Duration::ZERO).await.unwrap();
        }
        for _ in 0..50 {
            assert!(is_silent(&mut heard), "the subscriber is not given it any more");
            bed.clock.advance(Duration::from_secs(15));
        }
        let counts = heard.counts();
        assert!(counts.dead_letters_failed > 10 && counts.dead_lettered == 0, "{fault:?}: {counts:?}");
        assert!(is_silent(&mut letters));
        faults.clear();
        for _ in 0..3 {
            assert!(is_silent(&mut heard));
            bed.clock.advance(Duration::from_secs(15));
        }
        assert_eq!(heard.counts().dead_lettered, 1);
        assert_eq!(number(&mut letters).await, 1);
        assert!(is_silent(&mut letters));
    }
}

#[tokio::test]
async fn a_dead_letter_whose_confirmation_is_lost_is_written_again_under_the_same_id() {
    let bed = Bed::new();
    let (events, faults) = faulty(&bed);
    let mut letters = bed.events.subscribe::<u64>("dead.a").await.unwrap();
    let subscribe = events.subscribe::<u64>("a").dead_letters("dead.a", 1).again_after(AGAIN, AGAIN);
    let mut heard = subscribe.await.unwrap();
    faults.publish_on(TopicFilter::parse("dead.a").unwrap(), 1, PublishFault::FailAfter(ErrorKind::Timeout));
    bed.publish("a", 1).await;
    event(&mut heard).await.nack(Duration::ZERO).await.unwrap();
    assert!(is_silent(&mut heard));
    bed.clock.advance(AGAIN);
    assert!(is_silent(&mut heard));
    let counts = heard.counts();
    assert_eq!((counts.dead_letters_failed, counts.dead_lettered), (1, 1));
    assert_eq!(number(&mut letters).await, 1);
    assert!(is_silent(&mut letters));
    assert_eq!(letters.counts().duplicates, 1);
}

#[tokio::test]
async fn an_event_waits_longer_each_time_up_to_the_bound() {
    let bed = Bed::new();
    let most = Duration::from_millis(350);
    let mut heard = bed.events.subscribe::<u64>("a").acked().again_after(AGAIN, most).await.unwrap();
    bed.publish("a", 1).await;
    for wait in [100, 200, 350, 350] {
        drop(event(&mut heard).await);
        assert!(is_silent(&mut heard));
        bed.clock.advance(Duration::from_millis(wait - 1));
        assert!(is_silent(&mut heard), "{wait}");
        bed.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(event(&mut heard).await.number(), 5);
}

#[tokio::test]
async fn a_member_that_hangs_loses_its_event_to_another() {
    let bed = Bed::new();
    let acks = AckConfig::default().with_wait(Duration::from_secs(5));
    let member = || bed.events.subscribe::<u64>("a").acks(acks).group("workers");
    let (mut one, mut two) = (member().await.unwrap(), member().await.unwrap());
    bed.publish("a", 1).await;
    let hanging = event(&mut one).await;
    assert!(is_silent(&mut two));
    bed.clock.advance(Duration::from_secs(5));
    let taken = event(&mut two).await;
    assert_eq!(taken.number(), 2);
    taken.ack().await.unwrap();
    drop(hanging);
    bed.clock.advance(Duration::from_secs(60));
    assert!(is_silent(&mut one) && is_silent(&mut two));
}

#[tokio::test]
async fn a_member_that_drains_settles_what_it_has_and_leaves_the_rest_to_the_others() {
    let bed = Bed::new();
    let member = || bed.events.subscribe::<u64>("a").acked().group("workers");
    let (mut one, mut two) = (member().await.unwrap(), member().await.unwrap());
    for n in 0..4 {
        bed.publish("a", n).await;
    }
    let had = event(&mut one).await;
    one.drain();
    assert!(one.next().await.is_none());
    had.ack().await.unwrap();
    for n in 1..4 {
        let event = event(&mut two).await;
        assert_eq!((event.data().unwrap(), event.number()), (n, 1));
        event.ack().await.unwrap();
    }
    drop(one);
    assert!(is_silent(&mut two));
}
