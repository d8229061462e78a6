//! What is given instead of a failure.

mod cycle;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    ByKind, Classify, FallbackConfig, Next, Policy, ReplyCache, Rules,
    budget::went_out,
    judge, retry,
    reuse::{Key, Moment, Wanted},
};
use crate::{
    error::{Error, ErrorKind, Result, Sent, Verdict},
    telemetry::{CallMetrics, Event, Observers},
    time::{BoxFuture, Deadline, SharedClock},
    transport::{Body, Origin, Request, Response, Safety, Spare},
    wire::{baggage::BAGGAGE, headers},
};

pub use cycle::fallback_cycle;

/// Seam: who answers in place of a component that failed.
pub trait Alternate: fmt::Debug + Send + Sync {
    /// Sends a request to another component.
    ///
    /// **When:** once, after the call has failed. **Given:** whom to ask, and the request, whose deadline is that of the call.
    /// **Errors:** those of the road there, or that there is nobody. **Must not** ask the component that failed, or anybody in
    /// place of the
    /// one that it asks.
    ///
    /// Returns the name of who answered with the answer.
    fn answer<'a>(&'a self, instead: Instead<'a>, request: Request) -> BoxFuture<'a, Result<(Arc<str>, Response)>>;
}

/// Whom an [`Alternate`] is to ask.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead<'a> {
    /// The component of this name.
    Component(&'a str),
    /// Any component that has a capability, but for one.
    #[non_exhaustive]
    Capability {
        /// What it must be able to do.
        capability: &'a str,
        /// The name of the one that failed.
        but: &'a str,
    },
}

/// Gives something else where a call fails: a value, the answer of another component, or the last good answer to an equal read.
///
/// **When:** the callee failed (5xx, 408, 429, no connection, a broken one), time ran out, a policy on this side refused, or nobody
/// is registered. Not when the callee refused the request (another 4xx), nor for what this side could not write or read, nor for
/// a call that was cancelled.
///
/// **[`Value`](FallbackConfig::Value):** a 200 with the value as JSON; also for writes, and when no time is left.
///
/// **[`Component`](FallbackConfig::Component), [`Capability`](FallbackConfig::Capability):** the same request to another component,
/// with the time that is left of the call's deadline, and with that component's own policies. A write is sent there only if the
/// first one was certainly not sent, or if it is idempotent. `Authorization`, `Cookie` and `baggage` are not handed on: they
/// are meant for the component that failed. Of a capability the component that is called by the failed name is left out.
/// What stands in
/// is given no fallback of its own.
///
/// **[`Cached`](FallbackConfig::Cached):** the last good answer to an equal read, no older than stated, also after a write
/// of this side.
/// What is equal, and what may be kept, is as for [`Reuse`](super::Reuse); `must-revalidate` of an answer is obeyed too (RFC 9111
/// §4.2.4), `max-age` is not.
///
/// The answer says in its [`Origin`] what it is. Where the fallback fails too, the failure of the call is returned, and its
/// [`report`](crate::Error::report) says why there was no fallback.
#[derive(Clone)]
pub struct Fallback {
    config: Option<FallbackConfig>,
    replies: ReplyCache,
    clock: SharedClock,
    classify: Arc<dyn Classify>,
    alternate: Option<Arc<dyn Alternate>>,
    observers: Observers,
}

impl Fallback {
    /// Falls back as configured, or, with `None`, only where the [rules](super::Rules) of a call say so.
    #[must_use]
    pub fn new(config: Option<FallbackConfig>, replies: ReplyCache, clock: SharedClock) -> Self {
        let classify = Arc::new(ByKind);
        Self { config, replies, clock, classify, alternate: None, observers: Observers::default() }
    }

    /// Falls back on what this calls a failure. Default: [`ByKind`].
    #[must_use]
    pub fn with_classify(mut self, classify: Arc<dyn Classify>) -> Self {
        self.classify = classify;
        self
    }

    /// Asks other components through this. The pipeline of a [`Tekton`](crate::Tekton) needs none: its own handle does.
    #[must_use]
    pub fn with_alternate(mut self, alternate: Arc<dyn Alternate>) -> Self {
        self.alternate = Some(alternate);
        self
    }

