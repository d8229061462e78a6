//! What of the hub, Hermes, takes more than one room: its events. Components are found through it by
//! [`HermesDirectory`](crate::directory::HermesDirectory).

mod broker;
mod feed;

pub use broker::HermesBroker;
