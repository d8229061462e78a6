//! A program that only calls: without the host, without its own component, with a contract that another crate serves.
#![deny(missing_docs, warnings)]
#![forbid(unsafe_code)]

use tekton_sdk::{CallOptions, Peer, Result, Tekton};

/// A value.
#[tekton_sdk::data]
pub struct Value {
    /// A number.
    pub number: u8,
}

/// A contract.
#[tekton_sdk::service(component = "counter", capability = "things.count")]
pub trait Count {
    /// Counts.
    #[op(read, timeout = "2s")]
    async fn count(&self, value: &Value, #[arg(default = 3)] more: usize) -> Result<Value>;

    /// Empties.
    #[op(write)]
    fn clear(&self, ctx: &tekton_sdk::Context) -> Result<()>;
}

/// A component whose server stands in another build of the same crate.
#[derive(tekton_sdk::Component, Debug)]
#[component(services(Shelf, Count), port = 8005)]
pub struct Shelf;

#[tekton_sdk::service]
impl Shelf {
    /// Keeps a value.
    #[op(write, idempotent)]
    pub async fn put(&self, value: Value) -> Result<u8> {
        Ok(value.number)
    }

    /// Heard where it is served.
    #[on_event]
    pub async fn on_kept(&self, kept: Kept) -> Result<()> {
        drop(kept);
        Ok(())
    }
}

/// An event, for those who only tell it.
#[tekton_sdk::data]
#[derive(tekton_sdk::patterns::events::Event)]
#[event(topic = "kept")]
pub struct Kept {
    /// A number.
    pub number: u8,
}

/// Calls both.
///
/// # Errors
/// Those of a call.
pub async fn use_them(count: &dyn CountApi, shelf: &ShelfClient) -> Result<u8> {
    let counted = count.with(CallOptions::new()).count(&Value { number: 1 }, None).await?;
    count.clear().await?;
    shelf.put(counted).await
}

fn main() -> Result<()> {
    let tekton = Tekton::builder().build()?;
    let peer: Peer = tekton.peer("shelf");
    let (count, shelf) = (
        <CountClient as tekton_sdk::Client>::from_peer(peer.clone()),
        <ShelfClient as tekton_sdk::Client>::from_peer(peer),
    );
    drop(use_them(&count, &shelf));
    Ok(())
}
