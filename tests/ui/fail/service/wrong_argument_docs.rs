//! Docs of an argument that there is not.
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
    ///
    /// # Arguments
    /// * `valeu` - what to list
    #[op(read)]
    async fn all(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {}
