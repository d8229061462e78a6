//! A block's name that is none.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service(name = "Admin")]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {}
