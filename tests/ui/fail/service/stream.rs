//! A stream, which the streaming room will serve.
use tekton_sdk::{Component, Result};

trait Stream {
    type Item;
}
impl Stream for std::iter::Empty<u8> {
    type Item = u8;
}

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
    fn all(&self) -> impl Stream<Item = u8> {
        std::iter::empty()
    }
}

fn main() {}
