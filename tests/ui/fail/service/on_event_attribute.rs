//! What is wrong with the attribute of a listener is told at its token.
use tekton_sdk::{Component, Result};

#[derive(Component)]
struct Kitchen;

#[tekton_sdk::service]
impl Kitchen {
    #[on_event("orders..new", "orders.>.new", "orders.new", "orders.new")]
    async fn topics(&self, _order: String) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new", dead_letters = "dead.*", start = "now", when_full = "wait", concurrency = 0, colour = 3)]
    async fn arguments(&self, _order: String) -> Result<()> {
        Ok(())
    }

    #[on_event("orders.new", acked = false, dead_letters = "dead", group = "cooks", every_instance)]
    async fn contrary(&self, _order: String) -> Result<()> {
        Ok(())
    }

    /// Cooks.
    #[op(write)]
    #[on_event("orders.new")]
    async fn both(&self, _order: String) -> Result<()> {
        Ok(())
    }
}

fn main() {}
