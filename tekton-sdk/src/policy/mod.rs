//! Seam: what happens around a call. A [`Policy`] sees a request on its way out and the answer on its way back.

mod attempt;
mod backoff;
mod balance;
mod budget;
mod bulkhead;
mod classify;
mod config;
mod deadline;
mod fallback;
mod hedge;
mod line;
mod pipeline;
mod rate;
mod refused;
mod registry;
mod retry;
mod reuse;

use std::fmt;

use crate::{
    error::Result,
    time::BoxFuture,
    transport::{Request, Response},
};

pub(crate) use attempt::AttemptLimit;
pub use attempt::AttemptTimeout;
pub use backoff::Backoff;
pub use balance::{BalanceConfig, Balancer, Instances, Picked, StickyKey, Weights};
pub use budget::{RetryBudget, RetryBudgets};
pub use bulkhead::Bulkhead;
pub use classify::{ByKind, Classify, judge};
pub(crate) use classify::{asked_wait, of_error};
pub use config::RetryConfig;
pub use deadline::DeadlinePolicy;
pub use fallback::{Alternate, Fallback, Instead, fallback_cycle};
pub use hedge::{Hedge, Well};
pub use pipeline::{Next, Pipeline};
pub use rate::RateLimit;
pub use retry::Retry;
pub use reuse::{ReplyCache, Reuse};

pub use crate::rules::{BulkheadConfig, FallbackConfig, HedgeConfig, RateConfig, ReuseConfig, Rules};

/// One stage of a [`Pipeline`].
///
/// ```
/// use tekton_sdk::{
///     Result,
///     policy::{Next, Policy},
///     time::BoxFuture,
///     transport::{Request, Response},
/// };
///
/// /// Adds a header to every call.
/// #[derive(Debug)]
/// struct Tenant(http::HeaderValue);
///
/// impl Policy for Tenant {
///     fn name(&self) -> &'static str {
///         "tenant"
///     }
///
///     fn handle<'a>(&'a self, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
///         request.headers.insert("x-tenant", self.0.clone());
///         next.run(request)
///     }
/// }
/// ```
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// What it is called in introspection.
    fn name(&self) -> &'static str;

    /// Handles one call.
    ///
    /// **When:** once per call for a stage before the retry, once per attempt for one behind it. **Given:** the request and
    /// the rest of the pipeline. `next.run` may be called not at all, once, or again; called before the future is made, it
    /// keeps the request out of that future, which is then small and quick to make. **Errors:** those of the rest, or its own.
    /// **Must not** hold a lock while it waits, or go on working when the future is dropped.
    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>>;
}
