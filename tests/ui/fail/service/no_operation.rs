//! A block without an operation.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(Shelf))]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    fn other(&self) {}
}

fn main() {
    Shelf.other();
}
