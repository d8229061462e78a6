//! Streams that cannot be served.
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

    /// Lists, and borrows all that there is.
    #[op(read)]
    fn all(&self) -> impl Stream<Item = u8> {
        std::iter::empty()
    }

    /// Lists, and borrows what it says.
    #[op(read)]
    fn some<'a>(&'a self) -> impl Stream<Item = u8> + Send + use<'a> {
        std::iter::empty()
    }

    /// Lists on one thread.
    #[op(read)]
    async fn here(&self) -> Result<impl Stream<Item = u8> + use<>> {
        Ok(std::iter::empty())
    }

    /// Lists something.
    #[op(read)]
    fn any(&self) -> impl Stream + Send + use<> {
        std::iter::empty()
    }

    /// Keeps one value for those who come back.
    #[op(write, resumable)]
    async fn keep(&self) -> Result<u8> {
        Ok(1)
    }
}

/// Lists.
#[tekton_sdk::service]
trait Lists {
    /// Lists, and borrows all that there is.
    #[op(read)]
    fn all(&self) -> impl Stream<Item = Result<u8>> + Send;
}

fn main() {}
