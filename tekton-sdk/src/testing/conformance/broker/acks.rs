//! Laws of what is handed over until it is done.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::poll;

use super::{BrokerSubject, begin, event, events, expect, expect_all, publish};
use crate::{
    error::ErrorKind,
    patterns::events::{AckConfig, Broker, Counts, Events, Start, Subscription},
    testing::{FaultyBroker, PublishFault},
};

const WAIT: Duration = Duration::from_millis(400);
const AGAIN: Duration = Duration::from_millis(100);

fn acks() -> AckConfig {
    AckConfig::default().with_wait(WAIT)
}

fn has_acks<S: BrokerSubject + ?Sized>(subject: &S) -> bool {
    subject.broker().capabilities().acks
}

fn has_groups<S: BrokerSubject + ?Sized>(subject: &S) -> bool {
    let can = subject.broker().capabilities();
    can.groups && can.acks
}

/// Tells the broker what is to be told, and hears nothing.
async fn is_silent<T>(subscription: &mut Subscription<T>) {
    let heard = {
        let next = std::pin::pin!(subscription.next());
        poll!(next).is_pending()
    };
    assert!(heard, "nothing is due");
}

/// Lets the subscription work until it counts this, and hears nothing.
async fn until<S: BrokerSubject + ?Sized>(
    subject: &S,
    subscription: &mut Subscription<u64>,
    counted: impl Fn(Counts) -> bool,
) {
    for _ in 0..1000 {
        is_silent(subscription).await;
        if counted(subscription.counts()) {
            return;
        }
        subject.pass(Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
    }
    panic!("it was not counted: {:?}", subscription.counts());
}

/// Whatever time passes.
pub async fn what_is_acknowledged_does_not_come_again<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.a").acks(acks())).await;
    publish(&events, "law.a", 1).await;
    expect(&mut subscription, 1).await;
    subject.pass(2 * WAIT).await;
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
    assert_eq!(subscription.counts().redelivered, 0);
}

/// Not before, and what comes meanwhile is heard.
pub async fn what_is_refused_comes_again_after_its_time_with_its_number<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let mut subscription = begin(events.subscribe::<u64>("law.a").acks(acks())).await;
    publish(&events, "law.a", 1).await;
    for number in 1..4 {
        let refused = event(&mut subscription).await;
        assert_eq!((refused.data().expect("it is a number"), refused.number()), (1, number));
        let place = refused.cursor();
        refused.nack(AGAIN).await.expect("it is refused");
        publish(&events, "law.a", 2).await;
        expect(&mut subscription, 2).await;
        let cursor = subscription.cursor().expect("it heard something");
        assert!(cursor.sequence() < place.sequence(), "what is not done is asked for again after a restart");
        subject.pass(AGAIN).await;
    }
    let last = event(&mut subscription).await;
    assert_eq!(last.number(), 4);
    last.ack().await.expect("it is acknowledged");
}

/// A handler that was given up has not done it.
pub async fn what_is_dropped_comes_again<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let subscribe = events.subscribe::<u64>("law.a").acks(AckConfig::default()).again_after(AGAIN, AGAIN);
    let mut subscription = begin(subscribe).await;
    publish(&events, "law.a", 1).await;
    drop(event(&mut subscription).await);
    // Well before the time that an event may take.
    is_silent(&mut subscription).await;
    subject.pass(AGAIN).await;
    let again = event(&mut subscription).await;
    assert_eq!(again.number(), 2);
    again.ack().await.expect("it is acknowledged");
}

/// A handler that hangs has not done it.
pub async fn what_nobody_settles_comes_again_when_its_time_is_over<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let mut subscription = begin(events.subscribe::<u64>("law.a").acks(acks())).await;
    publish(&events, "law.a", 1).await;
    let hanging = event(&mut subscription).await;
    subject.pass(WAIT).await;
    let again = event(&mut subscription).await;
    assert_eq!(again.number(), 2);
    again.ack().await.expect("it is acknowledged");
    // Its outcome comes too late to matter.
    hanging.nack(Duration::ZERO).await.expect("it is refused");
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
}

/// As often as it says so.
pub async fn what_is_under_way_has_its_whole_time_again<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let mut subscription = begin(events.subscribe::<u64>("law.a").acks(acks())).await;
    publish(&events, "law.a", 1).await;
    let long = event(&mut subscription).await;
    for _ in 0..4 {
        subject.pass(WAIT / 2).await;
        long.progress().await.expect("it is told");
    }
    is_silent(&mut subscription).await;
    long.ack().await.expect("it is acknowledged");
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
    assert_eq!(subscription.counts().redelivered, 0);
}

