//! Fakes, scripted doubles and conformance suites (feature `testing`).

mod hermes;

pub use hermes::{FakeHermes, FakeHermesBuilder, Fault, LoggedRequest, Route, RouteFault};
