//! Connections that are lost, and what a subscriber hears over them.

use tekton_sdk::{
    ErrorKind, Sent,
    patterns::events::{GapReason, WebSocketBrokerConfig},
    transport::Closed,
};

use super::{cable::Cable, *};

#[tokio::test]
async fn a_subscriber_survives_both_restarts_of_the_publisher_and_says_what_it_missed() {
    let world = World::new();
    let first = world.memory(1, None);
    let served = world.serve(&first, 0).await;
    let port = port(&served);
    let broker = world.connect(&served).await;
    let (connection, events) = (broker.connection(), world.events(broker.clone()));
    let mut subscription = events.subscribe("a.*").await.unwrap();
    let mut other = events.subscribe::<u64>("b").await.unwrap();
    publish(&world.events(first.clone()), "a.x", 1).await;
    numbers(&mut subscription, [1]).await;

    shut(&world, served).await;
    assert_eq!(broker.last_closed(), Some(Closed::GoingAway));
    assert!(matches!(connection.state(), ConnectionState::Down { attempt: 1, next_in: Some(_), .. }));
    let resumed = world.memory(2, Some(first.history()));
    publish(&world.events(resumed.clone()), "a.x", 2).await;
    let served = world.serve(&resumed, port).await;
    until_up(&world, &connection).await;
    publish(&events, "a.x", 3).await;
    numbers(&mut subscription, [2, 3]).await;
    let place = subscription.cursor().unwrap();

    shut(&world, served).await;
    let fresh = world.memory(3, None);
    publish(&world.events(fresh.clone()), "a.x", 4).await;
    let served = world.serve(&fresh, port).await;
    until_up(&world, &connection).await;
    let missed = gap(&mut subscription).await;
    assert_eq!((missed.from, missed.lost, missed.reason), (place, None, GapReason::Restarted));
    numbers(&mut subscription, [4]).await;
    assert_eq!(gap(&mut other).await.reason, GapReason::Restarted, "each of them");
    assert_eq!(subscription.counts().duplicates, 0);
    drop((subscription, other));
    broker.shutdown().await;
    assert_eq!(connection.state(), ConnectionState::Closed);
    shut(&world, served).await;
}

#[tokio::test]
async fn a_connection_that_breaks_without_a_close_frame_loses_nothing_and_repeats_nothing() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let cable = Cable::to(port(&served)).await;
    let broker = world.to(&cable.url).connect().await.unwrap();
    let (connection, events, near) = (broker.connection(), world.events(broker.clone()), world.events(memory));
    let mut plain = events.subscribe("a").await.unwrap();
    let mut acked = events.subscribe("a").acked().await.unwrap();
    let mut next = 0;
    for _ in 0..5 {
        for _ in 0..20 {
            next += 1;
            publish(&near, "a", next).await;
        }
        // Some are heard before, the rest after.
        numbers(&mut plain, next - 19..next - 9).await;
        numbers(&mut acked, next - 19..next - 9).await;
        let in_hand = event(&mut acked).await;
        cable.breaks();
        quiet().await;
        assert_eq!(broker.last_closed(), Some(Closed::Broken));
        // Done while there is no connection: it is told on the next one, and the event does not come again.
        let acking = tokio::spawn(in_hand.ack());
        until_up(&world, &connection).await;
        numbers(&mut plain, next - 9..=next).await;
        numbers(&mut acked, next - 8..=next).await;
        acking.await.unwrap().unwrap();
    }
    assert_eq!((plain.counts().duplicates, plain.counts().gaps), (0, 0));
    drop((plain, acked));
    shut(&world, served).await;
}

#[tokio::test]
async fn an_event_that_is_held_over_a_break_may_be_acknowledged_and_one_that_was_refused_comes_again() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let cable = Cable::to(port(&served)).await;
    let broker = world.to(&cable.url).connect().await.unwrap();
    let (connection, events, near) = (broker.connection(), world.events(broker.clone()), world.events(memory));
    let mut acked = events.subscribe::<u64>("a").acked().await.unwrap();
    for n in 1..=3 {
        publish(&near, "a", n).await;
    }
    let (held, refused) = (event(&mut acked).await, event(&mut acked).await);
    cable.breaks();
    quiet().await;
    refused.nack(SECOND).await.unwrap();
    until_up(&world, &connection).await;
    // What is held is recognised, what was refused waits for its time, and the rest goes on.
    let third = event(&mut acked).await;
    assert_eq!((third.data().unwrap(), third.number()), (3, 1));
    third.ack().await.unwrap();
    held.ack().await.unwrap();
    assert!(is_silent(&mut acked));
    world.pass(SECOND).await;
    let again = event(&mut acked).await;
    assert_eq!((again.data().unwrap(), again.number()), (2, 2));
    again.ack().await.unwrap();
    world.pass(60 * SECOND).await;
    assert!(is_silent(&mut acked), "all is done");
    drop(acked);
    shut(&world, served).await;
}

