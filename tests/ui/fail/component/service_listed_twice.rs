//! A service listed twice.
use tekton_sdk::Component;

/// A component.
#[derive(Component)]
#[component(services(Admin, Admin))]
struct Shelf;

#[tekton_sdk::service(name = Admin)]
impl Shelf {
    /// Does.
    #[op(read)]
    async fn f(&self) -> tekton_sdk::Result<()> {
        Ok(())
    }
}

fn main() {}
