//! A version that is none.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), version = "1.2")]
struct Shelf;

fn main() {}
