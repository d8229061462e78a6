//! A breaker around something else.
use tekton_sdk::circuit_breaker;

#[circuit_breaker]
struct Till;

fn main() {}
