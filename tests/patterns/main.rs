//! The rooms as a user sees them: public API, real sockets on loopback, no sleeps.

mod configuration;
mod errors;
mod trace_context;
