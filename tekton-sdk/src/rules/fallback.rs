//! Settings of the fallback.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

/// What a caller is given instead of a failure of the callee.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum FallbackConfig {
    /// This value, as if it were the answer.
    Value(Value),
    /// The answer of the component of this name to the same request.
    Component(Arc<str>),
    /// The answer of another component that has this capability, to the same request.
    Capability(Arc<str>),
    /// The last good answer to an equal read, no older than this.
    Cached(Duration),
}
