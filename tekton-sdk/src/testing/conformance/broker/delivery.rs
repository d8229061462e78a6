//! Laws of what is heard by whom.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use super::{BrokerSubject, begin, event, events, expect, expect_all, publish};
use crate::{
    error::ErrorKind,
    patterns::events::{
        AckConfig, Backpressure, ConnectionState, Cursor, Interest, Message, Start, Topic, TopicFilter,
    },
    wire::trace::TraceContext,
};

/// Topic, data to the byte, id, key, source, trace and attributes.
pub async fn an_event_arrives_as_it_was_published<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe::<serde_json::Value>("law.one")).await;
    let topic = Topic::parse("law.one").expect("it is a topic");
    let message = Message::raw(topic, r#"{"b": 1.0, "a": ["ä", null, 12345678901234567890]}"#)
        .expect("it is JSON")
        .with_id("the-id")
        .with_key("the key")
        .with_source("somebody")
        .with_trace(TraceContext::new_root([1; 16], [2; 8], true))
        .with_attribute("tenant", "a \"b\" <c>");
    events.publish(message.clone()).await.expect("it is published");
    let came = event(&mut subscription).await;
    assert_eq!(*came.message(), message);
    assert_eq!(came.message().data(), message.data());
    assert_eq!(came.message().trace(), message.trace());
    assert_eq!(came.number(), 1);
}

/// Those of one publisher, whatever their topics.
pub async fn events_come_in_their_order<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.>")).await;
    for n in 0..200 {
        publish(&events, ["law.a", "law.b.c", "law.d"][n as usize % 3], n).await;
    }
    expect_all(&mut subscription, 0..200).await;
}

/// Without a group, nobody takes it away from another.
pub async fn every_subscription_hears_every_event<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(begin(events.subscribe("law.*")).await);
    }
    for n in 0..10 {
        publish(&events, "law.a", n).await;
    }
    for subscription in &mut all {
        expect_all(subscription, 0..10).await;
    }
}

/// A filter that no event matched hears the last one only.
pub async fn a_star_is_one_token_and_a_tail_one_or_more<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let topics = ["law", "law.a", "law.b", "law.a.b", "law.a.b.c", "other.a", "other.a.b"];
    let wanted: [(&str, &[u64]); 7] = [
        ("law", &[0]),
        ("law.a", &[1]),
        ("law.*", &[1, 2]),
        ("law.>", &[1, 2, 3, 4]),
        ("*.a.*", &[3, 6]),
        ("law.*.>", &[3, 4]),
        (">", &[0, 1, 2, 3, 4, 5, 6]),
    ];
    let mut all = Vec::new();
    for (filter, wanted) in wanted {
        all.push((filter, wanted, begin(events.subscribe::<u64>(filter).and("end")).await));
    }
    for (n, topic) in topics.iter().enumerate() {
        publish(&events, topic, n as u64).await;
    }
    publish(&events, "end", 99).await;
    for (filter, wanted, mut subscription) in all {
        for wanted in wanted {
            let came = event(&mut subscription).await;
            assert_eq!(came.data().expect("it is a number"), *wanted, "{filter} heard {}", came.topic());
        }
        expect(&mut subscription, 99).await;
    }
}

/// What two filters of a subscription match is one event.
pub async fn an_event_that_two_filters_match_comes_once<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.*").and("law.a").and(">")).await;
    publish(&events, "law.a", 1).await;
    publish(&events, "law.b", 2).await;
    expect_all(&mut subscription, 1..=2).await;
    assert_eq!(subscription.counts().duplicates, 0, "the broker sends it once");
}

/// A subscription begins with what is published once it is there.
pub async fn what_was_published_before_is_not_heard<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    publish(&events, "law.a", 1).await;
    let mut subscription = begin(events.subscribe("law.a")).await;
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
}

/// Not even one that holds publishers back, or had events in its hands.
pub async fn a_dropped_subscription_is_no_burden<S: BrokerSubject + ?Sized>(subject: &S) {
    let (events, can) = (events(subject), subject.broker().capabilities());
    let policy = if can.holds_back { Backpressure::Block } else { Backpressure::Fail };
    let mut gone = begin(events.subscribe("law.a").capacity(1).when_full(policy)).await;
    let mut stays = begin(events.subscribe("law.a")).await;
    publish(&events, "law.a", 0).await;
    expect(&mut gone, 0).await;
    drop(gone);
    for n in 1..10 {
        publish(&events, "law.a", n).await;
    }
    expect_all(&mut stays, 0..10).await;
}

