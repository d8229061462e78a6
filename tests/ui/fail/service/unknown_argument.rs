//! Arguments that there are not.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }

    /// Lists.
    #[op(read, retries = 3)]
    async fn all(&self, #[arg(min = 1)] a: u8) -> Result<u8> {
        Ok(a)
    }
}

fn main() {}
