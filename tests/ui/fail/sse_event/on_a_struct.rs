//! Events are read as an enum.
use tekton_sdk::patterns::streaming::SseEvent;

#[derive(SseEvent)]
struct Said {
    text: String,
}

fn main() {}
