//! A component that borrows.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services())]
struct Shelf<'a>(&'a str);

fn main() {}