#[tokio::test]
async fn an_event_can_be_acknowledged_over_a_break_by_who_reads_on_only_then() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let cable = Cable::to(port(&served)).await;
    let broker = world.to(&cable.url).connect().await.unwrap();
    let (connection, events, near) = (broker.connection(), world.events(broker.clone()), world.events(memory));
    let mut acked = events.subscribe::<u64>("a").acked().await.unwrap();
    for n in 1..=3 {
        publish(&near, "a", n).await;
    }
    for n in 1..=3 {
        let in_hand = event(&mut acked).await;
        assert_eq!((in_hand.data().unwrap(), in_hand.number()), (n, 1));
        cable.breaks();
        quiet().await;
        until_up(&world, &connection).await;
        in_hand.ack().await.unwrap();
    }
    world.pass(60 * SECOND).await;
    assert!(is_silent(&mut acked), "none comes again");
    drop(acked);
    shut(&world, served).await;
}

#[tokio::test]
async fn a_network_that_is_cut_for_longer_than_every_timeout_is_survived() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let cable = Cable::to(port(&served)).await;
    let broker = world.to(&cable.url).connect().await.unwrap();
    let (connection, events, near) = (broker.connection(), world.events(broker.clone()), world.events(memory));
    let mut subscription = events.subscribe("a").await.unwrap();
    publish(&near, "a", 1).await;
    numbers(&mut subscription, [1]).await;
    cable.cut();
    publish(&near, "a", 2).await;
    let lost = {
        let events = events.clone();
        tokio::spawn(async move { events.publish(message("a", 99)).await })
    };
    for _ in 0..11 {
        world.pass(SECOND).await;
    }
    let error = lost.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::Maybe), "{}", error.report());
    for _ in 0..120 {
        world.pass(SECOND).await;
    }
    assert_eq!(broker.last_closed(), Some(Closed::Silent));
    assert!(matches!(connection.state(), ConnectionState::Down { attempt: 2.., .. }), "{:?}", connection.state());
    let unsent = {
        let events = events.clone();
        tokio::spawn(async move { events.publish(message("a", 98)).await })
    };
    for _ in 0..11 {
        world.pass(SECOND).await;
    }
    let error = unsent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::No), "{}", error.report());
    cable.mend();
    until_up(&world, &connection).await;
    publish(&near, "a", 3).await;
    // What may have been published was, once the cable was mended, or was not.
    let mut after = Vec::new();
    while after.last() != Some(&3) {
        after.push(event(&mut subscription).await.data().unwrap());
    }
    after.retain(|n| *n != 99);
    assert_eq!(after, [2, 3]);
    assert_eq!(subscription.counts().gaps, 0);
    drop(subscription);
    shut(&world, served).await;
}

#[tokio::test]
async fn the_first_connection_is_tried_once_at_each_url_or_waited_for() {
    let world = World::new();
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("ws://127.0.0.1:{nobody}");
    let error = world.to(&url).or(&url).unwrap().connect().await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Connect, Sent::No), "{}", error.report());

    let patient = WebSocketBrokerConfig::default().with_retry_on_initial_connect(true);
    let broker = world.to(&url).config(patient).connect().await.unwrap();
    let (connection, events) = (broker.connection(), world.events(broker));
    let subscribing = {
        let events = events.clone();
        tokio::spawn(events.subscribe::<u64>("a").into_future())
    };
    world.pass(2 * SECOND).await;
    assert!(matches!(connection.state(), ConnectionState::Connecting { attempt: 2.., .. }), "{:?}", connection.state());
    let memory = world.memory(1, None);
    let served = world.serve(&memory, nobody).await;
    until_up(&world, &connection).await;
    let mut subscription = subscribing.await.unwrap().unwrap();
    publish(&events, "a", 1).await;
    numbers(&mut subscription, [1]).await;

    // The first URL that can be connected to.
    let gone = "ws://127.0.0.1:1";
    let broker = world.to(gone).or(served.endpoint()).unwrap().connect().await.unwrap();
    assert_eq!(broker.connection().state(), ConnectionState::Up);
    drop((subscription, broker));
    shut(&world, served).await;
}

#[tokio::test]
async fn a_broker_that_says_nothing_stays_connected_and_ends_with_its_last_handle() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let broker = world.connect(&served).await;
    let mut connection = broker.connection();
    for _ in 0..120 {
        world.pass(SECOND).await;
    }
    assert_eq!((connection.state(), broker.last_closed()), (ConnectionState::Up, None));
    let subscription = world.events(broker.clone()).subscribe::<u64>("a").await.unwrap();
    drop(broker);
    quiet().await;
    assert_eq!(connection.state(), ConnectionState::Up, "a subscription keeps it");
    drop(subscription);
    assert!(connection.until(|state| state == ConnectionState::Closed).await);
    assert_eq!(memory.subscriptions(), 0);
    shut(&world, served).await;
}
