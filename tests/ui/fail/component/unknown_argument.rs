//! An argument that there is not.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), colour = "red")]
struct Shelf;

fn main() {}
