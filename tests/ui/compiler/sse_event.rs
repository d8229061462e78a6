//! What a variant holds must be readable, and what keeps the others must take one.
use tekton_sdk::{
    Result,
    patterns::streaming::{Events, SseEvent, StreamEvent},
};

struct Opaque;

#[derive(SseEvent)]
enum Chat {
    Said(Opaque), //~ the trait bound `Opaque: serde::Deserialize<'_>` is not satisfied
    #[event(other)]
    Other(StreamEvent),
}

async fn read(events: Events) -> Result<()> {
    let mut events = events.typed::<Opaque>(); //~ `Opaque` is no type of events
    events.next().await.transpose()?; //~ `Opaque` is no type of events
    Ok(())
}

fn main() {}
