//! How many attempts to a component run at once.

mod machine;
mod places;
mod state;
mod sync;

use std::{collections::BTreeMap, fmt, future, sync::Arc, time::Duration};

use serde_json::{Value, json};

use self::{
    machine::Crowd,
    state::{Entry, Permit, State, Waiting},
};
use super::{BulkheadConfig, Next, Policy, refused::Refused, registry::Registry};
use crate::{
    error::{Error, ErrorKind, Result},
    telemetry::{Gauge, Introspect, Observers, names},
    time::{BoxFuture, SharedClock},
    transport::{CallInfo, Request, Response},
};

const NAME: &str = "bulkhead";

/// Lets so many attempts to a component run at once; a few more wait for their turn, the longest waiter first.
///
/// A slow component then holds no more than its own places, and whoever calls another one is not held up. Each component has its
/// places, and with named policies each policy of a component: what goes by one never waits for what goes by another.
///
/// An attempt has its place until its outcome is there. An answer that is handed out as a stream keeps it until the stream ends
/// or is dropped: the callee works for it as long. A wait ends after [`BulkheadConfig::max_wait`], and at the deadline of the call.
///
/// What is refused is an error of kind [`Rejected`](ErrorKind::Rejected), or [`Timeout`](ErrorKind::Timeout) for a wait that
/// came to the deadline. Nothing was sent, its verdict is [`Ignored`](crate::Verdict::Ignored), and it is not tried again. With
/// [`BulkheadConfig::shed`] an attempt whose turn would come after its deadline is refused at once, judged by how many wait and by
/// how long places were held lately, and [`Error::retry_after`] says when the turn would have come.
///
/// Other settings hold from the next attempt that has to wait or comes to those who do: with more places waiters run at once,
/// with fewer those that run go on. 1024 components and policies have places of their own, the rest shares some.
///
/// Without settings it hands every request on.
///
/// **Cancel safety:** a dropped future gives its place, or its place in the line, back.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use std::sync::Arc;
/// use tekton_sdk::{
///     ErrorKind, Sent,
///     policy::{Bulkhead, BulkheadConfig, Pipeline},
///     testing::ScriptedTransport,
///     time::SharedClock,
///     transport::{CallInfo, Request, Safety},
/// };
///
/// let (transport, script) = ScriptedTransport::new();
/// script.hang();
/// let clock = SharedClock::default();
/// let config = BulkheadConfig::default().with_max_concurrency(1).with_max_waiting(0);
/// let pipeline = Pipeline::new(vec![Arc::new(Bulkhead::new(Some(config), clock.clone()))], Arc::new(transport), clock);
///
/// let recall = || Request::new(tekton_sdk::http::Method::GET, "/recall", CallInfo::new("engram", "recall", Safety::Read));
/// let refused = tokio::select! {
///     biased;
///     _ = pipeline.send(recall()) => unreachable!("it hangs, and has the only place"),
///     second = pipeline.send(recall()) => second.expect_err("there is no place, and no line"),
/// };
/// assert_eq!((refused.kind(), refused.sent()), (ErrorKind::Rejected, Sent::No));
/// assert!(refused.to_string().starts_with("bulkhead: engram has 1 calls running and 0 waiting"));
/// # Ok::<(), tekton_sdk::Error>(())
/// # }).unwrap();
/// ```
pub struct Bulkhead {
    config: Option<BulkheadConfig>,
    clock: SharedClock,
    observers: Observers,
    states: Registry<State>,
}

impl Bulkhead {
    /// Goes by these settings where a call has no [rules](CallInfo::rules); `None` is no limit.
    #[must_use]
    pub fn new(config: Option<BulkheadConfig>, clock: SharedClock) -> Self {
        Self { config, clock, observers: Observers::default(), states: Registry::new() }
    }

