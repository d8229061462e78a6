//! Arguments that a caller cannot give.
use tekton_sdk::{Component, Context, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: &mut u8) -> Result<u8> {
        Ok(*value)
    }

    /// Keeps another.
    #[op(write)]
    async fn set(&self, value: impl Into<u8>) -> Result<u8> {
        Ok(value.into())
    }
}

fn main() {
    let _: Option<(Context, Result<Shelf>)> = None;
}
