//! What is seen of one attempt: its span, its place in the trace, its numbers, its verdict.

use std::{fmt, sync::Arc, time::Instant};

use http::StatusCode;
use tracing::{Instrument, Span, field};

use crate::{
    error::{Error, RemoteError, Result, Verdict},
    policy::{Classify, Next, Policy, judge},
    random::Random,
    telemetry::{CallMetrics, Event, Observers, method_name, names, record_trace},
    time::{BoxFuture, Deadline, SharedClock},
    transport::{CallInfo, Request, Response},
};

/// The stage right behind the retry. It judges the outcome before anybody else does, so that all see the same verdict.
pub(super) struct Attempts {
    classify: Arc<dyn Classify>,
    clock: SharedClock,
    random: Random,
    observers: Observers,
    /// Whether policies of the application's own run behind it: they may wait, before the call and after it.
    others_behind: bool,
}

impl Attempts {
    pub(super) fn new(classify: Arc<dyn Classify>, clock: SharedClock, random: Random, observers: Observers) -> Self {
        Self { classify, clock, random, observers, others_behind: false }
    }

    /// Says whether policies of the application's own run behind it.
    pub(super) const fn with_others_behind(mut self, others_behind: bool) -> Self {
        self.others_behind = others_behind;
        self
    }

    /// Begins to watch. The first attempt begins with the call; the wait for it would be nothing but the stages' own work.
    fn begin(&self, call: &mut CallInfo) -> Attempt<'_> {
        let began = call.began.filter(|_| call.attempt == 1).unwrap_or_else(|| self.clock.now());
        call.began = (!self.others_behind).then_some(began);
        let told = self.observers.any().then(|| (Arc::clone(&call.target), Arc::clone(&call.operation)));
        let (metrics, deadline) = (call.metrics.take(), call.deadline);
        Attempt { stage: self, metrics, told, number: call.attempt, deadline, began, ended: false }
    }
}

impl Policy for Attempts {
    fn name(&self) -> &'static str {
        "attempt"
    }

    fn handle<'a>(&'a self, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let mut attempt = self.begin(&mut request.call);
        let trace = request.call.trace.as_ref().map(|trace| trace.child(self.random.span_id()));
        if let Some(trace) = &trace {
            trace.inject(&mut request.headers);
        }
        let span = span_of(&request);
        let work = if span.is_disabled() {
            next.run(request)
        } else {
            if let Some(trace) = &trace {
                record_trace(&span, trace);
            }
            request.call.span = Some(Box::new(span.clone()));
            // The stages do on the way out what needs no waiting, so that too belongs into the span.
            let work = span.in_scope(|| next.run(request));
            Box::pin(work.instrument(span.clone()))
        };
        Box::pin(async move {
            let mut outcome = work.await;
            let verdict = judge(&*self.classify, &mut outcome);
            let known = outcome.as_ref().ok().and_then(|response| response.ended).filter(|_| !self.others_behind);
            let ended = known.unwrap_or_else(|| self.clock.now());
            attempt.end(ended, Some(verdict));
            if let Ok(response) = &mut outcome {
                response.ended = Some(ended);
            }
            if !span.is_disabled() {
                record_outcome(&span, &outcome);
            }
            outcome
        })
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").finish_non_exhaustive()
    }
}

/// An attempt that is being watched.
struct Attempt<'a> {
    stage: &'a Attempts,
    metrics: Option<CallMetrics>,
    /// Target and operation, if somebody listens.
    told: Option<(Arc<str>, Arc<str>)>,
    number: u32,
    deadline: Option<Deadline>,
    began: Instant,
    ended: bool,
}

impl Attempt<'_> {
    fn end(&mut self, now: Instant, verdict: Option<Verdict>) {
        self.ended = true;
        let took = now.saturating_duration_since(self.began);
        if let Some(metrics) = &self.metrics {
            metrics.attempt(took, verdict);
        }
        if let Some((target, operation)) = &self.told {
            self.stage.observers.tell(&Event::AttemptEnded { target, operation, attempt: self.number, took, verdict });
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Dropped at its deadline, the callee was too slow; dropped before, nobody waited for it any more.
            let now = self.stage.clock.now();
            let late = self.deadline.filter(|deadline| deadline.is_past(now));
            self.end(now, late.map(|_| Verdict::Failure));
        }
    }
}

/// The span of an HTTP client, after OpenTelemetry's conventions. What is not known yet is recorded when it is.
fn span_of(request: &Request) -> Span {
    let call = &request.call;
    tracing::debug_span!(
        names::ATTEMPT_SPAN,
        "otel.name" = method_name(&request.method),
        "otel.kind" = "client",
        "http.request.method" = method_name(&request.method),
        "http.request.resend_count" = (call.attempt > 1).then(|| call.attempt - 1),
        "http.response.status_code" = field::Empty,
        "server.address" = field::Empty,
        "server.port" = field::Empty,
        "url.full" = field::Empty,
        "error.type" = field::Empty,
        trace_id = field::Empty,
        span_id = field::Empty,
        target = &*call.target,
        operation = &*call.operation,
        attempt = call.attempt,
    )
}

fn record_outcome(span: &Span, outcome: &Result<Response>) {
    let (status, error) = match outcome {
        Ok(response) => (Some(response.status.as_u16()), None),
        Err(error) => (error.remote().map(RemoteError::status), Some(error)),
    };
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    let failed = status.and_then(|status| StatusCode::from_u16(status).ok());
    match (failed.filter(|status| status.is_client_error() || status.is_server_error()), error) {
        (Some(status), _) => span.record("error.type", status.as_str()),
        (None, Some(error)) => span.record("error.type", error.kind().name()),
        (None, None) => span,
    };
}

/// Says on a call's span how it ended.
pub(super) fn record_error(span: &Span, error: &Error) {
    span.record("error.type", error.kind().name());
}
