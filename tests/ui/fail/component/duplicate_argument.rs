//! An argument given twice.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), cost = 1, cost = 2)]
struct Shelf;

fn main() {}
