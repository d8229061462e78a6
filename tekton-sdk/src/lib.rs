//! An embeddable SDK for components of a Tekton mesh: serve one, find others, call them.
//!
//! A component is one struct. It is served on one port, registered with the hub, kept registered, and shut down in order
//! ([`Component`]). Others find it by name or by what it can do, and call it with a deadline, retries that do no harm, a
//! breaker, a trace and metrics ([`Tekton`], [`Peer`]). Nothing has to be started beside the process.
//!
//! ```
//! use tekton_sdk::{Component, Result, Tekton, service};
//!
//! /// Greets people.
//! #[derive(Component)]
//! #[component(name = "greeter", version = "1.0.0", capabilities("people.greet" = 0.9))]
//! struct Greeter;
//!
//! #[service]
//! impl Greeter {
//!     /// Greets somebody by name.
//!     #[op(read)]
//!     async fn greet(&self, name: String) -> Result<String> {
//!         Ok(format!("Good day, {name}."))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let tekton = Tekton::builder().named("example").build()?;
//! let served = Greeter.serve(&tekton).start().await?;
//!
//! let greeter: GreeterClient = tekton.find().await?;
//! assert_eq!(greeter.greet("Ada".to_owned()).await?, "Good day, Ada.");
//!
//! served.shutdown().await;
//! # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
//! ```
//!
//! # Where things are
//!
//! | to | look at |
//! |---|---|
//! | call, in each of the ten ways | [`patterns`], and [`blocking`] for synchronous code |
//! | serve | [`host`], [`contract`] |
//! | find | [`directory`] |
//! | set up | [`Tekton::builder`], [`config`], [`env`](mod@env) |
//! | mark places in the code | [`landmarks`] |
//! | see what goes on | [`telemetry`] |
//! | test | [`testing`] |
//! | understand a failure | [`Error`], [`ErrorKind`] |
//! | bring a transport, a directory or a policy of one's own | [`transport`], [`directory`], [`policy`] |
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `http` | yes | `MeshTransport` (hyper), `HttpTransport` (reqwest), both with rustls |
//! | `http2` | no | HTTP/2 with prior knowledge for `MeshTransport` |
//! | `websocket` | yes | `WebSocketTransport`, `WebSocketBroker`, and `/ws` of a served component |
//! | `host` | yes | a component served on one port |
//! | `macros` | yes | `#[derive(Component)]`, `#[service]`, `#[data]`, `#[derive(Event)]`, `#[derive(SseEvent)]`, `#[landmark]`, `#[circuit_breaker]` |
//! | `metrics` | yes | request metrics in a `prometheus::Registry` |
//! | `compression` | no | gzip and brotli for the event streams of others |
//! | `tower` | no | the circuit breaker as a `tower::Layer` |
//! | `testing` | no | fakes, scripted doubles, conformance suites; not for production |
//! | `full` | no | everything but `testing` |
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as tekton_sdk;

pub mod blocking;
pub mod config;
pub mod context;
pub mod contract;
pub mod directory;
pub mod env;
pub mod error;
#[cfg(feature = "host")]
#[cfg_attr(docsrs, doc(cfg(feature = "host")))]
pub mod host;
pub mod hub;
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub mod landmarks;
pub mod names;
pub mod patterns;
pub mod policy;
#[doc(hidden)]
pub mod private;
pub mod random;
mod rules;
pub mod secret;
mod service;
pub mod tekton;
pub mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod time;
pub mod transport;
pub mod wire;

/// The types of HTTP that stand in our signatures.
pub use ::http;
/// For those who write a [`transport::Transport`] or a [`directory::Directory`].
pub use async_trait::async_trait;
pub use config::Config;
pub use context::Context;
pub use error::{Error, ErrorKind, FieldError, RemoteError, Result, RetryHint, Sent, Verdict};
/// What an operation that answers many times returns, and what [`patterns::streaming::Chunks`] are.
pub use futures_core::Stream;
#[cfg(feature = "host")]
pub use host::Component;
pub use secret::Secret;
pub use service::{CallOptions, Data};
pub use tekton::{Client, Peer, Tekton};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use tekton_sdk_macros::{Component, circuit_breaker, data, landmark, service};

/// What this crate tells others of itself.
pub const SDK: &str = concat!("tekton-sdk/", env!("CARGO_PKG_VERSION"));
