//! Laws of subscribers that do not keep up.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use futures_util::poll;

use super::{BrokerSubject, LONG, begin, event, events, expect, expect_all, gap, publish};
use crate::{
    error::{ErrorKind, Sent},
    patterns::events::{Backpressure, GapReason, Start},
};

/// The gap stands where they stood, and counts them.
pub async fn the_oldest_are_dropped_and_told_as_a_gap<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut witness = begin(events.subscribe::<u64>("law.a")).await;
    let mut slow = begin(events.subscribe("law.a").capacity(3).when_full(Backpressure::DropOldest)).await;
    for n in 0..10 {
        publish(&events, "law.a", n).await;
    }
    let mut places = Vec::new();
    for _ in 0..10 {
        places.push(event(&mut witness).await.cursor());
    }
    let told = gap(&mut slow).await;
    assert_eq!((told.to, told.lost, told.reason), (places[6], Some(7), GapReason::Overflow));
    assert_eq!(slow.cursor(), Some(places[6]));
    expect_all(&mut slow, 7..10).await;
    assert_eq!((slow.counts().queue.dropped, slow.counts().gaps), (7, 1));
}

/// What waited is heard, then the gap, then what had room again.
pub async fn the_newest_are_dropped_and_told_as_a_gap<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut slow = begin(events.subscribe("law.a").capacity(3).when_full(Backpressure::DropNewest)).await;
    for n in 0..10 {
        publish(&events, "law.a", n).await;
    }
    expect(&mut slow, 0).await;
    let last = slow.cursor();
    publish(&events, "law.a", 10).await;
    expect_all(&mut slow, 1..3).await;
    let told = gap(&mut slow).await;
    assert_eq!((told.lost, told.reason), (Some(7), GapReason::Overflow));
    assert!(last.is_some_and(|last| last.sequence() < told.from.sequence()), "{last:?} {told:?}");
    expect(&mut slow, 10).await;
    assert_eq!(slow.counts().queue.dropped, 7);
}

/// Nothing is lost: from its cursor the rest is heard.
pub async fn a_subscription_that_is_to_fail_gives_what_waited_and_then_an_error<S: BrokerSubject + ?Sized>(
    subject: &S,
) {
    let events = events(subject);
    let mut slow = begin(events.subscribe("law.a").capacity(3).when_full(Backpressure::Fail)).await;
    for n in 0..10 {
        publish(&events, "law.a", n).await;
    }
    expect_all(&mut slow, 0..3).await;
    let error = slow.next().await.expect("it does not end in silence").expect_err("it fell behind");
    assert_eq!(error.kind(), ErrorKind::Rejected, "{}", error.report());
    assert!(slow.next().await.is_none(), "after the error it has ended");
    if subject.broker().capabilities().history {
        let cursor = slow.cursor().expect("it heard something");
        let mut again = begin(events.subscribe("law.a").start(Start::After(cursor))).await;
        expect_all(&mut again, 3..10).await;
    }
}

/// In the order of the newest.
pub async fn of_each_key_the_latest_is_kept<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut slow = begin(events.subscribe("law.*").capacity(3).when_full(Backpressure::KeepLatest)).await;
    for n in 0..30 {
        publish(&events, ["law.a", "law.b", "law.c"][n as usize % 3], n).await;
    }
    expect_all(&mut slow, 27..30).await;
    let counts = slow.counts();
    assert_eq!((counts.queue.dropped, counts.queue.replaced, counts.gaps), (0, 27, 0));
    let publisher = events.publisher("law.a").expect("it is a topic");
    for (key, n) in [("x", 1), ("y", 2), ("x", 3)] {
        let message = publisher.message(&n).expect("it is JSON").with_key(key);
        events.publish(message).await.expect("it is published");
    }
    expect_all(&mut slow, 2..=3).await;
}

/// Where that is declared: nothing is lost.
pub async fn a_publisher_that_is_held_back_goes_on_when_there_is_room<S: BrokerSubject + ?Sized>(subject: &S) {
    if !subject.broker().capabilities().holds_back {
        return;
    }
    let events = events(subject);
    let mut slow = begin(events.subscribe("law.a").capacity(2).when_full(Backpressure::Block)).await;
    let mut other = begin(events.subscribe("law.a")).await;
    publish(&events, "law.a", 0).await;
    publish(&events, "law.a", 1).await;
    let publisher = events.publisher("law.a").expect("it is a topic");
    let mut held = Box::pin(publisher.send(&2));
    assert!(poll!(&mut held).is_pending(), "there is no room");
    expect(&mut slow, 0).await;
    held.await.expect("there is room");
    expect_all(&mut slow, 1..3).await;
    expect_all(&mut other, 0..3).await;
}

/// All or nobody: the others hear nothing of it either.
pub async fn a_publisher_that_is_held_back_too_long_is_refused_and_nobody_hears_it<S: BrokerSubject + ?Sized>(
    subject: &S,
) {
    if !subject.broker().capabilities().holds_back {
        return;
    }
    let events = events(subject);
    let mut slow = begin(events.subscribe("law.a").capacity(1).when_full(Backpressure::Block)).await;
    let mut other = begin(events.subscribe("law.a")).await;
    publish(&events, "law.a", 0).await;
    let publisher = events.publisher("law.a").expect("it is a topic");
    let mut held = Box::pin(publisher.send(&1));
    assert!(poll!(&mut held).is_pending(), "there is no room");
    subject.pass(LONG).await;
    let error = held.await.expect_err("there was no room in time");
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::No), "{}", error.report());
    expect(&mut slow, 0).await;
    publish(&events, "law.a", 2).await;
    expect(&mut slow, 2).await;
    expect_all(&mut other, [0, 2]).await;
}

/// Each has its own queue.
pub async fn a_slow_subscription_does_not_hold_others_up<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let policies = [Backpressure::DropOldest, Backpressure::DropNewest, Backpressure::Fail, Backpressure::KeepLatest];
    let mut slow = Vec::new();
    for policy in policies {
        slow.push(begin(events.subscribe::<u64>("law.a").capacity(2).when_full(policy)).await);
    }
    let mut quick = begin(events.subscribe("law.a").capacity(4)).await;
    for n in 0..50 {
        publish(&events, "law.a", n).await;
        expect(&mut quick, n).await;
    }
    assert_eq!(quick.counts().gaps, 0);
}
