//! From a request to its operation and back to an answer.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use tracing::Instrument;

use super::{
    Arguments, HostConfig, Operations,
    control::{Control, json_answer, problem_answer, refusal},
    limit::Limit,
    operations::{Entry, Run},
};
use crate::{
    context::Context,
    contract::{Operation, OperationKind},
    error::{Error, ErrorKind, Result},
    telemetry::names,
    time::{Deadline, SharedClock},
    transport::{Handler, Inbound, Response},
    wire::{headers, problem::Problem, trace::TraceContext},
};

/// A component's routes, with every bound of the host's: what the socket and the memory transport both call.
///
/// 1. control routes, which no limit refuses;
/// 2. version, operation and method;
/// 3. the deadline: the caller's remaining time, cut to the host's and the operation's limits;
/// 4. a place under the concurrency limit;
/// 5. the body, under its cap, read to its end before the operation begins: only then is a closed connection noticed;
/// 6. the operation inside its [`Context`], ended by the deadline, its panic contained.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) control: Control,
    pub(super) operations: Operations,
    pub(super) versions: Vec<u32>,
    pub(super) limit: Limit,
    pub(super) config: HostConfig,
    pub(super) clock: SharedClock,
}

#[async_trait]
impl Handler for Router {
    async fn handle(&self, request: Inbound) -> Response {
        if let Some(answer) = self.control.answer(&request.path) {
            return match request.method {
                Method::GET | Method::HEAD => answer,
                _ => method_not_allowed("GET"),
            };
        }
        match self.route(&request) {
            Ok(entry) => self.serve(entry, request).await.unwrap_or_else(|error| refusal(&error)),
            Err(answer) => answer,
        }
    }
}

impl Router {
    fn route(&self, request: &Inbound) -> std::result::Result<&Entry, Response> {
        let path = request.path.strip_prefix("/api/v").and_then(|rest| rest.split_once('/'));
        let Some((version, name)) = path else {
            let detail = format!("there is nothing at {:?}; operations stand below /api/v1/", shown(&request.path));
            return Err(problem_answer(&Problem::new(StatusCode::NOT_FOUND, detail).with_code("unknown_path")));
        };
        if !version.parse().is_ok_and(|version: u32| self.versions.contains(&version)) {
            let known: Vec<_> = self.versions.iter().map(|v| format!("v{v}")).collect();
            let detail = format!("API version {:?} is not served; there are: {}", shown(version), known.join(", "));
            return Err(problem_answer(&Problem::new(StatusCode::NOT_FOUND, detail).with_code("unknown_version")));
        }
        let Some(entry) = self.operations.get(name) else {
            let known: Vec<_> = self.operations.table().map(|operation| operation.name).collect();
            let detail = format!("there is no operation {:?}; there are: {}", shown(name), known.join(", "));
            let problem = Problem::new(StatusCode::NOT_FOUND, detail).with_code("unknown_operation");
            return Err(problem_answer(&problem.with_known_operations(known)));
        };
        match (&request.method, entry.operation.kind) {
            (&Method::POST, _) | (&Method::GET | &Method::HEAD, OperationKind::Read) => Ok(entry),
            (_, OperationKind::Read) => Err(method_not_allowed("POST, GET")),
            (_, OperationKind::Write) => Err(method_not_allowed("POST")),
        }
    }

    async fn serve(&self, entry: &Entry, request: Inbound) -> Result<Response> {
        let operation = &entry.operation;
        let limit = self.allowed(operation, headers::deadline(&request.headers))?;
        let deadline = Deadline::after(self.clock.now(), limit);
        let work = async {
            let place = self.limit.place().await?;
            let context = context_of(&request, deadline);
            let arguments = self.arguments(operation, request).await?;
            let body = match &entry.run {
                Run::Async(run) => {
                    let work = async {
                        // Made inside, so that a panic before the first wait is contained too.
                        run(context.clone(), arguments).await
                    };
                    let work = AssertUnwindSafe(context.clone().scope(work)).catch_unwind();
                    work.await.unwrap_or_else(|panic| Err(panicked(operation, &*panic)))?
                }
                Run::Blocking(run) => {
                    let run = Arc::clone(run);
                    let work = move || {
                        // The place is given back when the work has ended, not when its caller has gone.
                        let _place = place;
                        context.clone().sync_scope(|| run(context, arguments))
                    };
                    match tokio::task::spawn_blocking(work).await {
                        Ok(done) => done?,
                        Err(error) => match error.try_into_panic() {
                            Ok(panic) => return Err(panicked(operation, &*panic)),
                            Err(_) => return Err(Error::new(ErrorKind::Closed, "the component is shutting down")),
                        },
                    }
                }
            };
            Ok(json_answer(StatusCode::OK, body))
        };
        let late = || Error::new(ErrorKind::Timeout, format!("{} did not end within {limit:?}", operation.name));
        let work = self.clock.timeout(limit, work);
        let span = tracing::debug_span!(names::SERVE_SPAN, operation = operation.name);
        let done = if span.is_disabled() { work.await } else { work.instrument(span).await };
        let result = done.unwrap_or_else(|| Err(late()));
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::Internal | ErrorKind::Config)
        {
            tracing::error!(operation = operation.name, error = %error.report(), "an operation failed");
        }
        result
    }

    /// The least of the caller's, the operation's and the host's time.
    fn allowed(&self, operation: &Operation, caller: Option<Duration>) -> Result<Duration> {
        let own = operation.timeout.unwrap_or(self.config.request_timeout).min(self.config.request_timeout);
        let limit = caller.map_or(own, |caller| caller.min(own));
        if limit.is_zero() {
            return Err(Error::new(ErrorKind::Timeout, "the deadline had passed before the operation began"));
        }
        Ok(limit)
    }

    async fn arguments(&self, operation: &Operation, request: Inbound) -> Result<Arguments> {
        if request.method != Method::POST {
            return Arguments::from_query(operation, request.query.as_deref().unwrap_or_default());
        }
        let body: Bytes = request.body.collect(self.config.max_body_bytes).await?;
        Arguments::from_json(operation, body)
    }
}

fn context_of(request: &Inbound, deadline: Deadline) -> Context {
    let mut context = Context::new()
        .with_deadline(Some(deadline))
        .with_trace(TraceContext::from_headers(&request.headers))
        .with_attempt(headers::attempt(&request.headers));
    if let Some(caller) = headers::label(&request.headers, &headers::CALLER) {
        context = context.with_caller(caller);
    }
    if let Some(key) = headers::label(&request.headers, &headers::IDEMPOTENCY_KEY) {
        context = context.with_idempotency_key(key);
    }
    context
}

/// The panic's message is for the log; the caller learns only that it was one.
fn panicked(operation: &Operation, panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(operation = operation.name, panic = message.unwrap_or("no message"), "an operation panicked");
    Error::internal(format!("the operation {} panicked", operation.name))
}

fn method_not_allowed(allow: &'static str) -> Response {
    let detail = format!("this method is not served here; use {allow}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_code("method_not_allowed");
    problem_answer(&problem).with_header(header::ALLOW, HeaderValue::from_static(allow))
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
