//! A second attempt beside a slow one.

mod latency;
mod race;
mod targets;

use std::{fmt, sync::Arc};

use serde_json::{Value, json};

use self::{race::Race, targets::Targets};
use super::{ByKind, Classify, HedgeConfig, Next, Policy, RetryBudgets, RetryConfig};
use crate::{
    error::Result,
    telemetry::{Gauge, Introspect, Observers},
    time::{BoxFuture, SharedClock},
    transport::{CallInfo, Request, Response, Safety, Spare},
    wire::headers,
};

/// How many hedges a target may have in ten seconds beside those that its calls pay for.
const RESERVE: u32 = 1;

/// Says whether what is called is well, as a closed breaker does.
pub type Well = Arc<dyn Fn(&CallInfo) -> bool + Send + Sync>;

/// Sends a second attempt beside one that is slower than most were lately, and takes the answer that comes first. It cuts the
/// slowest answers of a component that is slow once in a while, as while it collects garbage.
///
/// **What is hedged:** [`Read`](Safety::Read), and [`Idempotent`](Safety::Idempotent) with an idempotent method or an
/// `Idempotency-Key`, which every attempt repeats; not a request whose body is a stream.
///
/// **When:** after as long as [`HedgeConfig::percentile`] percent of the recent good answers to the same operation of the same
/// target took, within [`HedgeConfig::min_delay`] and [`HedgeConfig::max_delay`]. While fewer than 20 are known, after
/// `max_delay`. A further one, up to [`HedgeConfig::max_hedges`], after the same wait again. The percentile is right within an
/// eighth; of an attempt that was overtaken it counts how long it had run by then.
///
/// **How many:** each call that went out pays [`HedgeConfig::budget_percent`] of a hedge to its target's budget, to be spent
/// within ten seconds, beside one hedge in ten seconds that is there without any. Where all calls become slow the callee is sent
/// that much more and no more. A retry takes from another budget, so that together at most calls × (1 + retry % + hedge %) and
/// the reserves are sent. None is sent while the target's breaker is not closed, nor for a second, or for as long as it asks, after
/// it answered 429 or 503 or a limit on this side refused an attempt.
///
/// **Which answer:** the first good one; the other attempts are dropped, and so cancelled. A failure while another attempt runs
/// is kept until that one has ended, and the first failure of the callee is what the retry sees. A 409 to an idempotent write says
/// that the other attempt is under way, and wins only when nothing else is left.
///
/// **How it is counted:** a hedge is an attempt, with the next number in `X-Tekton-Attempt`, a span, and its own turn at rate limit,
/// breaker and bulkhead. It is one of the retry's [`max_attempts`](super::RetryConfig::max_attempts): a call that was hedged has
/// that many retries less. The hedge itself is not forbidden by them: a call with one attempt can be hedged.
#[derive(Clone)]
pub struct Hedge {
    config: Option<HedgeConfig>,
    clock: SharedClock,
    classify: Arc<dyn Classify>,
    targets: Arc<Targets>,
    well: Option<Well>,
    observers: Observers,
}

impl Hedge {
    /// Hedges as configured, or, with `None`, only calls whose [rules](super::Rules) say so.
    #[must_use]
    pub fn new(config: Option<HedgeConfig>, clock: SharedClock) -> Self {
        let percent = config.unwrap_or_default().budget_percent;
        let budget = RetryConfig::default().with_budget_percent(percent).with_budget_reserve(RESERVE);
        let targets = Arc::new(Targets::new(RetryBudgets::new(&budget, clock.clone()), clock.now()));
        Self { config, clock, classify: Arc::new(ByKind), targets, well: None, observers: Observers::default() }
    }

    /// Takes what this calls a success. Default: [`ByKind`].
    #[must_use]
    pub fn with_classify(mut self, classify: Arc<dyn Classify>) -> Self {
        self.classify = classify;
        self
    }

    /// Hedges only what this says is well, as a breaker that is closed.
    #[must_use]
    pub fn while_well(mut self, well: Well) -> Self {
        self.well = Some(well);
        self
    }

    /// Tells these of hedges.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }
}

/// Whether a second execution at the same time does no harm.
fn is_harmless(request: &Request) -> bool {
    if request.headers.contains_key(headers::LAST_EVENT_ID) {
        // It takes a stream up again, and of two that do so the callee keeps the last.
        return false;
    }
    match request.call.safety {
        Safety::Read => true,
        Safety::Idempotent => request.method.is_idempotent() || request.headers.contains_key(headers::IDEMPOTENCY_KEY),
        Safety::Write => false,
    }
}

impl Policy for Hedge {
    fn name(&self) -> &'static str {
        "hedge"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let config = request.call.rules.as_ref().map_or(self.config, |rules| rules.hedge);
        let Some(config) = config.filter(|_| is_harmless(&request)) else { return next.run(request) };
        // In a box of its own: it is large, and moved more than once.
        let Some(spare) = Spare::of(&request).map(Box::new) else { return next.run(request) };
        let known = self.targets.of(&spare.call.target, &spare.call.operation);
        let began = spare.call.began.filter(|_| spare.call.attempt == 1).unwrap_or_else(|| self.clock.now());
        let first = next.run(request);
        Box::pin(Race::new(self, config, known, spare, began, first, next))
    }
}

impl Introspect for Hedge {
    fn section(&self) -> &'static str {
        "hedges"
    }

    fn introspect(&self) -> Value {
        let now = self.clock.now();
        let (shown, left_out) = self.targets.shown();
        let left: serde_json::Map<String, Value> =
            shown.into_iter().map(|(target, budget)| (target.to_string(), budget.left(now).into())).collect();
        json!({ "reserve": RESERVE, "left": left, "not_shown": left_out })
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

impl fmt::Debug for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge").field("config", &self.config).finish_non_exhaustive()
    }
}
