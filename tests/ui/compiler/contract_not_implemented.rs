//! A contract that the component lists, and does not implement.
use tekton_sdk::{Component, Result};

/// A contract.
#[tekton_sdk::service]
trait Count {
    /// Counts.
    #[op(read)]
    async fn count(&self, more: u8) -> Result<u8>;
}

/// A component.
#[derive(Component)]
#[component(services(Count))] //~ `Shelf` does not serve the contract `Count`: write `impl Count for Shelf`
struct Shelf;

fn main() {}
