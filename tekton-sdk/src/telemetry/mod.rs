//! What is seen of the work: events, metrics, what a handle shows of its insides, and under which names.

mod event;
mod introspect;
mod metrics;
pub mod names;
mod observer;
mod span;

pub use event::Event;
pub use introspect::{Gauge, Introspect};
pub use metrics::{CallMetrics, HostLimit, Metrics, ServedMetrics};
pub use observer::{Observer, Observers};
pub(crate) use span::{method_name, record_trace};
