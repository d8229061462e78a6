//! An argument that there is not.
#[tekton_sdk::data(name = "shelf")]
struct Shelf;

fn main() {}
