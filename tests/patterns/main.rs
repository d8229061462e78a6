//! The rooms as a user sees them: public API, real sockets on loopback, no sleeps.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cache;
mod configuration;
mod conformance;
mod conformance_bites;
mod conformance_broker;
mod data;
mod errors;
mod fallback;
mod golden;
mod hedge;
mod hermes;
mod host;
mod host_limits;
mod lab;
mod landmarks;
mod macros;
mod mcp;
mod mesh;
mod observe;
mod p01_instances;
mod p01_request;
mod p01_retry;
mod p01_routing;
mod p02_events;
mod p02_faults;
mod p02_handler;
mod p05_attribute;
mod p05_breaker;
mod p05_layer;
mod policies;
mod reuse;
mod simulation;
mod timed;
mod traffic_limits;
mod vectors;
