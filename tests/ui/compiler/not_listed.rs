//! Blocks that the component does not list.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
#[component(services())]
struct Shelf;

#[tekton_sdk::service]
impl Shelf { //~ this service of `Shelf` is not listed, so nobody serves it: list it in `#[component(services(…))]`
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }

    /// Lists.
    #[op(read)]
    async fn all(&self) -> Result<Vec<u8>> {
        Ok(vec![])
    }
}

#[tekton_sdk::service(name = Admin)]
impl Shelf { //~ this service of `Shelf` is not listed, so nobody serves it: list it in `#[component(services(…))]`
    /// Empties it.
    #[op(write)]
    async fn clear(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
