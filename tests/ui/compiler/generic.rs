//! A type parameter that need not cross the wire.
use tekton_sdk::{Component, Result};

/// A component.
#[derive(Component)]
struct Shelf<T>(T);

#[tekton_sdk::service]
impl<T: Send + Sync + 'static> Shelf<T> {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: T) -> Result<()> { //~ `T` cannot cross the wire: an operation takes and answers values that serde and schemars know
        drop(value);
        Ok(())
    }
}

fn main() {}
