//! Pure codecs: bytes in, values out, and back. No I/O, no clock, no randomness but what is passed in.
//!
//! Every reader here eats bytes of a remote side. It never panics, bounds what it keeps, and says in one clause what
//! was expected and what came. Readers of upstream's bodies are lenient, writers are exact.
//!
//! | module | speaks |
//! |---|---|
//! | [`problem`] | failures: RFC 9457 bodies, and every other dialect when reading |
//! | [`retry_after`] | `Retry-After` in seconds and in all three forms of a date |
//! | [`trace`] | W3C Trace Context: `traceparent` and `tracestate` |
//! | [`baggage`] | W3C Baggage: `baggage` |
//! | [`forwarded`] | whom a proxy speaks for: `X-Forwarded-For` and `Forwarded` |
//! | [`hermes`] | the hub's registration, heartbeat and discovery bodies |
//! | [`headers`] | the headers that components exchange |
//! | [`health`] | the bodies of `/health` |
//! | [`spend`] | `X-Tekton-Budget` and `X-Tekton-Spent` |
//! | [`cloudevents`] | CloudEvents 1.0 in the JSON format |
//! | [`jsonrpc`] | JSON-RPC 2.0, both sides |
//! | [`exchange`] | whole HTTP requests and answers in JSON-RPC messages |
//! | [`ndjson`] | lines of JSON |
//! | [`sse`] | event streams, as the HTML standard has them |

#[cfg(test)]
mod arbitrary;
mod lenient;
pub(crate) mod rfc3339;

pub mod baggage;
pub mod cloudevents;
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub mod exchange;
pub mod forwarded;
pub mod headers;
pub mod health;
pub mod hermes;
pub mod jsonrpc;
pub mod ndjson;
pub mod problem;
pub mod retry_after;
pub mod spend;
pub mod sse;
pub mod trace;
