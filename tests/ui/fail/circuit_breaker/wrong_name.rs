//! A name that no metric can have.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker(name = "a b")]
async fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
