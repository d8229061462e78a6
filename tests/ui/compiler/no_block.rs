//! A component that serves nothing, and does not say so.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
struct Shelf; //~ `Shelf` has no such service: put `#[tekton_sdk::service]` on an `impl Shelf`

fn main() {}
