//! A score outside 0 to 1.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), capabilities("text.keep" = 1.5, "text.sort" = -0.1))]
struct Shelf;

fn main() {}
