//! Room 2, events: a kitchen listens to orders, and fails on one until it goes to the dead letters; then the broker restarts, once
//! with its history and once without, and a subscriber says what it missed.
//! Run with: `cargo run --example 02_events`
//! Expect: what the kitchen does with each order, the dead letter, and what is heard after each restart.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tekton_sdk::{
    Component, Error, Result, Tekton, data,
    patterns::events::{Cursor, Delivery, Event, Events, Heard, MemoryBroker, MemoryBrokerConfig, Start, Subscription},
    random::Random,
    service,
    time::SharedClock,
};

/// Told when somebody orders.
#[data]
#[derive(Event)]
#[event(topic = "orders.new")]
struct Ordered {
    dish: String,
}

/// Cooks what is ordered.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Kitchen;

#[service]
impl Kitchen {
    /// Cooks, but for fish. It is handed each order twice at most.
    #[on_event(dead_letters = "dead.orders", deliveries = 2)]
    async fn cook(&self, order: Delivery<Ordered>) -> Result<()> {
        let (Ordered { dish }, number) = (order.told()?, order.number());
        if dish == "fish" {
            println!("{dish}: failed, delivery {number}");
            return Err(Error::internal("there is no fish"));
        }
        println!("{dish}: done");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let clock = SharedClock::default();
    let broker = MemoryBroker::new(MemoryBrokerConfig::default(), clock.clone(), &Random::new())?;
    let tekton = Tekton::builder().named("kitchen").broker(broker.clone()).build()?;
    let events = tekton.events();

    let kitchen = Kitchen.serve(&tekton).start().await?;
    let mut dead = events.subscribe::<Ordered>("dead.>").await?;
    let mut paid = events.subscribe::<u32>("paid").await?;
    for dish in ["soup", "fish", "bread"] {
        events.tell(&Ordered { dish: dish.to_owned() }).await?;
    }
    let letter = dead.next().await.transpose()?.and_then(Heard::event);
    let letter = letter.ok_or_else(|| Error::internal("no dead letter came"))?;
    let times = letter.message().attribute("deaddeliveries").unwrap_or_default();
    println!("{}: buried after {times} deliveries", letter.data()?.dish);
    kitchen.shutdown().await;

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
