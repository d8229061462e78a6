//! What a breaker answers instead of a permit.

use std::{fmt, sync::Arc, time::Duration};

use super::BreakerState;
use crate::error::{Error, ErrorKind, Sent, Verdict};

/// A breaker let a call not through: nothing was sent.
///
/// It converts into the SDK's [`Error`] of kind [`Rejected`](ErrorKind::Rejected), with the verdict
/// [`Ignored`](Verdict::Ignored), and into `anyhow::Error` and the like.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The breaker.
    pub breaker: Arc<str>,
    /// Its state: open, half-open with all its probes under way, or forced open.
    pub state: BreakerState,
    /// When it lets the next call through, if that is known.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { breaker, state, retry_after } = self;
        match (state, retry_after) {
            (BreakerState::HalfOpen, _) => write!(f, "the breaker {breaker} is half-open and its probes are under way"),
            (BreakerState::ForcedOpen, _) => write!(f, "the breaker {breaker} is held open by hand"),
            (_, Some(wait)) => write!(f, "the breaker {breaker} is open for another {wait:.0?}"),
            (_, None) => write!(f, "the breaker {breaker} is open"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let error = Self::new(ErrorKind::Rejected, refused.to_string());
        let error = error.with_sent(Sent::No).with_verdict(Verdict::Ignored);
        match refused.retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}
