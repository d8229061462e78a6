//! Room 5: stop calling what is down.

mod atomic;
mod circuit;
mod config;
mod machine;
mod permit;
mod refused;
mod registry;
mod snapshot;
mod sync;
mod transition;

pub use circuit::CircuitBreaker;
pub use config::BreakerConfig;
pub use permit::{OwnedPermit, Permit};
pub use refused::Refused;
pub use registry::Breakers;
pub use snapshot::BreakerSnapshot;
pub use transition::{BreakerState, Heard, Reason, Transition, Transitions};
