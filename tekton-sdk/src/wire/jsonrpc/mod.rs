//! JSON-RPC 2.0, as its specification of 2013-01-04 has it: requests, notifications, responses, errors and batches.
//!
//! [`parse`] reads a message of either side. Ids are kept exactly as they came, and `params`, `result` and `error.data` stay
//! raw until they are asked for. [`answer`] is the whole of a server for calls that are done at once; one that runs them side
//! by side collects their outcomes in [`Answers`]. [`Calls`] is a client without its connection.
//!
//! ```
//! use serde_json::value::to_raw_value;
//! use tekton_sdk::wire::jsonrpc::{RpcError, RpcLimits, answer};
//!
//! let message = br#"[{"jsonrpc":"2.0","method":"sum","params":[1,2],"id":1.0},{"jsonrpc":"2.0","method":"note"}]"#;
//! let text = answer(message, &RpcLimits::default(), |request| {
//!     let params = request.params.map_or("[]", |params| params.get());
//!     let numbers: Vec<i64> = serde_json::from_str(params).map_err(RpcError::invalid_params)?;
//!     Ok(to_raw_value(&numbers.iter().sum::<i64>()).map_err(RpcError::internal)?)
//! });
//! assert_eq!(text.as_deref(), Some(r#"[{"jsonrpc":"2.0","result":3,"id":1.0}]"#));
//! ```
//!
//! *What can go wrong:* a message that cannot be read is answered with an [`RpcError`]; what is wrong with an entry of a batch
//! spoils that entry alone.

mod client;
mod depth;
mod error;
mod id;
mod message;
mod read;
mod server;

pub use client::{Calls, Received, notification};
#[cfg(feature = "websocket")]
pub(super) use depth::deeper_than;
pub use error::RpcError;
pub use id::Id;
pub use message::{Incoming, Invalid, Message, Outcome, Request, Response};
pub use read::parse;
pub use server::{Answers, answer};

/// The value of every message's `jsonrpc`.
pub const VERSION: &str = "2.0";

/// How large a message may be. It is refused before it is parsed if it is larger.
///
/// ```
/// use tekton_sdk::wire::jsonrpc::RpcLimits;
///
/// let limits = RpcLimits::default();
/// assert_eq!((limits.max_message_bytes, limits.max_depth, limits.max_batch), (1 << 20, 128, 10_000));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcLimits {
    /// The most bytes of a message, a batch included. Default: 1 MiB.
    pub max_message_bytes: usize,
    /// How deep arrays and objects may be nested, the message's own included. Default: 128.
    pub max_depth: usize,
    /// The most entries of a batch. Default: 10,000.
    pub max_batch: usize,
}

impl RpcLimits {
    /// Sets [`Self::max_message_bytes`].
    #[must_use]
    pub const fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets [`Self::max_depth`].
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth;
        self
    }

    /// Sets [`Self::max_batch`].
    #[must_use]
    pub const fn with_max_batch(mut self, entries: usize) -> Self {
        self.max_batch = entries;
        self
    }
}

impl Default for RpcLimits {
    fn default() -> Self {
        Self { max_message_bytes: 1 << 20, max_depth: 128, max_batch: 10_000 }
    }
}

#[cfg(test)]
mod tests;
