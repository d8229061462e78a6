//! A service of what is no component.
use tekton_sdk::Result;

struct Shelf;

#[tekton_sdk::service]
impl Shelf { //~ this service of `Shelf` is not listed, so nobody serves it: list it in `#[component(services(…))]` //~ ShelfClient //~ FakeShelf
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }
}

fn main() {}
