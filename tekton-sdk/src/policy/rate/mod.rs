//! How often a component is called.

mod machine;
mod state;
mod ticks;

use std::{collections::BTreeMap, fmt, future, sync::Arc, time::Duration};

use serde_json::{Value, json};

use self::state::{Bound, Entry, MAX_WAITING, State, Waiting};
use super::{Next, Policy, RateConfig, asked_wait, refused::Refused, registry::Registry};
use crate::{
    error::{ErrorKind, RemoteError, Result, Verdict},
    telemetry::{Gauge, Introspect, Observers, names},
    time::{BoxFuture, SharedClock},
    transport::{CallInfo, Request, Response},
};

const NAME: &str = "rate";

/// Sends a component so many attempts a second, and after a silence a burst of them.
///
/// Each component has its rate, and with named policies each policy of a component. An attempt beyond it is refused at once, or
/// waits for its turn where [`RateConfig::max_wait`] allows it, the longest waiter first. What would have its turn after its
/// `max_wait` or its deadline is refused at once and uses none up; no more than 10,000 wait.
///
/// What is refused is an error of kind [`Rejected`](ErrorKind::Rejected) that says when the next one may go
/// ([`retry_after`](crate::Error::retry_after)), or [`Timeout`](ErrorKind::Timeout) for a wait that came to the deadline. Nothing was sent, its
/// verdict is [`Ignored`](Verdict::Ignored), and it is not tried again.
///
/// With [`RateConfig::adaptive`] a component that answers 429 or 503 is called less often: seven tenths of the rate, or of how often
/// it was called since it refused last, without bursts, and never less than once in two seconds. A refusal of an attempt that was
/// sent before the last cut, or within 250 ms of it, cuts no further. The rate then comes back by itself along a cubic curve
/// (RFC 9438), in seconds where hundreds are sent a second. `Retry-After` holds everything back for so long, at most five minutes.
/// A refusal that the classification does not call a failure changes nothing. Where no rate is configured nothing is adapted:
/// [`RateConfig::per_second`] is where the rate comes back to.
///
/// Other settings hold from the next attempt on; what is left of the burst, the cut and the line stay. 1024 components and
/// policies have rates of their own, the rest shares one.
///
/// Without settings it hands every request on.
///
/// **Cancel safety:** a dropped future gives its place in the line back; a turn that it had is used up.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use std::{sync::Arc, time::Duration};
/// use tekton_sdk::{
///     ErrorKind,
///     policy::{Pipeline, RateConfig, RateLimit},
///     testing::ScriptedTransport,
///     time::{ManualClock, SharedClock},
///     transport::{CallInfo, Request, Safety},
/// };
///
/// let (transport, script) = ScriptedTransport::new();
/// script.answer(200, "1");
/// let clock = SharedClock::new(ManualClock::new());
/// let config = RateConfig::default().with_per_second(50).with_burst(1);
/// let pipeline = Pipeline::new(vec![Arc::new(RateLimit::new(Some(config), clock.clone()))], Arc::new(transport), clock);
///
/// let recall = || Request::new(tekton_sdk::http::Method::GET, "/recall", CallInfo::new("engram", "recall", Safety::Read));
/// pipeline.send(recall()).await?;
/// let refused = pipeline.send(recall()).await.expect_err("the burst is one");
/// assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Rejected, Some(Duration::from_millis(20))));
/// assert_eq!(refused.to_string(), "rate: engram is called 50 times a second at most; the next call may go in 20ms");
/// # Ok::<(), tekton_sdk::Error>(())
/// # }).unwrap();
/// ```
pub struct RateLimit {
    config: Option<RateConfig>,
    clock: SharedClock,
    observers: Observers,
    states: Registry<State>,
}

impl RateLimit {
    /// Goes by these settings where a call has no [rules](CallInfo::rules); `None` is no limit.
    #[must_use]
    pub fn new(config: Option<RateConfig>, clock: SharedClock) -> Self {
        Self { config, clock, observers: Observers::default(), states: Registry::new() }
    }

