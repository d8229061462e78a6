//! Another attempt for what may be carried out again.

use std::{sync::Arc, time::Duration};

use super::{Backoff, ByKind, Classify, Next, Policy, RetryBudgets, RetryConfig, asked_wait, backoff::Waits, judge};
use crate::{
    context::Context,
    error::{RemoteError, Result, RetryHint, Sent, Verdict},
    random::Random,
    telemetry::{Event, Observers},
    time::{BoxFuture, SharedClock},
    transport::{CallInfo, Request, Response, Safety, Spare},
    wire::headers,
};

/// Tries again, after a wait, what failed and may be carried out again.
///
/// The questions, in this order; each names what [`Event::NotRetried`] calls it where the answer ends the call:
///
/// 1. Is it a failure? [`Classify`] says so, of results (a 503 that nobody collected) as well as of errors. What this side
///    refused is none. Without a word of the retry it is also over where the same request would fail again: a
///    [`RetryHint::Never`]; of results, 401, 501 and 505 and above.
/// 2. `stream`: can it be sent again? A body that is a stream can be read only once.
/// 3. `unsafe`: does a second execution no harm? It was certainly not sent, or it is [`Read`](Safety::Read) or
///    [`Idempotent`](Safety::Idempotent), or it carries an `Idempotency-Key`, which every attempt repeats.
/// 4. `nested`: is this the outermost layer? Inside an operation whose caller counts its attempts ([`Context::attempt`] is not
///    0) the caller tries again, not this call: attempts of nested layers multiply. What was certainly not sent is tried again
///    all the same, because the caller's next attempt would come the same way.
/// 5. `attempts`: are there attempts left? A [hedge](super::Hedge) is one of them.
/// 6. `deadline`: is there time? The wait is that of the [`Backoff`], or what `Retry-After` asks for where that is longer. If it
///    would outlast the deadline, the failure is returned at once.
/// 7. `budget`: does the target's [budget](RetryBudgets) allow it? Asked last, so that nothing is taken out for a retry that is
///    not made. A call that is given up during the wait has used its part.
///
/// Where the call has [rules](super::Rules), they say how often it is tried and how long it waits; a [`Backoff`] that was
/// [given](Self::with_backoff) goes before their delays.
///
/// The answer of a failed attempt is dropped before the wait, and with it its connection, if it was not read to its end.
#[derive(Clone, Debug)]
pub struct Retry {
    max_attempts: u32,
    backoff: Backoff,
    /// Whether it goes before the delays of rules.
    given: bool,
    random: Random,
    clock: SharedClock,
    classify: Shared,
    budgets: Option<RetryBudgets>,
    observers: Observers,
}

impl Retry {
    /// Retries as configured, [by kind](ByKind), without a budget.
    #[must_use]
    pub fn new(config: &RetryConfig, clock: SharedClock, random: Random) -> Self {
        Self {
            max_attempts: config.max_attempts,
            backoff: Backoff::full_jitter(config.base_delay, config.max_delay, random.clone()),
            given: false,
            random,
            clock,
            classify: Shared(Arc::new(ByKind)),
            budgets: None,
            observers: Observers::default(),
        }
    }

