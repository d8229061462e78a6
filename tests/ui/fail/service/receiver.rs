//! Receivers that calls cannot share.
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
    async fn all(&mut self) -> Result<()> {
        Ok(())
    }

    /// Lists.
    #[op(read)]
    async fn most(self) -> Result<()> {
        Ok(())
    }

    /// Lists.
    #[op(read)]
    async fn some() -> Result<()> {
        Ok(())
    }
}

fn main() {}
