//! All mistakes are told at once, and the function is still there.
use tekton_sdk::circuit_breaker;

#[circuit_breaker(failure_threshold = "five", timeout = "0s", colour = "red")]
const unsafe extern "C" fn charge() {}

/// Calls it.
pub fn all() {
    let _: unsafe extern "C" fn() = charge;
}

fn main() {}
