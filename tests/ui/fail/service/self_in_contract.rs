//! A contract that names who implements it.
use tekton_sdk::Result;

/// A contract.
#[tekton_sdk::service]
trait Count: Sized {
    /// What it counts.
    type Item;

    /// Counts.
    #[op(read)]
    async fn count(&self, more: Vec<Self::Item>) -> Result<u8>;

    /// Another.
    #[op(read)]
    async fn other(&self) -> Result<Self>;
}

fn main() {}
