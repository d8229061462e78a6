//! All mistakes are told at once, and the method is still there.
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

    #[op(retries = 3)]
    async fn all(&self, #[arg(default = None)] a: Option<u8>) {
        let _ = a;
        Self::many();
    }

    fn many() {}
}

fn main() {}