    /// Waits as this says between attempts.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        (self.backoff, self.given) = (backoff, true);
        self
    }

    /// Retries what this calls a failure.
    #[must_use]
    pub fn with_classify(mut self, classify: Arc<dyn Classify>) -> Self {
        self.classify = Shared(classify);
        self
    }

    /// Takes each retry out of its target's budget.
    #[must_use]
    pub fn with_budgets(mut self, budgets: RetryBudgets) -> Self {
        self.budgets = Some(budgets);
        self
    }

    /// Tells these of retries, and of those that are not made.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    fn max_attempts(&self, call: &CallInfo) -> u32 {
        call.rules.as_ref().map_or(self.max_attempts, |rules| rules.max_attempts)
    }

    fn waits(&self, call: &CallInfo) -> Waits {
        match &call.rules {
            Some(rules) if !self.given => {
                Backoff::full_jitter(rules.base_delay, rules.max_delay, self.random.clone()).waits()
            }
            _ => self.backoff.waits(),
        }
    }

    async fn again(&self, mut spare: Spare, next: Next<'_>, mut failed: Result<Response>) -> Result<Response> {
        let mut waits = self.waits(&spare.call);
        loop {
            match self.decide(&spare, &failed, &mut waits) {
                Ok(wait) => {
                    self.tell_retrying(&spare.call, wait, &failed);
                    drop(failed);
                    self.clock.sleep(wait).await;
                }
                Err(reason) => {
                    self.tell_not_retried(&spare.call, reason);
                    return counted(failed, spare.call.attempt);
                }
            }
            spare.call.attempt += 1;
            failed = next.run(spare.request()).await;
            spare.call.attempt = made(&mut failed, spare.call.attempt);
            if judge(&*self.classify.0, &mut failed) != Verdict::Failure {
                return counted(failed, spare.call.attempt);
            }
        }
    }

    /// How long to wait for the next attempt, or why there is none; `None` where nothing forbids it but the failure itself.
    fn decide(
        &self,
        spare: &Spare,
        failed: &Result<Response>,
        waits: &mut Waits,
    ) -> Result<Duration, Option<&'static str>> {
        let (hint, unsent) = hint(failed);
        if hint == RetryHint::Never {
            return Err(None);
        }
        let call = &spare.call;
        if !unsent && call.safety == Safety::Write && !spare.has(&headers::IDEMPOTENCY_KEY) {
            return Err(Some("unsafe"));
        }
        if !unsent && Context::current().is_some_and(|context| context.attempt() > 0) {
            return Err(Some("nested"));
        }
        if call.attempt >= self.max_attempts(call) {
            return Err(Some("attempts"));
        }
        let wait = waits.next().ok_or(Some("attempts"))?.max(asked_wait(failed, &*self.clock).unwrap_or_default());
        let now = self.clock.now();
        if call.deadline.is_some_and(|deadline| deadline.remaining(now) <= wait) {
            return Err(Some("deadline"));
        }
        match &self.budgets {
            Some(budgets) if !budgets.of(&call.target).withdraw(now) => Err(Some("budget")),
            _ => Ok(wait),
        }
    }

    fn tell_retrying(&self, call: &CallInfo, wait: Duration, failed: &Result<Response>) {
        if self.observers.is_empty() {
            return;
        }
        let (target, operation, attempt) = (&*call.target, &*call.operation, call.attempt + 1);
        self.observers.tell(&Event::Retrying { target, operation, attempt, wait, reason: &reason(failed) });
    }

    fn tell_not_retried(&self, call: &CallInfo, reason: Option<&'static str>) {
        let Some(reason) = reason else { return };
        let (target, operation, attempts) = (&*call.target, &*call.operation, call.attempt);
        self.observers.tell(&Event::NotRetried { target, operation, attempts, reason });
    }
}

impl Policy for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let kept = if self.max_attempts(&request.call) > 1 { Kept::of(&request) } else { Kept::Nothing };
        let first = next.run(request);
        Box::pin(async move {
            let mut outcome = first.await;
            let verdict = judge(&*self.classify.0, &mut outcome);
            let attempts = made(&mut outcome, 1);
            match kept {
                Kept::Nothing => counted(outcome, attempts),
                _ if verdict != Verdict::Failure => counted(outcome, attempts),
                // Boxed, because most calls never come here: their future need not have room for it.
                Kept::Whole(mut spare) => {
                    spare.call.attempt = attempts;
                    Box::pin(self.again(spare, next, outcome)).await
                }
                Kept::Stream(call) => {
                    let could = hint(&outcome).0 != RetryHint::Never;
                    self.tell_not_retried(&call, could.then_some("stream"));
                    counted(outcome, attempts)
                }
            }
        })
    }
}

/// What is kept of a request while its first attempt is under way.
enum Kept {
    /// There is one attempt.
    Nothing,
    Whole(Spare),
    /// Only what the observers are told.
    Stream(CallInfo),
}

impl Kept {
    fn of(request: &Request) -> Self {
        Spare::of(request).map_or_else(|| Self::Stream(request.call.clone()), Self::Whole)
    }
}

/// Whether another attempt makes sense, and whether the failed one was certainly not sent.
fn hint(failed: &Result<Response>) -> (RetryHint, bool) {
    match failed {
        Ok(response) => match response.status.as_u16() {
            401 | 501 | 505.. => (RetryHint::Never, false),
            _ => (RetryHint::IfIdempotent, false),
        },
        Err(error) => (error.retry_hint(), error.sent() == Sent::No),
    }
}

/// Why it is tried again: `status_503`, or the failure's kind.
pub(super) fn reason(failed: &Result<Response>) -> String {
    let (status, kind) = match failed {
        Ok(response) => (Some(response.status.as_u16()), ""),
        Err(error) => (error.remote().map(RemoteError::status), error.kind().name()),
    };
    status.map_or_else(|| kind.to_ascii_lowercase(), |status| format!("status_{status}"))
}

/// How many attempts there were by now: this one, and the hedges beside it.
fn made(outcome: &mut Result<Response>, attempt: u32) -> u32 {
    match outcome {
        Ok(response) => response.attempt.max(attempt),
        Err(error) => attempt.saturating_add(error.take_hedges()),
    }
}

fn counted(outcome: Result<Response>, attempts: u32) -> Result<Response> {
    outcome.map_err(|error| error.with_attempts(attempts))
}

/// A classification with a `Debug` of its own.
#[derive(Clone)]
struct Shared(Arc<dyn Classify>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Classify")
    }
}
