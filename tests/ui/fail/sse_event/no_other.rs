//! A server may send more some day.
use tekton_sdk::patterns::streaming::SseEvent;

#[derive(SseEvent)]
enum Chat {
    Said(String),
}

fn main() {}
