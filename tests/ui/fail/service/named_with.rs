//! A method whose name a client needs for itself.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn with(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {}
