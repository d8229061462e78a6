//! A component that is no struct.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services())]
union Shelf {
    value: u8,
}

fn main() {}
