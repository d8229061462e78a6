//! An error that cannot become the SDK's.
use tekton_sdk::Component;

struct Refused;

/// A component.
#[derive(Component)]
struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    async fn put(&self, value: u8) -> Result<u8, Refused> { //~ `Refused` is no error that an operation or a listener can end with: write `impl From<Refused> for tekton_sdk::Error`, or return `tekton_sdk::Result`
        Ok(value)
    }
}

fn main() {}
