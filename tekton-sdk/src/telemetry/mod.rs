//! What is measured of every call, and under which names.

mod introspect;
mod metrics;
pub mod names;
mod observer;

pub use introspect::{Gauge, Introspect};
pub use metrics::{CallMetrics, RequestMetrics};
pub use observer::{Event, Observer, Observers};
