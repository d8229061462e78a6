//! A name that no directory takes.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), name = "my shelf")]
struct Shelf;

fn main() {}
