//! What is wrong with a contract's types.
use tekton_sdk::Result;

struct Book;

/// A contract.
#[tekton_sdk::service]
trait Count {
    /// Counts.
    #[op(read)]
    async fn count(&self, more: Book) -> Result<u8>; //~ `Book` cannot cross the wire: an operation takes and answers values that serde and schemars know

    /// Looks.
    #[op(read)]
    async fn look(&self) -> u8; //~ an operation returns a `Result`, and `u8` is none: write `Result<u8>` instead
}

fn main() {}
