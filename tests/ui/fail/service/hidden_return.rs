//! A return whose type has no name.
use tekton_sdk::{Component, Context, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    fn put(&self, value: u8) -> impl Into<Result<u8>> {
        Ok(value)
    }
}

fn main() {
    let _: Option<(Context, Result<Shelf>)> = None;
}