    /// Tells these of refusals.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    fn state(&self, call: &CallInfo, config: &BulkheadConfig) -> Arc<State> {
        let part = call.rules.as_ref().map_or("", |rules| &rules.name);
        self.states.of((&call.target, part), || self.clock.now(), || State::new(config, self.clock.clone()))
    }

    /// Goes the way of an attempt that found no place free.
    #[cold]
    fn enter<'a>(
        &'a self,
        request: Request,
        next: Next<'a>,
        state: &Arc<State>,
        config: &BulkheadConfig,
    ) -> BoxFuture<'a, Result<Response>> {
        let left = request.call.deadline.map(|deadline| deadline.remaining(self.clock.now()));
        let refused = match state.enter(config, left) {
            Entry::Runs(permit) => return run(permit, next.run(request)),
            Entry::Waits(waiting) => {
                let (state, config) = (Arc::clone(state), *config);
                return Box::pin(self.wait(waiting, request, next, state, config, left));
            }
            Entry::Full(crowd) => full(&request.call, config, crowd),
            Entry::Late(crowd) => late(&request.call, crowd, left.unwrap_or_default()),
        };
        Box::pin(future::ready(Err(refused.tell(&self.observers, &request.call))))
    }

    async fn wait(
        &self,
        waiting: Waiting,
        mut request: Request,
        next: Next<'_>,
        state: Arc<State>,
        config: BulkheadConfig,
        left: Option<Duration>,
    ) -> Result<Response> {
        let limit = [config.max_wait, left].into_iter().flatten().min();
        match waiting.turn(&self.clock, limit).await {
            Some(permit) => {
                // What follows did not begin with the attempt.
                request.call.waited();
                run(permit, next.run(request)).await
            }
            None => Err(self.waited(&request.call, &config, state.crowd(), left)),
        }
    }

    fn waited(&self, call: &CallInfo, config: &BulkheadConfig, crowd: Crowd, left: Option<Duration>) -> Error {
        let Crowd { running, waiting, turn } = crowd;
        let of_limit = config.max_wait.filter(|max_wait| left.is_none_or(|left| *max_wait < left));
        let (kind, when) = match of_limit {
            Some(max_wait) => (ErrorKind::Rejected, format!("within the max_wait of {max_wait:?}")),
            None => (ErrorKind::Timeout, "before the deadline".to_owned()),
        };
        let what = format!("{} had no place {when}, with {running} calls running and {waiting} waiting", call.target);
        let retry_after = turn.filter(|_| of_limit.is_some());
        Refused { policy: NAME, reason: "waited", kind, what, retry_after }.tell(&self.observers, call)
    }
}

fn full(call: &CallInfo, config: &BulkheadConfig, crowd: Crowd) -> Refused {
    let Crowd { running, waiting, turn } = crowd;
    let what = format!(
        "{} has {running} calls running and {waiting} waiting, which max_concurrency = {} and max_waiting = {} allow",
        call.target, config.max_concurrency, config.max_waiting
    );
    Refused { policy: NAME, reason: "full", kind: ErrorKind::Rejected, what, retry_after: turn }
}

fn late(call: &CallInfo, crowd: Crowd, left: Duration) -> Refused {
    let Crowd { running, waiting, turn } = crowd;
    let what = format!(
        "{} has {running} calls running and {waiting} waiting; the turn would come in {:.1?}, after the deadline in {left:.1?}",
        call.target,
        turn.unwrap_or_default()
    );
    Refused { policy: NAME, reason: "late", kind: ErrorKind::Rejected, what, retry_after: turn }
}

/// Runs the rest in a place.
fn run(permit: Permit, work: BoxFuture<'_, Result<Response>>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mut outcome = work.await;
        if let Ok(response) = &mut outcome
            && response.body.is_stream()
        {
            response.body = std::mem::take(&mut response.body).holding(permit);
        } else {
            drop(permit);
        }
        outcome
    })
}

impl Policy for Bulkhead {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let Some(config) = request.call.rules.as_ref().map_or(self.config, |rules| rules.bulkhead) else {
            return next.run(request);
        };
        let state = self.state(&request.call, &config);
        // The first attempt begins with the call; the wait for it would be nothing but the stages' own work.
        let began = request.call.began.filter(|_| request.call.attempt == 1);
        match state.take(&config, || began.unwrap_or_else(|| self.clock.now())) {
            Some(permit) => run(permit, next.run(request)),
            None => self.enter(request, next, &state, &config),
        }
    }
}

impl Introspect for Bulkhead {
    fn section(&self) -> &'static str {
        "bulkheads"
    }

    fn introspect(&self) -> Value {
        let shown = self.states.shown();
        let rest = shown.rest.map(|state| (Arc::from(names::OTHER), Arc::from(""), state));
        let one = |(target, policy, state): (Arc<str>, Arc<str>, Arc<State>)| {
            let (running, waiting, most, held) = state.shown();
            json!({
                "target": *target,
                "policy": (!policy.is_empty()).then_some(&*policy),
                "running": running,
                "waiting": waiting,
                "max_concurrency": most,
                "held_seconds": held.map(|held| held.as_secs_f64()),
            })
        };
        let all: Vec<Value> = shown.values.into_iter().chain(rest).map(one).collect();
        json!({ "shown": all, "not_shown": shown.left_out })
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        let shown = self.states.shown();
        let mut sums: BTreeMap<Arc<str>, (f64, f64)> = BTreeMap::new();
        for (target, _, state) in shown.values {
            let (running, waiting, ..) = state.shown();
            let (runs, waits) = sums.entry(target).or_default();
            *runs += f64::from(running);
            *waits += f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
        }
        for (target, (running, waiting)) in &sums {
            emit(Gauge { name: names::BULKHEAD_RUNNING, key: target, value: *running });
            emit(Gauge { name: names::BULKHEAD_WAITING, key: target, value: *waiting });
        }
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("config", &self.config).field("states", &self.states).finish_non_exhaustive()
    }
}
