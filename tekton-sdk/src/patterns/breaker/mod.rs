//! Room 5: stop calling what is down.
//!
//! A breaker counts how calls go. When they go badly it opens: calls are refused at once instead of waiting for their
//! time-out, and the callee is left alone. After a while it lets a few probe, and closes when they go well.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use tekton_sdk::{Error, patterns::breaker::{BreakerConfig, BreakerState, CircuitBreaker}, time::SharedClock};
//!
//! let config = BreakerConfig::in_a_row(3, Duration::from_secs(30));
//! let breaker = CircuitBreaker::new("billing", config, SharedClock::default())?;
//! for _ in 0..3 {
//!     let failed = breaker.call(async { Err::<(), _>(Error::internal("it is down")) }).await;
//!     assert!(failed.is_err());
//! }
//! assert_eq!(breaker.state(), BreakerState::Open);
//!
//! // Refused: the work is not even begun.
//! let refused = breaker.call(async { Ok::<_, Error>(7) }).await.unwrap_err();
//! assert_eq!(refused.kind(), tekton_sdk::ErrorKind::Rejected);
//! # Ok::<(), Error>(()) }).unwrap();
//! ```
//!
//! Every call of a [`Peer`](crate::Peer) goes through the breaker of its component; [`Tekton::breakers`] shows them.
//! `#[circuit_breaker]` puts one around a function, and the feature `tower` has a layer.
//!
//! What can go wrong: [`Rejected`](crate::ErrorKind::Rejected) with [`retry_after`](crate::Error::retry_after), and nothing
//! was sent.

mod atomic;
mod by_result;
mod circuit;
mod config;
#[cfg(feature = "macros")]
mod function;
#[cfg(feature = "tower")]
mod layer;
mod machine;
mod permit;
mod policy;
mod refused;
mod registry;
mod snapshot;
mod sync;
mod transition;

use crate::tekton::Tekton;

pub use by_result::ByResult;
pub use circuit::CircuitBreaker;
pub use config::BreakerConfig;
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use function::function_breakers;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub use function::{FunctionBreaker, Guarded};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use layer::{CircuitBreakerFuture, CircuitBreakerLayer, CircuitBreakerService};
pub use permit::{OwnedPermit, Permit};
pub use policy::{BreakerPolicy, Scope};
pub use refused::Refused;
pub use registry::Breakers;
pub use snapshot::BreakerSnapshot;
pub use transition::{BreakerState, Heard, Reason, Transition, Transitions};

impl Tekton {
    /// The breakers of this handle's calls, by component and operation; `None` if it has none: `breaker.enabled` is off, or it
    /// was made from parts of one's own.
    #[must_use]
    pub fn breakers(&self) -> Option<Breakers> {
        self.setting()
    }
}
