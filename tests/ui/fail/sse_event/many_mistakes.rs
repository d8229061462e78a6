//! All mistakes are told at once.
use tekton_sdk::patterns::streaming::{SseEvent, StreamEvent};

#[derive(SseEvent)]
#[event("chat", colour)]
enum Chat {
    Said,
    #[event("said")]
    Repeated(String),
    Fields { by: String },
    Two(u8, u8),
    #[event("")]
    Empty,
    #[event("a", "b")]
    Twice,
    #[event(text)]
    Nowhere,
    #[event(loud)]
    Loud,
    #[event(7)]
    Number,
    #[event(other)]
    Nothing,
    #[event(other, "x")]
    Named(StreamEvent),
    #[event(other)]
    Other(StreamEvent),
    #[event(other)]
    Others(StreamEvent),
}

fn main() {}
