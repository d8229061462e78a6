//! What a variant holds must be readable, and what keeps the others must take one.
use tekton_sdk::patterns::streaming::{Events, SseEvent, StreamEvent};

struct Opaque;

#[derive(SseEvent)]
enum Chat {
    Said(Opaque), //~ the trait bound `Opaque: serde::Deserialize<'de>` is not satisfied
    #[event(other)]
    Other(StreamEvent),
}

fn read(events: Events) {
    drop(events.typed::<Opaque>()); //~ `Opaque` is no type of events
}

fn main() {}
