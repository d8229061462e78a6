//! A remote component.

use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tracing::{Instrument, Span, field};

use super::{
    Tekton,
    attempt::record_error,
    resolve::Resolve,
    spend::{Spend, SpendLimit},
};
use crate::{
    context::Context,
    contract::Entry,
    directory::Query,
    error::{Error, ErrorKind, Result, Sent},
    policy::{Policy, RetryBudget},
    telemetry::{CallMetrics, Event, names, record_trace},
    time::{BoxFuture, Deadline},
    transport::{Endpoint, Origin, Request, Response, Tried},
    wire::{baggage::BAGGAGE, headers, trace::TraceContext},
};

/// For how many operations of one peer the handles of the metrics are kept.
const MAX_ENDPOINTS: usize = 128;

/// A component to talk to; cheap to clone. It is found anew whenever the directory's answer changes.
///
/// Every room adds its own doors to it.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    tekton: Tekton,
    name: Arc<str>,
    to: To,
    /// Runs only for calls that have a budget.
    spend: Spend,
    budget: RetryBudget,
    /// Sorted by the operation: a few names are found faster than they are hashed.
    metrics: RwLock<Vec<(Arc<str>, CallMetrics)>>,
    other: OnceLock<CallMetrics>,
    /// Whether it may see what the caller says to all that work for it.
    gets_baggage: bool,
}

enum To {
    Found(Arc<Resolve>),
    At(Endpoint),
}

impl Peer {
    pub(super) fn found(tekton: Tekton, name: Arc<str>, query: Query) -> Self {
        let to = To::Found(tekton.0.resolves.of(Arc::clone(&name), query));
        Self::new(tekton, name, to)
    }

    pub(super) fn at(tekton: Tekton, name: Arc<str>, endpoint: Endpoint) -> Self {
        Self::new(tekton, name, To::At(endpoint))
    }

    fn new(tekton: Tekton, name: Arc<str>, to: To) -> Self {
        let gets_baggage = tekton.0.baggage_peers.iter().any(|allowed| **allowed == *name || allowed == "*");
        let budget = tekton.0.budgets.of(&name);
        let metrics = RwLock::default();
        let spend = Spend::new(match &to {
            To::Found(resolve) => Some(Arc::clone(resolve)),
            To::At(_) => None,
        });
        Self(Arc::new(Inner { tekton, name, to, spend, budget, metrics, other: OnceLock::new(), gets_baggage }))
    }

