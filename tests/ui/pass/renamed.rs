//! An SDK that another crate re-exports under another name.
#![deny(missing_docs, warnings)]
#![forbid(unsafe_code)]

/// The crate that re-exports it.
pub mod mesh {
    pub use tekton_sdk as inner;
}

use mesh::inner::Result;

/// A component.
#[derive(mesh::inner::Component, Debug)]
#[component(crate = "crate::mesh::inner", services(Shelf, Count))]
pub struct Shelf;

#[mesh::inner::service(crate = "crate::mesh::inner")]
impl Shelf {
    /// Keeps a value.
    #[op(write)]
    pub async fn put(&self, value: u8) -> Result<u8> {
        Ok(value)
    }

    #[on_event]
    async fn on_kept(&self, kept: Kept) -> Result<()> {
        drop(kept);
        Ok(())
    }
}

/// An event.
#[mesh::inner::data(crate = "crate::mesh::inner")]
#[derive(mesh::inner::patterns::events::Event, Debug)]
#[event(topic = "kept.{value}", crate = "crate::mesh::inner")]
pub struct Kept {
    /// What was kept.
    pub value: u8,
}

/// A contract.
#[mesh::inner::service(crate = "crate::mesh::inner")]
pub trait Count {
    /// Counts.
    #[op(read)]
    async fn count(&self) -> Result<u8>;
}

impl Count for Shelf {
    async fn count(&self) -> Result<u8> {
        Ok(1)
    }
}

/// A function with a breaker.
#[mesh::inner::circuit_breaker(crate = "crate::mesh::inner")]
pub async fn charge() -> Result<u8> {
    Ok(1)
}

fn main() {}
