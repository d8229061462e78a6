//! Returns that are no result, by whatever name.
use tekton_sdk::{Component, Result};

type Answer = u8;
type Fine = Result<u8>;

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Lists.
    #[op(read)]
    async fn all(&self) -> Vec<u8> { //~ an operation returns a `Result`, and `Vec<u8>` is none: write `Result<Vec<u8>>` instead
        vec![]
    }

    /// Counts.
    #[op(read)]
    fn count(&self, more: u8) -> Answer { //~ an operation returns a `Result`, and `u8` is none: write `Result<u8>` instead
        more
    }

    /// Is fine.
    #[op(read)]
    async fn fine(&self) -> Fine {
        Ok(1)
    }
}

fn main() {}
