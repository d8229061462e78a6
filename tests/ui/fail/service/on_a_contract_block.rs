//! The attribute on the block of a trait, instead of the trait.
use tekton_sdk::Result;

struct Shelf;

trait Count {
    async fn count(&self) -> Result<u8>;
}

#[tekton_sdk::service]
impl Count for Shelf {
    /// Counts.
    #[op(read)]
    async fn count(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