    /// Tells these of fallbacks.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    /// Whether something else is given in place of this.
    fn calls_for_it(&self, outcome: &mut Result<Response>) -> bool {
        let verdict = judge(&*self.classify, outcome);
        match outcome {
            _ if verdict == Verdict::Failure => true,
            Ok(_) => false,
            Err(error) => match error.kind() {
                ErrorKind::Timeout => true,
                ErrorKind::Rejected | ErrorKind::NotFound => error.sent() == Sent::No && error.remote().is_none(),
                _ => false,
            },
        }
    }
}

/// Marks a call that stands in for another: it is given no fallback.
#[derive(Clone, Copy, Debug)]
pub(super) struct StandsIn;

/// A call that has a fallback.
struct Covered<'a> {
    stage: &'a Fallback,
    /// Whose fallback it is; without rules the stage's own.
    rules: Option<Arc<Rules>>,
    spare: Option<Spare>,
    /// For a reply that is kept: its key, what is known of the target, and whether a kept one may be given, and this one kept.
    kept: Option<(Arc<Key>, Moment, Wanted)>,
    target: Arc<str>,
    operation: Arc<str>,
    metrics: Option<CallMetrics>,
    deadline: Option<Deadline>,
    alternate: Option<&'a dyn Alternate>,
}

impl<'a> Covered<'a> {
    fn new(stage: &'a Fallback, request: &Request, alternate: Option<&'a dyn Alternate>) -> Self {
        let call = &request.call;
        let mut covered = Self {
            stage,
            rules: call.rules.clone(),
            spare: None,
            kept: None,
            target: Arc::clone(&call.target),
            operation: Arc::clone(&call.operation),
            metrics: call.metrics.clone(),
            deadline: call.deadline,
            alternate: stage.alternate.as_deref().or(alternate),
        };
        match covered.config() {
            Some(FallbackConfig::Component(_) | FallbackConfig::Capability(_)) => covered.spare = Spare::of(request),
            Some(FallbackConfig::Cached(_)) => {
                covered.kept = stage
                    .replies
                    .key(request)
                    .map(|key| (key.shared(), stage.replies.moment(&call.target), Wanted::of(&request.headers)));
            }
            Some(FallbackConfig::Value(_)) | None => {}
        }
        covered
    }

    fn config(&self) -> Option<&FallbackConfig> {
        match &self.rules {
            Some(rules) => rules.fallback.as_ref(),
            None => self.stage.config.as_ref(),
        }
    }

    /// Keeps a good answer for the next failure.
    fn keep(&self, outcome: &Result<Response>) {
        if let (Some((key, moment, wanted)), Ok(response)) = (&self.kept, outcome)
            && wanted.keep
            && response.origin == Origin::Callee
        {
            let clock = &self.stage.clock;
            let now = response.ended.unwrap_or_else(|| clock.now());
            self.stage.replies.keep(key, moment.clone(), &self.target, response, now, clock.wall());
        }
    }

    /// What is given instead, and what it was to be.
    async fn instead(&self, failed: &Result<Response>) -> Result<Response> {
        match self.config() {
            Some(FallbackConfig::Value(value)) => Ok(of_value(value)),
            Some(FallbackConfig::Cached(max_age)) => self.stale(*max_age),
            Some(FallbackConfig::Component(name)) if name.eq_ignore_ascii_case(&self.target) => {
                Err(refused("it is the component that failed"))
            }
            Some(FallbackConfig::Component(name)) => self.ask(Instead::Component(name), failed).await,
            Some(FallbackConfig::Capability(capability)) => {
                self.ask(Instead::Capability { capability, but: &self.target }, failed).await
            }
            None => Err(refused("none is declared")),
        }
    }

    fn stale(&self, max_age: Duration) -> Result<Response> {
        let Some((key, _, wanted)) = &self.kept else {
            return Err(refused("only the answers to reads that are collected are kept"));
        };
        let max_age = wanted.max_age.map_or(max_age, |own| own.min(max_age));
        let found = self.stage.replies.stale(key, self.stage.clock.now(), max_age).filter(|_| wanted.any);
        found.ok_or_else(|| refused(format!("no good answer of the last {max_age:?} is known")))
    }