    /// What the caller calls it: its name, what it was looked for by, or host and port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The name, shared.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.0.name)
    }

    /// The same component at this endpoint: what belongs to an answer of one instance goes there, whatever the directory says.
    pub(crate) fn at_endpoint(&self, endpoint: Endpoint) -> Self {
        Self::at(self.0.tekton.clone(), self.shared_name(), endpoint)
    }

    /// What its retries are taken out of.
    pub(crate) fn retry_budget(&self) -> &RetryBudget {
        &self.0.budget
    }

    /// The handle it belongs to.
    #[must_use]
    pub fn tekton(&self) -> &Tekton {
        &self.0.tekton
    }

    /// The entries it may be, best first; empty for a peer at a fixed endpoint.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if nobody matches, or those of the road to the directory.
    pub async fn entries(&self) -> Result<Arc<[Entry]>> {
        match &self.0.to {
            To::Found(resolve) => resolve.entries().await,
            To::At(_) => Ok(Arc::new([])),
        }
    }

    /// Sends one request: the one place where deadline, trace, retry, discovery, budget and metrics
    /// apply.
    ///
    /// What the running operation inherited (its deadline, its trace, its budget) bounds and follows this call.
    ///
    /// # Errors
    /// Every kind, with this peer as [`Error::target`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call, and the callee's work with it.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.start(request, None)?.answer().await
    }

    /// Does everything up to the first wait; `limit` begins now, and replaces the request's deadline.
    pub(crate) fn start(&self, mut request: Request, limit: Option<Duration>) -> Result<Underway<'_>> {
        let tekton = &*self.0.tekton.0;
        let began = tekton.clock.now();
        if let Some(limit) = limit {
            request.call.deadline = Some(Deadline::after(began, limit));
        }
        self.inherit(&mut request, began);
        self.check_size(&request)?;
        let metrics = request.call.metrics.take().unwrap_or_else(|| self.metrics(&request.call.operation));
        let told = tekton.observers.any().then(|| Arc::clone(&request.call.operation));
        let span = self.span(&request);
        request.call.metrics = Some(metrics.clone());
        request.call.tried = match &self.0.to {
            To::Found(resolve) if resolve.several() => Some(Tried::default()),
            _ => None,
        };
        let pipeline = &tekton.pipeline;
        let pays = request.call.budget.is_some() || request.call.extensions.get::<SpendLimit>().is_some();
        let spend = pays.then_some(&self.0.spend as &dyn Policy);
        let start = || match &self.0.to {
            To::Found(resolve) => pipeline.run(Some(&self.0.tekton), [Some(&**resolve), spend], request),
            To::At(endpoint) => {
                pipeline.run(Some(&self.0.tekton), [None, spend], request.with_endpoint(endpoint.clone()))
            }
        };
        // The stages do on the way out what needs no waiting, so that too belongs into the span.
        let work = if span.is_disabled() { start() } else { span.in_scope(start) };
        let watch = Watch { peer: self, metrics, told, began, ended: None, attempts: 0, failed: None };
        Ok(Underway { watch, span, work })
    }

    fn inherit(&self, request: &mut Request, now: Instant) {
        let tekton = &*self.0.tekton.0;
        let context = Context::current();
        let own = request.call.deadline.unwrap_or_else(|| Deadline::after(now, tekton.defaults.timeout));
        request.call.deadline = Some(own.earlier(context.as_ref().and_then(Context::deadline)));
        request.call.began = Some(now);
        request.call.budget = context.as_ref().and_then(Context::budget).cloned();
        request.call.trace = Some(match context.as_ref().and_then(Context::trace) {
            Some(trace) => trace.child(tekton.random.span_id()),
            None => TraceContext::new_root(tekton.random.trace_id(), tekton.random.span_id(), true),
        });
        if self.0.gets_baggage
            && let Some(baggage) = context.as_ref().and_then(|context| context.baggage().to_header())
        {
            request.headers.insert(BAGGAGE, baggage);
        }
        if let Some(caller) = &tekton.caller {
            request.headers.insert(headers::CALLER, caller.clone());
        }
    }

    /// The span of an RPC client, after OpenTelemetry's conventions.
    fn span(&self, request: &Request) -> Span {
        let (target, operation) = (&*self.0.name, &*request.call.operation);
        let span = tracing::debug_span!(
            names::CALL_SPAN,
            "otel.name" = %format_args!("{target}/{operation}"),
            "otel.kind" = "client",
            "rpc.system.name" = "tekton",
            "rpc.method" = %format_args!("{target}/{operation}"),
            "error.type" = field::Empty,
            trace_id = field::Empty,
            span_id = field::Empty,
            source = &*self.0.tekton.0.source,
            target,
            operation,
            attempts = field::Empty,
            origin = field::Empty,
        );
        if let Some(trace) = request.call.trace.as_ref().filter(|_| !span.is_disabled()) {
            record_trace(&span, trace);
        }
        span
    }

    fn check_size(&self, request: &Request) -> Result<()> {
        let cap = self.0.tekton.0.defaults.max_request_bytes;
        match request.body.as_bytes() {
            Some(bytes) if bytes.len() > cap => {
                let what = format!("the body has {} bytes; request.max_request_bytes allows {cap}", bytes.len());
                Err(Error::new(ErrorKind::Rejected, what).with_target(self.0.name.to_string()).with_sent(Sent::No))
            }
            _ => Ok(()),
        }
    }

    /// What is kept of an operation that was called before: its name, and where its calls are counted.
    pub(crate) fn known(&self, operation: &str) -> Option<(Arc<str>, CallMetrics)> {
        let known = self.0.metrics.read().unwrap_or_else(PoisonError::into_inner);
        let at = known.binary_search_by(|(name, _)| (**name).cmp(operation)).ok()?;
        known.get(at).cloned()
    }

    /// Where the calls of an operation are counted. The handles of an operation are resolved once.
    fn metrics(&self, operation: &Arc<str>) -> CallMetrics {
        if let Some((_, metrics)) = self.known(operation) {
            return metrics;
        }
        let tekton = &*self.0.tekton.0;
        let mut known = self.0.metrics.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_ENDPOINTS {
            return self.0.other.get_or_init(|| tekton.metrics.of(&tekton.source, &self.0.name, names::OTHER)).clone();
        }
        let metrics = tekton.metrics.of(&tekton.source, &self.0.name, operation);
        // Found now, another thread was quicker: its handles count in the same place.
        if let Err(at) = known.binary_search_by(|(name, _)| name.cmp(operation)) {
            known.insert(at, (Arc::clone(operation), metrics.clone()));
        }
        metrics
    }
}

/// A call that has begun.
pub(crate) struct Underway<'a> {
    watch: Watch<'a>,
    span: Span,
    work: BoxFuture<'a, Result<Response>>,
}

/// Counts a call when it ends, also when it ends because nobody waits for it any more.
struct Watch<'a> {
    peer: &'a Peer,
    metrics: CallMetrics,
    /// The operation, if somebody listens.
    told: Option<Arc<str>>,
    began: Instant,
    ended: Option<Instant>,
    attempts: u32,
    failed: Option<ErrorKind>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let tekton = &*self.peer.0.tekton.0;
        let ended = self.ended.unwrap_or_else(|| tekton.clock.now());
        let took = ended.saturating_duration_since(self.began);
        self.metrics.call(took, self.failed);
        if let Some(operation) = &self.told {
            let (target, attempts, error) = (&*self.peer.0.name, self.attempts, self.failed);
            tekton.observers.tell(&Event::CallEnded { target, operation, attempts, took, error });
        }
    }
}

impl Underway<'_> {
    /// Waits for the answer.
    pub(crate) async fn answer(self) -> Result<Response> {
        let Self { mut watch, span, work } = self;
        let disabled = span.is_disabled();
        let work = if disabled { work } else { Box::pin(work.instrument(span.clone())) };
        let result = work.await;
        let peer = &*watch.peer.0;
        let known = result.as_ref().ok().and_then(|response| response.ended);
        let ended = known.unwrap_or_else(|| peer.tekton.0.clock.now());
        watch.ended = Some(ended);
        peer.budget.earn(&result, ended);
        match result {
            Ok(response) => {
                watch.attempts = response.attempt;
                if !disabled {
                    span.record("attempts", response.attempt);
                    if response.origin != Origin::Callee {
                        span.record("origin", response.origin.name());
                    }
                }
                Ok(response)
            }
            Err(error) => {
                (watch.failed, watch.attempts) = (Some(error.kind()), error.attempts());
                if !disabled {
                    span.record("attempts", error.attempts());
                    record_error(&span, &error);
                }
                Err(match error.target() {
                    Some(_) => error,
                    None => error.with_target(peer.name.to_string()),
                })
            }
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut peer = f.debug_struct("Peer");
        peer.field("name", &self.0.name);
        if let To::At(endpoint) = &self.0.to {
            peer.field("endpoint", endpoint);
        }
        peer.finish_non_exhaustive()
    }
}
