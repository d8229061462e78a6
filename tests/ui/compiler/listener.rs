//! What a listener hears must be readable or bound to topics, and it returns a `Result` of nothing.
use tekton_sdk::{Component, Result};

struct Opaque;
struct Refused;

#[derive(Component)]
struct Kitchen;

#[tekton_sdk::service]
impl Kitchen {
    #[on_event("orders.new")]
    async fn unreadable(&self, order: Opaque) -> Result<()> { //~ the trait bound `Opaque: serde::de::DeserializeOwned` is not satisfied
        Ok(())
    }

    #[on_event]
    async fn unbound(&self, order: String) -> Result<()> { //~ `String` is bound to no topic: this type does not say on which topic it is told
        Ok(())
    }

    #[on_event("orders.new")]
    async fn answers(&self, order: String) -> Result<u8> { //~ a listener returns `Result<()>`, and `Result<u8, tekton_sdk::Error>` is another type: write `Result<()>` instead
        Ok(1)
    }

    #[on_event("orders.new")]
    async fn wrong_error(&self, order: String) -> Result<(), Refused> { //~ `Refused` is no error that an operation or a listener can end with: write `impl From<Refused> for tekton_sdk::Error`, or return `tekton_sdk::Result`
        Ok(())
    }
}

fn main() {}
