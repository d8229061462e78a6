//! Readers that do not keep up.

use tekton_sdk::{
    ErrorKind,
    patterns::events::{Backpressure, GapReason},
};

use super::*;

#[tokio::test]
async fn a_reader_that_stops_has_its_events_wait_on_the_host_and_holds_nobody_up() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let (broker, near) = (world.connect(&served).await, world.events(memory.clone()));
    let events = world.events(broker.clone());
    let mut stopped = events.subscribe::<u64>("a").capacity(80).await.unwrap();
    let mut quick = events.subscribe("a").capacity(80).await.unwrap();
    publish(&near, "a", 0).await;
    numbers(&mut stopped, [0]).await;
    numbers(&mut quick, [0]).await;
    for n in 1..=2000 {
        publish(&near, "a", n).await;
        numbers(&mut quick, [n]).await;
    }
    assert!(stopped.counts().queue.waiting <= 10, "an eighth of its capacity is on this side: {:?}", stopped.counts());
    assert_eq!(quick.counts().gaps, 0);
    let mut wanted = 1;
    let lost = loop {
        match heard(&mut stopped).await {
            Heard::Gap(gap) => break gap,
            Heard::Event(event) => {
                assert_eq!(event.data().unwrap(), wanted);
                wanted += 1;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lost.reason, GapReason::Overflow);
    let after = wanted + lost.lost.unwrap();
    numbers(&mut stopped, after..=2000).await;
    assert_eq!(stopped.counts().queue.dropped, lost.lost.unwrap());
    drop((stopped, quick));
    shut(&world, served).await;
}

#[tokio::test]
async fn large_events_are_asked_for_by_their_size() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let (events, near) = (world.events(world.connect(&served).await), world.events(memory));
    let mut stopped = events.subscribe::<(u64, String)>("a").capacity_bytes(2 << 20).await.unwrap();
    assert!(is_silent(&mut stopped), "it asks");
    let filler = "x".repeat(100 << 10);
    for n in 0..40_u64 {
        near.publish(Message::json("a".parse().unwrap(), &(n, &filler)).unwrap()).await.unwrap();
        quiet().await;
    }
    let waiting = stopped.counts().queue.waiting;
    assert!((1..=4).contains(&waiting), "an eighth of 2 MiB, and one more: {waiting}");
    let (mut heard_of, mut lost) = (0, 0);
    while heard_of + lost < 40 {
        match heard(&mut stopped).await {
            Heard::Gap(gap) => lost += gap.lost.unwrap(),
            _ => heard_of += 1,
        }
    }
    assert!(lost > 0 && heard_of > 15, "{heard_of} {lost}");
    drop(stopped);
    shut(&world, served).await;
}

#[tokio::test]
async fn each_policy_does_on_the_host_what_it_says() {
    let world = World::new();
    let memory = world.memory(1, None);
    let served = world.serve(&memory, 0).await;
    let (events, near) = (world.events(world.connect(&served).await), world.events(memory));
    let mut failing = events.subscribe("a").capacity(8).when_full(Backpressure::Fail).await.unwrap();
    let mut newest = events.subscribe::<u64>("a").capacity(8).when_full(Backpressure::DropNewest).await.unwrap();
    let mut latest = events.subscribe("a").capacity(8).when_full(Backpressure::KeepLatest).await.unwrap();
    for n in 0..100 {
        publish(&near, "a", n).await;
    }
    numbers(&mut failing, 0..8).await;
    assert_eq!(failing.next().await.unwrap().unwrap_err().kind(), ErrorKind::Rejected);
    assert!(failing.next().await.is_none());
    numbers(&mut newest, 0..8).await;
    assert_eq!(gap(&mut newest).await.lost, Some(92));
    numbers(&mut latest, [99]).await;
    assert_eq!(latest.counts().queue.replaced, 99);
    // Whoever failed goes on where it was.
    let place = failing.cursor().unwrap();
    let mut again = events.subscribe("a").start(tekton_sdk::patterns::events::Start::After(place)).await.unwrap();
    numbers(&mut again, 8..100).await;
    drop((failing, newest, latest, again));
    shut(&world, served).await;
}
