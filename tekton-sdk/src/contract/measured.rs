//! What a caller has seen of a component itself.

use std::time::Duration;

/// What calls to an endpoint have shown: it counts more than what its entry says of itself.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// How long an answer takes.
    pub latency: Duration,
    /// The share of calls that succeed, from 0 to 1.
    pub success_rate: f64,
    /// How many calls it is known from; with none, nothing is known.
    pub calls: u64,
}

impl Measured {
    /// What so many calls have shown.
    #[must_use]
    pub const fn new(latency: Duration, success_rate: f64, calls: u64) -> Self {
        Self { latency, success_rate, calls }
    }
}
