//! Two operations of one name.
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
    #[op(read, name = "put")]
    async fn all(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
