//! The breaker as a stage of the pipeline.

use std::{future, sync::Arc};

use super::{BreakerState, Breakers, CircuitBreaker, OwnedPermit};
use crate::{
    error::{Result, Verdict},
    policy::{Classify, Next, Policy, asked_wait, judge},
    time::{BoxFuture, Deadline, SharedClock},
    transport::{CallInfo, Request, Response, Tried},
};

/// What has a breaker of its own.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each component.
    #[default]
    Component,
    /// Each operation of each component.
    Operation,
}

/// Asks the breaker of the callee before each attempt, and tells it how the attempt went.
///
/// A call whose [rules](crate::policy::Rules) say `breaker = false` is neither asked about nor told of.
///
/// A refusal is an error of kind [`Rejected`](crate::ErrorKind::Rejected) whose verdict is
/// [`Ignored`](Verdict::Ignored), so that neither a breaker nor a retry feeds on it. An attempt that is given up at its
/// deadline is a failure; one that is given up earlier says nothing. The failure of an instance that is kept out while another is
/// well ([`Balancer`](crate::policy::Balancer)) says nothing about the component either.
#[derive(Clone)]
pub struct BreakerPolicy {
    breakers: Breakers,
    scope: Scope,
    classify: Arc<dyn Classify>,
    clock: SharedClock,
}

impl BreakerPolicy {
    /// Takes its breakers from this registry, one for each `scope`.
    #[must_use]
    pub fn new(breakers: Breakers, scope: Scope, classify: Arc<dyn Classify>, clock: SharedClock) -> Self {
        Self { breakers, scope, classify, clock }
    }
}

impl Breakers {
    fn of_call(&self, scope: Scope, call: &CallInfo) -> CircuitBreaker {
        match scope {
            Scope::Component => self.of(&call.target),
            Scope::Operation => self.of_part(&call.target, &call.operation),
        }
    }

    /// Whether the breaker of a call lets everything through.
    pub(crate) fn is_well(&self, scope: Scope, call: &CallInfo) -> bool {
        let state = || self.of_call(scope, call).state();
        !is_asked(call) || !matches!(state(), BreakerState::Open | BreakerState::HalfOpen | BreakerState::ForcedOpen)
    }
}

/// Whether a call goes through a breaker.
fn is_asked(call: &CallInfo) -> bool {
    call.rules.as_ref().is_none_or(|rules| rules.breaker)
}

impl Policy for BreakerPolicy {
    fn name(&self) -> &'static str {
        "breaker"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        if !is_asked(&request.call) {
            return next.run(request);
        }
        let permit = match self.breakers.of_call(self.scope, &request.call).acquire_owned() {
            Ok(permit) => permit,
            Err(refused) => return Box::pin(future::ready(Err(refused.into()))),
        };
        let call = &request.call;
        let own = call.tried.clone().map(|tried| (tried, call.attempt));
        let attempt = Attempt { permit: Some(permit), deadline: call.deadline, own, clock: &self.clock };
        let work = next.run(request);
        Box::pin(async move {
            let mut outcome = work.await;
            let verdict = judge(&*self.classify, &mut outcome);
            attempt.ended(verdict, &outcome);
            outcome
        })
    }
}

/// An attempt under way: dropped after its deadline, the callee was too slow.
struct Attempt<'a> {
    permit: Option<OwnedPermit>,
    deadline: Option<Deadline>,
    /// Where it is said whether the failure is one instance's own, and the number of the attempt; `None` where there is one instance.
    own: Option<(Tried, u32)>,
    clock: &'a SharedClock,
}

impl Attempt<'_> {
    /// Whether the instance that failed is kept out while another is well: the component is not to blame then.
    fn is_contained(&self) -> bool {
        self.own.as_ref().is_some_and(|(tried, attempt)| tried.is_contained(*attempt))
    }

    fn ended(mut self, verdict: Verdict, outcome: &Result<Response>) {
        let verdict = if verdict == Verdict::Failure && self.is_contained() { Verdict::Ignored } else { verdict };
        let Some(mut permit) = self.permit.take() else { return };
        if verdict == Verdict::Failure
            && let Some(wait) = asked_wait(outcome, &**self.clock)
        {
            permit.set_retry_after(wait);
        }
        permit.settle(verdict);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let late = |deadline: &Deadline| deadline.remaining(self.clock.now()).is_zero();
        match self.permit.take() {
            Some(permit) if self.deadline.as_ref().is_some_and(late) && !self.is_contained() => permit.failure(),
            other => drop(other),
        }
    }
}

impl std::fmt::Debug for BreakerPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BreakerPolicy")
            .field("breakers", &self.breakers)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
