//! Laws of the end.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use std::time::Duration;

use futures_util::poll;

use super::{BrokerSubject, LONG, begin, event, events, expect, expect_all, publish};
use crate::{
    error::ErrorKind,
    patterns::events::{ConnectionState, Subscription},
};

/// What is published after it is not heard.
pub async fn a_drained_subscription_gives_what_waits_and_ends<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.a")).await;
    publish(&events, "law.a", 1).await;
    publish(&events, "law.a", 2).await;
    // It has arrived: a broker behind a road may take its time.
    expect(&mut subscription, 1).await;
    subscription.drain();
    publish(&events, "law.a", 3).await;
    expect(&mut subscription, 2).await;
    assert!(subscription.next().await.is_none(), "it ends");
    assert!(subscription.next().await.is_none(), "and stays so");
}

/// Its connection says so.
pub async fn a_drained_broker_gives_what_waits_and_takes_nothing_more<S: BrokerSubject + ?Sized>(subject: &S) {
    let (events, broker) = (events(subject), subject.broker());
    let mut subscription = begin(events.subscribe("law.a")).await;
    for n in 0..3 {
        publish(&events, "law.a", n).await;
    }
    expect(&mut subscription, 0).await;
    let hearing = async {
        expect_all(&mut subscription, 1..3).await;
        assert!(subscription.next().await.is_none(), "it ends");
    };
    let (drained, ()) = futures_util::future::join(broker.drain(LONG), hearing).await;
    drained.unwrap_or_else(|error| panic!("it is drained: {}", error.report()));
    let publisher = events.publisher("law.a").expect("it is a topic");
    let published = publisher.send(&4).await.expect_err("it takes nothing more");
    let subscribed = events.subscribe::<u64>("law.a").await.map(drop).expect_err("it takes nobody more");
    for error in [published, subscribed] {
        assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.report());
    }
    assert_eq!(broker.connection().state(), ConnectionState::Closed);
}

/// And ends all the same.
pub async fn a_drain_that_takes_too_long_says_what_is_left<S: BrokerSubject + ?Sized>(subject: &S) {
    if !subject.broker().capabilities().acks {
        return;
    }
    let (events, broker) = (events(subject), subject.broker());
    let mut subscription: Subscription<u64> = begin(events.subscribe("law.a").acked()).await;
    publish(&events, "law.a", 1).await;
    let hanging = event(&mut subscription).await;
    let within = Duration::from_millis(200);
    let mut draining = Box::pin(broker.drain(within));
    assert!(poll!(&mut draining).is_pending(), "one event is not settled");
    subject.pass(within).await;
    let error = draining.await.expect_err("one event is not settled");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{}", error.report());
    assert!(error.to_string().contains("1 event"), "{error}");
    assert!(subscription.next().await.is_none(), "it ends");
    drop(hanging);
}
