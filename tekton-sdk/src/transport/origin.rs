//! Who gave an answer.

use std::{sync::Arc, time::Duration};

/// Who gave an answer: the callee, or what stood in for it.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The callee, asked by this call.
    #[default]
    Callee,
    /// The callee, asked by an equal call that was under way.
    Shared,
    /// The callee, asked by an equal call this long ago.
    Cached(Duration),
    /// A fallback: the value that was declared.
    Value,
    /// A fallback: another component, by its name.
    Component(Arc<str>),
    /// A fallback: the callee, asked by an equal call this long ago.
    Stale(Duration),
}

impl Origin {
    /// Whether it was given instead of a failure.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        matches!(self, Self::Value | Self::Component(_) | Self::Stale(_))
    }

    /// The name in spans and events.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Callee => "callee",
            Self::Shared => "shared",
            Self::Cached(_) => "cached",
            Self::Value => "value",
            Self::Component(_) => "component",
            Self::Stale(_) => "stale",
        }
    }
}