/// The rest waits until one of them is settled.
pub async fn no_more_are_handed_over_than_may_be_unsettled<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let few = AckConfig::default().with_max_unsettled(2);
    let mut subscription = begin(events.subscribe::<u64>("law.a").acks(few)).await;
    for n in 0..4 {
        publish(&events, "law.a", n).await;
    }
    let (first, second) = (event(&mut subscription).await, event(&mut subscription).await);
    is_silent(&mut subscription).await;
    second.ack().await.expect("it is acknowledged");
    let third = event(&mut subscription).await;
    assert_eq!(third.data().expect("it is a number"), 2);
    is_silent(&mut subscription).await;
    first.ack().await.expect("it is acknowledged");
    third.ack().await.expect("it is acknowledged");
    expect(&mut subscription, 3).await;
}

/// After the deliveries that it has, and no sooner.
pub async fn an_event_is_let_go_when_its_dead_letter_stands<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let mut letters = begin(events.subscribe::<u64>("dead.law")).await;
    let subscribe = events.subscribe::<u64>("law.a").dead_letters("dead.law", 2).again_after(AGAIN, AGAIN);
    let mut subscription = begin(subscribe).await;
    publish(&events, "law.a", 1).await;
    for number in 1..=2 {
        let refused = event(&mut subscription).await;
        assert_eq!(refused.number(), number);
        refused.nack(Duration::ZERO).await.expect("it is refused");
    }
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
    let letter = event(&mut letters).await;
    assert_eq!(letter.data().expect("it is a number"), 1);
    assert_eq!(letter.message().attribute("deadtopic"), Some("law.a"));
    assert_eq!(letter.message().attribute("deaddeliveries"), Some("2"));
    publish(&events, "law.a", 3).await;
    expect(&mut subscription, 3).await;
    assert_eq!(subscription.counts().dead_lettered, 1);
}

/// Where dead letters are not taken, the event stays until they are, and the subscriber is left alone with it.
pub async fn without_its_dead_letter_an_event_is_not_let_go<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_acks(subject) {
        return;
    }
    let events = events(subject);
    let (down, faults) = FaultyBroker::shared(subject.broker(), subject.clock());
    faults.publish(3, PublishFault::FailBefore(ErrorKind::Connect));
    let mut letters = begin(events.subscribe::<u64>("dead.law")).await;
    let subscribe =
        events.subscribe::<u64>("law.a").dead_letters_to(Arc::new(down), "dead.law", 1).again_after(AGAIN, AGAIN);
    let mut subscription = begin(subscribe).await;
    publish(&events, "law.a", 1).await;
    event(&mut subscription).await.nack(Duration::ZERO).await.expect("it is refused");
    for failed in 1..=3 {
        until(subject, &mut subscription, |counts| counts.dead_letters_failed == failed).await;
        is_silent(&mut letters).await;
        subject.pass(AGAIN).await;
    }
    until(subject, &mut subscription, |counts| counts.dead_lettered == 1).await;
    expect(&mut letters, 1).await;
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
}

/// Each event goes to one of them.
pub async fn members_of_a_group_share_the_events<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_groups(subject) {
        return;
    }
    let events = events(subject);
    let member = || begin(events.subscribe::<u64>("law.a").acked().group("workers"));
    let (mut one, mut two) = (member().await, member().await);
    let mut alone = begin(events.subscribe::<u64>("law.a")).await;
    for n in 0..10 {
        publish(&events, "law.a", n).await;
    }
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        for worker in [&mut one, &mut two] {
            let event = event(worker).await;
            assert!(seen.insert(event.data().expect("it is a number")), "it went to two");
            event.ack().await.expect("it is acknowledged");
        }
    }
    assert_eq!(seen, (0..10).collect());
    expect_all(&mut alone, 0..10).await;
}

/// At once, with its next number.
pub async fn what_a_lost_member_had_goes_to_another<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_groups(subject) {
        return;
    }
    let events = events(subject);
    let member = || begin(events.subscribe::<u64>("law.a").acked().group("workers"));
    let (mut lost, mut stays) = (member().await, member().await);
    publish(&events, "law.a", 1).await;
    let had = event(&mut lost).await;
    drop(lost);
    let again = event(&mut stays).await;
    assert_eq!((again.data().expect("it is a number"), again.number()), (1, 2));
    again.ack().await.expect("it is acknowledged");
    drop(had);
    publish(&events, "law.a", 2).await;
    expect(&mut stays, 2).await;
}

/// What a member wants that the group does not do would be lost in silence.
pub async fn a_group_is_joined_with_the_same_settings_only<S: BrokerSubject + ?Sized>(subject: &S) {
    if !has_groups(subject) {
        return;
    }
    let events: Events = events(subject);
    let broker: Arc<dyn Broker> = Arc::clone(events.broker());
    let _first = begin(events.subscribe::<u64>("law.a").acked().group("workers")).await;
    let other = Events::shared(broker, subject.clock()).subscribe::<u64>("law.b").acked().group("workers").await;
    let error = other.map(drop).expect_err("it listens to something else");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report());
    let _same = begin(events.subscribe::<u64>("law.a").acked().group("workers").start(Start::New)).await;
}
