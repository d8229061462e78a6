//! Functions whose body cannot move.
use tekton_sdk::{Result, circuit_breaker};

#[circuit_breaker]
const fn constant() -> Result<()> {
    Ok(())
}

#[circuit_breaker]
unsafe fn dangerous() -> Result<()> {
    Ok(())
}

#[circuit_breaker]
extern "C" fn foreign() -> Result<()> {
    Ok(())
}

fn main() {}
