//! Fakes, doubles and conformance suites (feature `testing`). Not for production.
//!
//! | what | for |
//! |---|---|
//! | [`TestBed`] | components that call each other: no socket, no sleep, time moved by the test |
//! | [`FakeHermes`] | a whole hub over a real socket, with upstream's quirks and a plan of faults |
//! | [`FakeComponent`] | a whole peer that answers, fails, waits, hangs or panics as planned |
//! | [`Plan`], [`StreamPlan`], [`Plans`] | what the fake that `#[service]` generates is told to do |
//! | [`ScriptedTransport`] | the answers of a script, in order; what was sent is recorded |
//! | [`ScriptedSse`], [`SseScript`] | a server of event streams that plays a script, over a real socket or without one |
//! | [`FaultyTransport`], [`FaultyDirectory`], [`FaultyBroker`] | any transport, directory or broker, with planned faults on the way |
//! | [`ScriptedWebSocket`] | a WebSocket server over a real socket that plays a script, faults of every kind included |
//! | [`EventLog`] | an observer that keeps what it hears |
//! | [`assert_tools_snapshot`] | a component's MCP tools, kept in a file: a change fails with the lines that differ |
//! | [`conformance`] | the laws of every seam, run over any backend with one line |
//! | [`MemoryDirectory`](crate::directory::MemoryDirectory), [`MemoryTransport`](crate::transport::MemoryTransport), [`ManualClock`](crate::time::ManualClock) | the parts of a bed, alone |

mod bed;
mod block_on;
mod broken;
mod component;
pub mod conformance;
mod events;
mod faulty;
mod hermes;
mod log;
mod plans;
mod scripted;
mod snapshot;
mod spans;
mod sse;
#[cfg(feature = "websocket")]
mod websocket;

pub use bed::TestBed;
pub use block_on::block_on;
pub use component::{Calls, FakeComponent, RecordedCall};
pub use events::{EventLog, RecordedEvent};
pub use faulty::{
    BrokerFaults, CallFault, DeliveryFault, FaultPlan, FaultyBroker, FaultyDirectory, FaultyTransport, PublishFault,
};
pub use hermes::{FakeHermes, FakeHermesBuilder, Fault, LoggedRequest, Route, RouteFault};
pub use plans::{Plan, Plans, StreamPlan};
pub use scripted::{RecordedRequest, Script, ScriptedTransport};
pub use snapshot::{assert_tools_snapshot, tools_snapshot};
pub use spans::Record;
pub use sse::{ScriptedSse, SseAnswer, SseRequest, SseScript};
#[cfg(feature = "websocket")]
pub use websocket::{Echoed, Order, ScriptedWebSocket, WsStep, echo_until_closed};
