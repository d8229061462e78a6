//! All mistakes are told at once.
use tekton_sdk::patterns::events::Event;

#[derive(Event)]
#[event(topic = "orders..new")]
struct Empty;

#[derive(Event)]
#[event(topic = "orders.*", key = "id")]
struct Wild;

#[derive(Event)]
#[event(topic = "orders.{id}.{at}", key = "who", colour = "red")]
struct Unknown {
    id: u8,
}

#[derive(Event)]
enum Order {
    Nowhere,
    #[event(topic = "orders.x{id}")]
    Half(u8),
    #[event(topic = "orders.{id}")]
    Named { id: u8 },
    #[event(topic = "orders.{0}")]
    One(String),
    #[event(topic = "orders.new")]
    New,
    #[event(topic = "orders.{id}.closed")]
    Closed,
}

fn main() {}
