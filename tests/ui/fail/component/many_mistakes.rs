//! All mistakes are told at once.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), version = "one", port = 70000, capabilities("x y" = high), depends_on(""))]
struct Shelf;

fn main() {}
