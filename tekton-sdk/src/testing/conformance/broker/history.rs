//! Laws of what is kept for those who come later.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use std::time::Duration;

use super::{BrokerSubject, begin, event, events, expect, expect_all, gap, publish};
use crate::patterns::events::{Cursor, Events, GapReason, Interest, Start, TopicFilter};

fn keeps<S: BrokerSubject + ?Sized>(subject: &S) -> bool {
    subject.broker().capabilities().history
}

/// Nothing is heard twice, nothing is left out, and there is no gap.
pub async fn what_followed_a_cursor_is_heard<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let events = events(subject);
    let mut first = begin(events.subscribe("law.*")).await;
    for n in 0..10 {
        publish(&events, ["law.a", "law.b"][n as usize % 2], n).await;
    }
    expect_all(&mut first, 0..4).await;
    let cursor = first.cursor().expect("it heard something");
    drop(first);
    let mut again = begin(events.subscribe("law.*").start(Start::After(cursor))).await;
    expect_all(&mut again, 4..10).await;
    let end = again.cursor().expect("it heard something");
    let mut at_the_end = begin(events.subscribe("law.a").start(Start::After(end))).await;
    publish(&events, "law.a", 10).await;
    expect(&mut at_the_end, 10).await;
}

/// Also by one that heard nothing.
pub async fn a_feed_that_was_lost_unheard_is_taken_up_where_it_began<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let events = events(subject);
    publish(&events, "law.a", 1).await;
    let filter = TopicFilter::parse("law.a").expect("it is a filter");
    let lost = subject.broker().subscribe(Interest::new(vec![filter])).await.expect("the subscription begins");
    let began = lost.begins_after();
    publish(&events, "law.a", 2).await;
    drop(lost);
    publish(&events, "law.a", 3).await;
    // A broker may not know.
    let Some(began) = began else { return };
    let mut again = begin(events.subscribe("law.a").start(Start::After(began))).await;
    expect_all(&mut again, 2..=3).await;
}

/// Of the topics that are listened to.
pub async fn the_oldest_event_that_is_kept_is_heard_first<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let events = events(subject);
    for n in 0..100 {
        publish(&events, ["law.a", "law.b"][n as usize % 2], n).await;
    }
    let mut subscription = begin(events.subscribe("law.b").start(Start::Oldest)).await;
    expect_all(&mut subscription, (0..100).filter(|n| n % 2 == 1)).await;
}

/// By the broker's clock, the moment itself included.
pub async fn what_was_published_since_a_time_is_heard<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let events = events(subject);
    let mut witness = begin(events.subscribe::<u64>("law.a")).await;
    for n in 0..6 {
        publish(&events, "law.a", n).await;
        subject.pass(Duration::from_millis(20)).await;
    }
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(event(&mut witness).await.time());
    }
    assert!(times.is_sorted(), "{times:?}");
    let mut since = begin(events.subscribe("law.a").start(Start::At(times[3]))).await;
    expect_all(&mut since, 3..6).await;
    publish(&events, "law.a", 6).await;
    expect(&mut since, 6).await;
}

/// Whatever is published while the history is read.
pub async fn a_replay_goes_over_to_what_is_published_without_a_hole<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let events = events(subject);
    for n in 0..300 {
        publish(&events, "law.a", n).await;
    }
    let mut subscription = begin(events.subscribe("law.a").start(Start::Oldest)).await;
    for n in 0..300 {
        expect(&mut subscription, n).await;
        publish(&events, "law.a", 300 + n).await;
    }
    expect_all(&mut subscription, 300..600).await;
    assert_eq!(subscription.counts().duplicates, 0, "the broker sends each once");
}

/// Nothing of the new epoch was heard, and what the old one still held nobody knows.
pub async fn another_epoch_is_a_gap_and_then_all_of_it<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let old = events(subject);
    let mut before = begin(old.subscribe("law.a")).await;
    publish(&old, "law.a", 0).await;
    expect(&mut before, 0).await;
    let cursor = before.cursor().expect("it heard something");
    let Some(broker) = subject.restarted(false).await.expect("it starts") else { return };
    let new = Events::shared(broker, subject.clock());
    publish(&new, "law.a", 1).await;
    publish(&new, "law.a", 2).await;
    let mut after = begin(new.subscribe::<u64>("law.a").start(Start::After(cursor))).await;
    let told = gap(&mut after).await;
    assert_eq!((told.from, told.lost, told.reason), (cursor, None, GapReason::Restarted));
    assert_ne!(told.to.epoch(), cursor.epoch());
    assert_eq!(after.cursor(), Some(told.to), "what is lost is not asked for again");
    expect_all(&mut after, 1..=2).await;
}

/// The publisher may go down and come back; who was away goes on.
pub async fn a_restart_with_the_history_is_no_gap<S: BrokerSubject + ?Sized>(subject: &S) {
    if !keeps(subject) {
        return;
    }
    let old = events(subject);
    let mut before = begin(old.subscribe("law.a")).await;
    publish(&old, "law.a", 0).await;
    publish(&old, "law.a", 1).await;
    expect(&mut before, 0).await;
    let cursor: Cursor = before.cursor().expect("it heard something");
    let Some(broker) = subject.restarted(true).await.expect("it starts") else { return };
    let new = Events::shared(broker, subject.clock());
    publish(&new, "law.a", 2).await;
    let mut after = begin(new.subscribe("law.a").start(Start::After(cursor))).await;
    expect_all(&mut after, 1..=2).await;
}
