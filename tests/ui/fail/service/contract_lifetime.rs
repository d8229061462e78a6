//! A contract with a lifetime.
use tekton_sdk::Result;

/// A contract.
#[tekton_sdk::service]
trait Count<'a> {
    /// Counts.
    #[op(read)]
    async fn count(&self, what: &'a str) -> Result<u8>;
}

fn main() {}
