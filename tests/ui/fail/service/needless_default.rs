//! Defaults where there is one already.
use tekton_sdk::{Component, Context, Result};

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, #[arg(default = 3)] ctx: &Context, #[arg(default = 3)] value: Option<u8>) -> Result<u8> {
        Ok(value.unwrap_or(u8::from(ctx.deadline().is_some())))
    }
}

fn main() {
    let _: Option<(Context, Result<Shelf>)> = None;
}
