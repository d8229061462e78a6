//! A service that is listed, and is not there.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(Admin))] //~ AdminService
struct Shelf;

fn main() {}
