//! Numbers that are none, or out of range.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), context_window = "many", cost = -1.0, port = 65536, test = "no")]
struct Shelf;

fn main() {}
