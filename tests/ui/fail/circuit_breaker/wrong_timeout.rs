//! A timeout that is no duration.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker(timeout = "2 days")]
async fn charge() -> Result<()> {
    Ok(())
}

#[circuit_breaker(timeout = 60)]
async fn refund() -> Result<()> {
    Ok(())
}

fn main() {}
