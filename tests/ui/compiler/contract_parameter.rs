//! A contract's type parameter that need not cross the wire.
use tekton_sdk::Result;

/// A contract.
#[tekton_sdk::service]
trait Store<T> {
    /// Keeps a value.
    #[op(write)]
    async fn keep(&self, value: T) -> Result<()>; //~ `T` cannot cross the wire: an operation takes and answers values that serde and schemars know
}

fn main() {}
