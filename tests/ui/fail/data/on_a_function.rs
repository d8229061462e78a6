//! A function is no value.
#[tekton_sdk::data]
fn shelf() {}

fn main() {}
