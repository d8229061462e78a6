//! Room 2, events: a worker fails on an order until it goes to the dead letters; then the broker restarts, once with its history
//! and once without, and the subscriber says what it missed.
//! Run with: `cargo run --example 02_events`
//! Expect: what the worker does with each order, the dead letter, and what is heard after each restart.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use tekton_sdk::{
    Error, Result, Tekton,
    patterns::events::{Cursor, Events, HandlerConfig, Heard, MemoryBroker, MemoryBrokerConfig, Start, Subscription},
    random::Random,
    time::SharedClock,
};

/// Cooks orders, and cannot cook fish.
async fn cook(heard: Heard<String>) -> Result<()> {
    let Some(order) = heard.event() else { return Ok(()) };
    let (dish, number) = (order.data()?, order.number());
    if dish == "fish" {
        println!("{dish}: failed, delivery {number}");
        return Err(Error::internal("there is no fish"));
    }
    println!("{dish}: done");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let clock = SharedClock::default();
    let broker = MemoryBroker::new(MemoryBrokerConfig::default(), clock.clone(), &Random::new())?;
    let tekton = Tekton::builder().named("kitchen").broker(broker.clone()).build()?;
    let events = tekton.events();

    // A worker that is handed each order twice at most.
    let quick = Duration::from_millis(1);
    let orders = events.subscribe("orders.*").dead_letters("dead.orders", 2).again_after(quick, quick).await?;
    let mut dead = events.subscribe::<String>("dead.>").await?;
    let mut paid = events.subscribe::<u32>("paid").await?;
    for dish in ["soup", "fish", "bread"] {
        events.publisher("orders.new")?.send(dish).await?;
    }
    let cooking = orders.handle(HandlerConfig::default(), clock.clone(), cook);
    tokio::select! {
        ended = cooking => ended?,
        letter = dead.next() => {
            let letter = letter.transpose()?.and_then(Heard::event).ok_or_else(|| Error::internal("no dead letter came"))?;
            let times = letter.message().attribute("deaddeliveries").unwrap_or_default();
            println!("{}: buried after {times} deliveries", letter.data()?);
        }
    }

    // A subscriber that hears one payment and then misses a restart of the broker.
    for amount in [10, 20, 30] {
        events.publisher("paid")?.send(&amount).await?;
    }
    if let Some(Heard::Event(first)) = paid.next().await.transpose()? {
        println!("paid: {}", first.data()?);
    }
    let place = paid.cursor().ok_or_else(|| Error::internal("nothing was heard"))?;
    drop(paid);

    let with = MemoryBroker::resumed(MemoryBrokerConfig::default(), clock.clone(), broker.history())?;
    println!("the broker restarts with its history");
    go_on(with, &clock, place).await?;

    let without = MemoryBroker::new(MemoryBrokerConfig::default(), clock.clone(), &Random::new())?;
    println!("the broker restarts without it");
    go_on(without, &clock, place).await
}

/// Goes on where it was, until the payment that is made here.
async fn go_on(broker: MemoryBroker, clock: &SharedClock, place: Cursor) -> Result<()> {
    let events = Events::new(broker, clock.clone());
    events.publisher("paid")?.send(&40).await?;
    let mut paid: Subscription<u32> = events.subscribe("paid").start(Start::After(place)).await?;
    while let Some(heard) = paid.next().await {
        match heard? {
            Heard::Gap(gap) => println!("  missed: unknown, {}", gap.reason.name()),
            Heard::Event(event) => {
                println!("  paid: {}", event.data()?);
                if event.data()? == 40 {
                    break;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