/// A later event has a later place of the same epoch, whichever topics are listened to.
pub async fn cursors_rise_and_a_receipt_has_the_events<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe::<u64>("law.a")).await;
    let publisher = events.publisher("law.a").expect("it is a topic");
    let mut last: Option<Cursor> = None;
    for n in 0..10 {
        publish(&events, "law.b", n).await;
        let receipt = publisher.send(&n).await.expect("it is published");
        let cursor = event(&mut subscription).await.cursor();
        if subject.broker().capabilities().confirms {
            assert_eq!(receipt.cursor, Some(cursor), "the receipt has the event's cursor, as is declared");
        }
        if let Some(last) = last {
            assert!(cursor.epoch() == last.epoch() && cursor.sequence() > last.sequence(), "{last} then {cursor}");
        }
        assert_eq!(subscription.cursor(), Some(cursor));
        last = Some(cursor);
    }
}

/// A publisher that does not know whether it was heard may publish again.
pub async fn an_id_that_is_published_twice_is_heard_once<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.a")).await;
    let publisher = events.publisher("law.a").expect("it is a topic");
    for (id, n) in [("one", 1), ("one", 1), ("two", 2), ("one", 1), ("three", 3)] {
        let message = publisher.message(&n).expect("it is JSON").with_id(id);
        events.publish(message).await.expect("it is published");
    }
    expect_all(&mut subscription, 1..=3).await;
}

/// Larger than anything a broker takes: the error says what is allowed.
pub async fn what_is_too_large_is_refused_and_nobody_hears_it<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut subscription = begin(events.subscribe("law.a")).await;
    let publisher = events.publisher("law.a").expect("it is a topic");
    let large = publisher.send(&"x".repeat(17 << 20)).await.expect_err("it is too large");
    assert_eq!(large.kind(), ErrorKind::Invalid, "{}", large.report());
    let long = publisher.message(&1).expect("it is JSON").with_id("i".repeat(Message::MAX_TEXT_BYTES + 1));
    let long = events.publish(long).await.expect_err("its id is too long");
    assert_eq!(long.kind(), ErrorKind::Invalid, "{}", long.report());
    publish(&events, "law.a", 2).await;
    expect(&mut subscription, 2).await;
}

/// With a sentence, and what makes no sense is a wrong setting.
pub async fn what_is_not_declared_is_rejected<S: BrokerSubject + ?Sized>(subject: &S) {
    let (broker, can) = (subject.broker(), subject.broker().capabilities());
    let wanted = || Interest::new(vec![TopicFilter::parse("law.a").expect("it is a filter")]);
    let asked = [
        (can.history, Interest { start: Start::Oldest, ..wanted() }),
        (can.acks, Interest { acks: Some(AckConfig::default()), ..wanted() }),
        (can.groups, Interest { group: Some("law".to_owned()), ..wanted() }),
        (can.holds_back, Interest { when_full: Backpressure::Block, ..wanted() }),
    ];
    for (declared, interest) in asked {
        match broker.subscribe(interest.clone()).await {
            Ok(_) => assert!(declared, "{interest:?} is not declared"),
            Err(error) => {
                assert!(!declared, "{interest:?} is declared: {}", error.report());
                assert_eq!(error.kind(), ErrorKind::Rejected, "{}", error.report());
                assert!(error.to_string().contains(' '), "{error:?} is no sentence");
            }
        }
    }
    for senseless in [Interest::new(Vec::new()), Interest { capacity: 0, ..wanted() }] {
        let error = broker.subscribe(senseless).await.map(drop).expect_err("it makes no sense");
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
    }
}

/// While events flow.
pub async fn a_connection_is_up<S: BrokerSubject + ?Sized>(subject: &S) {
    let events = events(subject);
    let mut connection = subject.broker().connection();
    let _subscription = begin(events.subscribe::<u64>("law.a")).await;
    assert!(connection.until(|state| state == ConnectionState::Up).await, "it comes up");
    assert_eq!(connection.state(), ConnectionState::Up);
}
