//! The settings of rooms that do not read them yet.

mod batch;
mod breaker;

pub use batch::BatchSettings;
pub use breaker::BreakerSettings;
