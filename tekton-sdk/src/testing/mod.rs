//! Fakes, doubles and conformance suites (feature `testing`). Not for production.
//!
//! | what | for |
//! |---|---|
//! | [`TestBed`] | components that call each other: no socket, no sleep, time moved by the test |
//! | [`FakeHermes`] | a whole hub over a real socket, with upstream's quirks and a plan of faults |
//! | [`FakeComponent`] | a whole peer that answers, fails, waits, hangs or panics as planned |
//! | [`MemoryDirectory`](crate::directory::MemoryDirectory), [`MemoryTransport`](crate::transport::MemoryTransport), [`ManualClock`](crate::time::ManualClock) | the parts of a bed, alone |

mod bed;
mod block_on;
mod component;
mod hermes;
mod log;
mod spans;

pub use bed::TestBed;
pub use block_on::block_on;
pub use component::{Calls, FakeComponent, RecordedCall};
pub use hermes::{FakeHermes, FakeHermesBuilder, Fault, LoggedRequest, Route, RouteFault};
pub use spans::Record;
