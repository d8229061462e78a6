//! The settings of what stands above this floor, and of rooms that do not read them yet.

mod batch;
mod breaker;
mod host;
mod telemetry;

pub use batch::BatchSettings;
pub use breaker::BreakerSettings;
pub use host::HostConfig;
pub use telemetry::TelemetryConfig;
