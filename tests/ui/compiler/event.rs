//! What an event holds must be written and read, and its fields must have a text.
use tekton_sdk::{data, patterns::events::{Event, Events}};

#[derive(Event)]
#[event(topic = "orders.new")]
struct Opaque; //~ the trait bound `Opaque: serde::Serialize` is not satisfied //~ the trait bound `Opaque: serde::Deserialize<'de>` is not satisfied

#[data]
#[derive(Event)]
#[event(topic = "orders.{at}")] //~ `Vec<u8>` doesn't implement `std::fmt::Display`
struct Listed {
    at: Vec<u8>,
}

#[data]
struct Unbound;

async fn tell(events: Events) {
    events.tell(&Unbound).await.unwrap(); //~ `Unbound` is bound to no topic: this type does not say on which topic it is told
}

fn main() {}
