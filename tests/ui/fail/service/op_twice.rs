//! Two attributes on one method.
use tekton_sdk::{Component, Context, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    #[op(idempotent)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {
    let _: Option<(Context, Result<Shelf>)> = None;
}
