//! Arguments without a name.
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
    #[op(read)]
    async fn all(&self, (a, b): (u8, u8), _: u8) -> Result<u8> {
        Ok(a + b)
    }
}

fn main() {}
