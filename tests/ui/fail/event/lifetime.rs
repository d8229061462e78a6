//! What is heard is owned.
use tekton_sdk::patterns::events::Event;

#[derive(Event)]
#[event(topic = "orders.new")]
struct Taken<'a> {
    dish: &'a str,
}

fn main() {}
