//! Arguments that are written otherwise than they are.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(), name(Shelf), capabilities(values), depends_on = "engram", crate = "a b")]
struct Shelf;

fn main() {}