    /// Tells these of refusals.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    fn state(&self, call: &CallInfo, config: &RateConfig) -> Arc<State> {
        let key = (&*call.target, call.rules.as_ref().map_or("", |rules| &*rules.name));
        let state = self.states.of(key, || self.clock.now(), || State::new(config, self.clock.clone()));
        if state.fits(config) {
            return state;
        }
        self.states.replace(key, &state, || state.changed(config, self.clock.clone()))
    }

    /// Goes the way of an attempt that has no turn at this moment, or of any while the line or the callee's word counts.
    #[cold]
    fn enter<'a>(
        &'a self,
        request: Request,
        next: Next<'a>,
        state: Arc<State>,
        config: &RateConfig,
    ) -> BoxFuture<'a, Result<Response>> {
        let now = self.clock.now();
        let left = request.call.deadline.map(|deadline| deadline.remaining(now));
        let allowed = left.map_or(config.max_wait, |left| config.max_wait.min(left));
        let refused = match state.enter(config, allowed, now) {
            Entry::Goes(epoch) => return self.go(request, next, state, epoch, config.adaptive),
            Entry::Waits(waiting) => {
                let until = now.checked_add(allowed).unwrap_or(now);
                let patient = left.is_none_or(|left| config.max_wait < left);
                let kind = if patient { ErrorKind::Rejected } else { ErrorKind::Timeout };
                return Box::pin(self.wait(waiting, request, next, state, config.adaptive, until, kind));
            }
            Entry::Late(wait) => {
                let what = said(&request.call, &state, state.bound(now), wait);
                Refused { policy: NAME, reason: "rate", kind: ErrorKind::Rejected, what, retry_after: Some(wait) }
            }
            Entry::Full(wait) => {
                let what = format!(
                    "{} has {MAX_WAITING} calls waiting for their turn, which is the most",
                    request.call.target
                );
                Refused { policy: NAME, reason: "full", kind: ErrorKind::Rejected, what, retry_after: Some(wait) }
            }
        };
        Box::pin(future::ready(Err(refused.tell(&self.observers, &request.call))))
    }

    #[expect(clippy::too_many_arguments, reason = "they are what the future keeps")]
    async fn wait(
        &self,
        waiting: Waiting,
        mut request: Request,
        next: Next<'_>,
        state: Arc<State>,
        adaptive: bool,
        until: std::time::Instant,
        kind: ErrorKind,
    ) -> Result<Response> {
        match waiting.turn(&self.clock, until).await {
            Ok(epoch) => {
                // What follows did not begin with the call.
                request.call.waited();
                self.go(request, next, state, epoch, adaptive).await
            }
            Err(wait) => {
                let what = said(&request.call, &state, state.bound(self.clock.now()), wait);
                let refused = Refused { policy: NAME, reason: "waited", kind, what, retry_after: Some(wait) };
                Err(refused.tell(&self.observers, &request.call))
            }
        }
    }

    /// Runs the rest, and hears what the callee says to it.
    fn go<'a>(
        &'a self,
        request: Request,
        next: Next<'a>,
        state: Arc<State>,
        epoch: u64,
        adaptive: bool,
    ) -> BoxFuture<'a, Result<Response>> {
        let work = next.run(request);
        if !adaptive {
            return work;
        }
        Box::pin(async move {
            let outcome = work.await;
            if too_often(&outcome) {
                state.refused(epoch, asked_wait(&outcome, &*self.clock), self.clock.now());
            }
            outcome
        })
    }
}

/// Whether the callee says that it is called too often.
fn too_often(outcome: &Result<Response>) -> bool {
    let (status, verdict) = match outcome {
        Ok(response) => (Some(response.status.as_u16()), response.verdict),
        Err(error) => (error.remote().map(RemoteError::status), error.verdict()),
    };
    matches!(status, Some(429 | 503)) && verdict.is_none_or(|verdict| verdict == Verdict::Failure)
}

/// Why there is no turn at this moment, and when there is one.
fn said(call: &CallInfo, state: &State, bound: Bound, wait: Duration) -> String {
    let why = match bound {
        Bound::Configured => format!("is called {} times a second at most", state.per_second()),
        Bound::Cut(rate) => format!("refused calls and is called {rate:.1} times a second for a while"),
        Bound::Paused => "asked to be left alone".to_owned(),
    };
    format!("{} {why}; the next call may go in {wait:.0?}", call.target)
}

impl Policy for RateLimit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let Some(config) = request.call.rules.as_ref().map_or(self.config, |rules| rules.rate) else {
            return next.run(request);
        };
        let state = self.state(&request.call, &config);
        match state.take() {
            Some(epoch) => self.go(request, next, state, epoch, config.adaptive),
            None => self.enter(request, next, state, &config),
        }
    }
}

impl Introspect for RateLimit {
    fn section(&self) -> &'static str {
        "rates"
    }

    fn introspect(&self) -> Value {
        let now = self.clock.now();
        let shown = self.states.shown();
        let rest = shown.rest.map(|state| (Arc::from(names::OTHER), Arc::from(""), state));
        let one = |(target, policy, state): (Arc<str>, Arc<str>, Arc<State>)| {
            json!({
                "target": *target,
                "policy": (!policy.is_empty()).then_some(&*policy),
                "per_second": state.per_second(),
                "burst": state.burst(),
                "allowed": allowed(&state, now),
                "waiting": state.waiting(),
            })
        };
        let all: Vec<Value> = shown.values.into_iter().chain(rest).map(one).collect();
        json!({ "shown": all, "not_shown": shown.left_out })
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        let now = self.clock.now();
        let mut sums: BTreeMap<Arc<str>, f64> = BTreeMap::new();
        for (target, _, state) in self.states.shown().values {
            *sums.entry(target).or_default() += allowed(&state, now);
        }
        for (target, value) in &sums {
            emit(Gauge { name: names::RATE_ALLOWED, key: target, value: *value });
        }
    }
}

/// How many a second may go at this moment.
fn allowed(state: &State, now: std::time::Instant) -> f64 {
    match state.bound(now) {
        Bound::Configured => f64::from(state.per_second()),
        Bound::Cut(rate) => rate,
        Bound::Paused => 0.0,
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("config", &self.config).field("states", &self.states).finish_non_exhaustive()
    }
}
