//! A block of a component that borrows.
use tekton_sdk::Result;

struct Shelf<'a>(&'a str);

#[tekton_sdk::service]
impl<'a> Shelf<'a> {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8> {
        Ok(value + self.0.len() as u8)
    }
}

fn main() {}
