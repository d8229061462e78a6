//! The SDK of the Tekton mesh.

extern crate self as tekton_sdk;

pub mod config;
pub mod context;
pub mod contract;
pub mod directory;
pub mod env;
pub mod error;
#[cfg(feature = "host")]
pub mod host;
pub mod names;
pub mod patterns;
pub mod policy;
#[doc(hidden)]
pub mod private;
pub mod random;
pub mod secret;
pub mod tekton;
pub mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod time;
pub mod transport;
pub mod wire;

pub use config::Config;
pub use context::Context;
pub use error::{Error, ErrorKind, FieldError, RemoteError, Result, RetryHint, Sent};
#[cfg(feature = "host")]
pub use host::Component;
pub use secret::Secret;
pub use tekton::{Client, Peer, Tekton};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use tekton_sdk_macros::data;

/// What this crate tells others of itself.
pub const SDK: &str = concat!("tekton-sdk/", env!("CARGO_PKG_VERSION"));
