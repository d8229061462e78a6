//! Seam: what a room shows of its insides.

use std::fmt;

/// A part of the handle that shows its state as JSON: breakers, budgets, settings.
pub trait Introspect: fmt::Debug + Send + Sync + 'static {
    /// Under which name it stands.
    fn section(&self) -> &'static str;

    /// Its state now. **Must not** hold a secret or block, and is bounded in size.
    fn introspect(&self) -> serde_json::Value;
}
