//! One name in two blocks.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
#[component(services(Shelf, Admin))] //~ the operation `put` is served twice; give one of them another `#[op(name = "…")]`
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

#[tekton_sdk::service(name = Admin)]
impl Shelf {
    /// Keeps a value.
    #[op(write, name = "put")]
    async fn set(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {}
