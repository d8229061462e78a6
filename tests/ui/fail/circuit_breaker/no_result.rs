//! A return that is no result.
use tekton_sdk::circuit_breaker;

#[circuit_breaker]
async fn charge() {}

#[circuit_breaker]
fn count() -> impl Sized {}

fn main() {}
