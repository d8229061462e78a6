//! An argument that is given twice.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker(timeout = "1s", timeout = "2s")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
