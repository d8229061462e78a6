//! What is measured of every call, and under which names.

mod metrics;
pub mod names;

pub use metrics::{CallMetrics, RequestMetrics};
