//! Seam: what a room shows of its insides.

use std::fmt;

/// A part of the handle that shows its state: breakers, budgets, settings.
pub trait Introspect: fmt::Debug + Send + Sync + 'static {
    /// Under which name it stands in the JSON object.
    fn section(&self) -> &'static str;

    /// Its state now. **Must not** hold a secret or block, and is bounded in size.
    fn introspect(&self) -> serde_json::Value;

    /// Hands out what `/metrics` shows as gauges, asked for at each scrape; nothing, if it has none.
    /// **Must not** block, and is bounded in number.
    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>));
}

/// One gauge of one key.
#[expect(clippy::exhaustive_structs, reason = "a room writes it, and a gauge has no more parts")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge<'a> {
    /// The metric: a constant of [`names`](super::names).
    pub name: &'static str,
    /// The value of its one label: a breaker's key, a target.
    pub key: &'a str,
    /// The value.
    pub value: f64,
}
