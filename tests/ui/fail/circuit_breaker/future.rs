//! A future that is made by a function.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker]
fn charge() -> impl Future<Output = Result<()>> + Send {
    async { Ok(()) }
}

fn main() {}
