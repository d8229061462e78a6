//! The rooms as a user sees them: public API, real sockets on loopback, no sleeps.

mod configuration;
mod errors;
mod hermes;
mod host;
mod lab;
mod p01_request;
mod trace_context;
