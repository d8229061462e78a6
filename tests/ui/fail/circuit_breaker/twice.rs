//! Two breakers around one function.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker]
#[circuit_breaker]
fn charge() -> Result<()> {
    Ok(())
}

fn main() {}
