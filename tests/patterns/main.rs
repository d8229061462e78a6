//! The rooms as a user sees them: public API, real sockets on loopback, no sleeps.

mod cache;
mod configuration;
mod data;
mod errors;
mod host;
mod lab;
mod p01_request;
mod trace_context;
