//! What an operation inherits from its caller: deadline, trace, baggage, budget, who called.

mod budget;

mod identity;

use std::sync::Arc;

pub(crate) use budget::refused;
pub use budget::{Budget, Reservation};

pub use crate::wire::spend::{Allowance, Cost, Overdrawn};
pub use identity::Identity;

use crate::{
    time::Deadline,
    wire::{baggage::Baggage, trace::TraceContext},
};

tokio::task_local! {
    static CURRENT: Context;
}

/// The call that is being served. The host opens it around an operation; calls made inside inherit its deadline, its
/// trace and its budget.
///
/// ```
/// use tekton_sdk::Context;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert!(Context::current().is_none());
/// let context = Context::new().with_caller("reader-1");
/// context.scope(async { assert_eq!(Context::current().unwrap().caller(), Some("reader-1")) }).await;
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context(Arc<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    deadline: Option<Deadline>,
    trace: Option<TraceContext>,
    baggage: Baggage,
    budget: Option<Budget>,
    caller: Option<String>,
    identity: Option<Identity>,
    attempt: u32,
    idempotency_key: Option<String>,
}

impl Context {
    /// A context that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The context of the running task; `None` outside an operation.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a future inside this context.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Runs a function inside this context, for work on a blocking thread.
    pub fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// Sets the deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Deadline>) -> Self {
        self.edit().deadline = deadline;
        self
    }

    /// Sets the trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceContext>) -> Self {
        self.edit().trace = trace;
        self
    }

    /// Sets the baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.edit().baggage = baggage;
        self
    }

    /// Sets the budget, for every call made inside.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.edit().budget = Some(budget);
        self
    }

    /// Names the caller.
    #[must_use]
    pub fn with_caller(mut self, caller: impl Into<String>) -> Self {
        self.edit().caller = Some(caller.into());
        self
    }

    /// Says who calls, if that is proven.
    #[must_use]
    pub fn with_identity(mut self, identity: Option<Identity>) -> Self {
        self.edit().identity = identity;
        self
    }

    /// Sets the number of the attempt that is being served.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.edit().attempt = attempt;
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.edit().idempotency_key = Some(key.into());
        self
    }

    /// When the caller stops waiting.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// The trace of this call.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.0.trace.as_ref()
    }

    /// What the caller says to all that work for it, unproven. Calls made inside pass it on to the peers of
    /// `telemetry.baggage_peers`, and to nobody else.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        &self.0.baggage
    }

    /// What the work may spend; `None` if nobody set a limit.
    #[must_use]
    pub fn budget(&self) -> Option<&Budget> {
        self.0.budget.as_ref()
    }

    /// The component id that the caller gave: a label, not a proof.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        self.0.caller.as_deref()
    }

    /// Who calls, if that is proven; on a host, by the `Identify` that it was given.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.identity.as_ref()
    }

    /// Which attempt of the caller this is; 0 when the caller did not say.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// The key that is the same on every attempt of one call.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}
