//! A function of a trait that has no body.
use tekton_sdk::{Result, circuit_breaker};

/// Charges.
pub trait Charge {
    /// Charges.
    #[circuit_breaker]
    fn charge(&self) -> Result<()>;
}

fn main() {}
