//! A remote component.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tracing::{Instrument, Span};

use super::{Tekton, resolve::Resolve};
use crate::{
    context::Context,
    contract::Entry,
    directory::Query,
    error::{Error, ErrorKind, Result, Sent},
    policy::RetryBudget,
    telemetry::{CallMetrics, names},
    time::{BoxFuture, Deadline},
    transport::{Endpoint, Request, Response},
    wire::{headers, trace::TraceContext},
};

/// How many endpoints of one target are told apart in metrics.
const MAX_ENDPOINT_LABELS: usize = 128;

/// A component to talk to; cheap to clone. It is found anew whenever the directory's answer changes.
///
/// Every room adds its own doors to it.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    tekton: Tekton,
    name: Arc<str>,
    to: To,
    budget: RetryBudget,
    metrics: RwLock<HashMap<Arc<str>, CallMetrics>>,
}

enum To {
    Found(Resolve),
    At(Endpoint),
}

impl Peer {
    pub(super) fn found(tekton: Tekton, name: Arc<str>, query: Query) -> Self {
        let directory = tekton.0.directory.clone();
        let doubts = tekton.0.doubts.clone();
        let to = To::Found(Resolve::new(Arc::clone(&name), query, directory, doubts));
        Self::new(tekton, name, to)
    }

    pub(super) fn at(tekton: Tekton, name: Arc<str>, endpoint: Endpoint) -> Self {
        Self::new(tekton, name, To::At(endpoint))
    }

    fn new(tekton: Tekton, name: Arc<str>, to: To) -> Self {
        let budget = tekton.0.budgets.of(&name);
        Self(Arc::new(Inner { tekton, name, to, budget, metrics: RwLock::default() }))
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

    /// Sends one request: the one place where deadline, trace, retry, discovery and metrics apply.
    ///
    /// What the running operation inherited (its deadline, its trace) bounds and follows this call.
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
        let operation = Arc::clone(&request.call.operation);
        let pipeline = &tekton.pipeline;
        let span = tracing::debug_span!(
            names::CALL_SPAN,
            source = &*tekton.source,
            target = &*self.0.name,
            operation = &*operation
        );
        let start = || match &self.0.to {
            To::Found(resolve) => pipeline.run(Some(resolve), request),
            To::At(endpoint) => pipeline.run(None, request.with_endpoint(endpoint.clone())),
        };
        // The stages do on the way out what needs no waiting, so that too belongs into the span.
        let work = if span.is_disabled() { start() } else { span.in_scope(start) };
        Ok(Underway { count: Count { peer: self, operation, began, ended: None }, span, work })
    }

    fn inherit(&self, request: &mut Request, now: Instant) {
        let tekton = &*self.0.tekton.0;
        let context = Context::current();
        let own = request.call.deadline.unwrap_or_else(|| Deadline::after(now, tekton.defaults.timeout));
        request.call.deadline = Some(own.earlier(context.as_ref().and_then(Context::deadline)));
        let trace = match context.as_ref().and_then(Context::trace) {
            Some(trace) => trace.child(tekton.random.span_id()),
            None => TraceContext::new_root(tekton.random.trace_id(), tekton.random.span_id(), true),
        };
        trace.inject(&mut request.headers);
        if let Some(caller) = &tekton.caller {
            request.headers.insert(headers::CALLER, caller.clone());
        }
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

    /// Counts one call. The handles of an operation are resolved once.
    fn record(&self, operation: &Arc<str>, took: Duration) {
        if let Some(known) = self.0.metrics.read().unwrap_or_else(PoisonError::into_inner).get(operation) {
            return known.record(took);
        }
        let tekton = &*self.0.tekton.0;
        let mut known = self.0.metrics.write().unwrap_or_else(PoisonError::into_inner);
        let label: Arc<str> =
            if known.len() < MAX_ENDPOINT_LABELS { Arc::clone(operation) } else { names::OTHER.into() };
        let handles = known.entry(Arc::clone(&label));
        handles.or_insert_with(|| tekton.metrics.of(&tekton.source, &self.0.name, &label)).record(took);
    }
}

/// A call that has begun.
pub(crate) struct Underway<'a> {
    count: Count<'a>,
    span: Span,
    work: BoxFuture<'a, Result<Response>>,
}

/// Counts a call when it ends, also when it ends because nobody waits for it any more.
struct Count<'a> {
    peer: &'a Peer,
    operation: Arc<str>,
    began: Instant,
    ended: Option<Instant>,
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        let now = self.ended.unwrap_or_else(|| self.peer.0.tekton.0.clock.now());
        self.peer.record(&self.operation, now.saturating_duration_since(self.began));
    }
}

impl Underway<'_> {
    /// Waits for the answer.
    pub(crate) async fn answer(self) -> Result<Response> {
        let Self { mut count, span, work } = self;
        let result = if span.is_disabled() { work.await } else { work.instrument(span).await };
        let peer = &*count.peer.0;
        let ended = peer.tekton.0.clock.now();
        count.ended = Some(ended);
        peer.budget.earn(&result, ended);
        result.map_err(|error| match error.target() {
            Some(_) => error,
            None => error.with_target(count.peer.0.name.to_string()),
        })
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
