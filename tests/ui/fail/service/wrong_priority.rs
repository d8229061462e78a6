//! A priority that there is not.
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
    #[op(read, priority = "urgent")]
    async fn all(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