    async fn ask(&self, instead: Instead<'_>, failed: &Result<Response>) -> Result<Response> {
        let Some(alternate) = self.alternate else { return Err(refused("this pipeline knows nobody else to ask")) };
        let Some(spare) = &self.spare else { return Err(refused("the body is a stream, which can be sent only once")) };
        let unsent = failed.as_ref().is_err_and(|error| error.sent() == Sent::No);
        if !unsent && spare.call.safety == Safety::Write && !spare.has(&headers::IDEMPOTENCY_KEY) {
            return Err(refused("the call may have been carried out, and is not idempotent"));
        }
        let now = self.stage.clock.now();
        if self.deadline.is_some_and(|deadline| deadline.is_past(now)) {
            return Err(refused("no time is left"));
        }
        let (name, mut response) = alternate.answer(instead, stand_in(spare)).await?;
        let mut outcome = Ok(response);
        if judge(&*self.stage.classify, &mut outcome) == Verdict::Failure {
            return Err(Error::new(ErrorKind::Remote, format!("{name} answered with a failure")));
        }
        response = outcome?;
        response.origin = Origin::Component(name);
        Ok(response)
    }

    fn tell(&self, failed: &Result<Response>, given: &Result<Response>) {
        if let (Some(metrics), Ok(response)) = (&self.metrics, given) {
            metrics.stood_in(response.origin.name());
        }
        if self.stage.observers.any() {
            let (target, operation, to) = (&*self.target, &*self.operation, to(self.config()));
            let (reason, error) = (&*retry::reason(failed), given.as_ref().err().map(Error::kind));
            self.stage.observers.tell(&Event::FellBack { target, operation, to, reason, error });
        }
    }
}

/// What is to stand in, as events and messages call it.
fn to(config: Option<&FallbackConfig>) -> &str {
    match config {
        Some(FallbackConfig::Value(_)) => "value",
        Some(FallbackConfig::Cached(_)) => "cached",
        Some(FallbackConfig::Component(name) | FallbackConfig::Capability(name)) => name,
        None => "nothing",
    }
}

fn refused(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Rejected, what).with_sent(Sent::No)
}

fn of_value(value: &serde_json::Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    let mut response = Response::with_headers(StatusCode::OK, headers, Body::full(value.to_string()));
    response.origin = Origin::Value;
    response
}

/// The request as another component gets it.
fn stand_in(spare: &Spare) -> Request {
    let mut request = spare.request();
    request.endpoint = None;
    // What is meant for one component is nobody else's business.
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION, BAGGAGE] {
        request.headers.remove(name);
    }
    let call = &mut request.call;
    (call.rules, call.attempt, call.metrics, call.began) = (None, 1, None, None);
    call.extensions.insert(StandsIn);
    request
}

impl Policy for Fallback {
    fn name(&self) -> &'static str {
        "fallback"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let declared = match &request.call.rules {
            Some(rules) => rules.fallback.is_some(),
            None => self.config.is_some(),
        };
        if !declared || request.call.extensions.get::<StandsIn>().is_some() {
            return next.run(request);
        }
        let covered = Covered::new(self, &request, next.alternate());
        let work = next.run(request);
        Box::pin(async move {
            let mut outcome = work.await;
            covered.keep(&outcome);
            if !self.calls_for_it(&mut outcome) {
                return outcome;
            }
            // Boxed, because most calls never come here: their future need not have room for it.
            let given = Box::pin(covered.instead(&outcome)).await;
            covered.tell(&outcome, &given);
            match given {
                Ok(mut response) => {
                    response.went_out = went_out(&outcome);
                    Ok(response)
                }
                Err(why) => outcome.map_err(|error| {
                    error.with_note(format!("no fallback to {}: {}", to(covered.config()), why.report()))
                }),
            }
        })
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A declared value is the caller's business.
        f.debug_struct("Fallback").field("to", &to(self.config.as_ref())).finish_non_exhaustive()
    }
}
