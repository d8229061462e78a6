//! An argument that there is not.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker(retries = 3)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
