//! What is wrong with the signature of a listener is told at its token.
use tekton_sdk::{Component, Result};

#[derive(Component)]
struct Kitchen;

#[tekton_sdk::service]
impl Kitchen {
    #[on_event("orders.new")]
    async fn no_receiver(_order: String) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new")]
    async fn nothing(&self) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new")]
    async fn two(&self, _order: String, _number: u32) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new")]
    fn blocking(&self, _order: String) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new")]
    async fn returns_nothing(&self, _order: String) {}

    #[on_event("orders.new")]
    async fn generic<T>(&self, _order: T) -> Result<()> {
        Ok(())
    }
}

#[tekton_sdk::service]
trait Cooks {
    /// Cooks.
    #[op(write)]
    async fn cook(&self, dish: String) -> Result<()>;

    #[on_event("orders.new")]
    async fn on_order(&self, _order: String) -> Result<()>;
}

fn main() {}
