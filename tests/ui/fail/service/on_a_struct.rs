//! The attribute on something that has no methods.

/// A struct.
#[tekton_sdk::service]
struct Shelf;

fn main() {
    let _ = Shelf;
}
