//! A type is bound to a topic.
use tekton_sdk::patterns::events::Event;

#[derive(Event)]
struct Taken;

fn main() {}
