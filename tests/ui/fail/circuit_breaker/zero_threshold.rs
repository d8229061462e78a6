//! A breaker that is never closed.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker(failure_threshold = 0)]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
