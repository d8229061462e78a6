//! A capability that is listed twice.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), capabilities("values.keep", "values.keep" = 0.9))]
struct Shelf;

fn main() {}
