//! Names in a contract that are none.
use tekton_sdk::Result;

/// A contract.
#[tekton_sdk::service(component = "a b", capability = "")]
trait Count {
    /// Counts.
    #[op(read)]
    async fn count(&self) -> Result<u8>;
}

fn main() {}
