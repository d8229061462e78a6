//! From a request to its operation and back to an answer.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::{
    Arguments, Operations,
    control::{Control, json_answer},
    limit::Limit,
    operations::{Entry, Run},
    refusal::Refusal,
};
use crate::{
    config::HostConfig,
    context::Context,
    contract::{Operation, OperationKind},
    error::{Error, ErrorKind, Result},
    telemetry::names,
    time::{Deadline, SharedClock},
    transport::{Handler, Inbound, Response},
    wire::{headers, trace::TraceContext},
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
        let answered = match self.control.answer(&request.path, request.query.as_deref()) {
            Some(answer) if matches!(request.method, Method::GET | Method::HEAD) => Ok(answer),
            Some(_) => Err(Refusal::method("GET")),
            None => match self.route(&request) {
                Ok(entry) => self.serve(entry, request).await,
                Err(refusal) => Err(refusal),
            },
        };
        answered.unwrap_or_else(|refusal| refusal.answer())
    }
}

impl Router {
    fn route(&self, request: &Inbound) -> Result<&Entry, Box<Refusal>> {
        let path = request.path.strip_prefix("/api/v").and_then(|rest| rest.split_once('/'));
        let Some((version, name)) = path else {
            let detail = format!("there is nothing at {:?}; operations stand below /api/v1/", shown(&request.path));
            return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_path", detail));
        };
        if !version.parse().is_ok_and(|version: u32| self.versions.contains(&version)) {
            let known: Vec<_> = self.versions.iter().map(|v| format!("v{v}")).collect();
            let detail = format!("API version {:?} is not served; there are: {}", shown(version), known.join(", "));
            return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_version", detail));
        }
        let Some(entry) = self.operations.get(name) else {
            let known: Vec<_> = self.operations.table().map(|operation| operation.name).collect();
            let detail = format!("there is no operation {:?}; there are: {}", shown(name), known.join(", "));
            return Err(Refusal::unknown_operation(detail, known));
        };
        match (&request.method, entry.operation.kind) {
            (&Method::POST, _) | (&Method::GET | &Method::HEAD, OperationKind::Read) => Ok(entry),
            (_, OperationKind::Read) => Err(Refusal::method("POST, GET")),
            (_, OperationKind::Write) => Err(Refusal::method("POST")),
        }
    }

    async fn serve(&self, entry: &Entry, request: Inbound) -> Result<Response, Box<Refusal>> {
        let operation = &entry.operation;
        let limit = self.allowed(operation, headers::deadline(&request.headers))?;
        let deadline = Deadline::after(self.clock.now(), limit);
        let work = async {
            let place = self.limit.place().await?;
            let context = context_of(&request, deadline);
            let arguments = self.arguments(operation, request).await?;
            let body = run(entry, context, arguments, place).await.inspect_err(|error| log(operation, error))?;
            Ok(json_answer(StatusCode::OK, body))
        };
        let work = self.clock.timeout(limit, work);
        let span = tracing::debug_span!(names::SERVE_SPAN, operation = operation.name);
        let done = if span.is_disabled() { work.await } else { work.instrument(span).await };
        done.unwrap_or_else(|| {
            let late = format!("{} did not end within {limit:?}", operation.name);
            Err(Error::new(ErrorKind::Timeout, late).into())
        })
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

    async fn arguments(&self, operation: &Operation, request: Inbound) -> Result<Arguments, Box<Refusal>> {
        if request.method != Method::POST {
            return Ok(Arguments::from_query(operation, request.query.as_deref().unwrap_or_default())?);
        }
        match request.body.collect(self.config.max_body_bytes).await {
            Ok(body) => Ok(Arguments::from_json(operation, body)?),
            Err(error) if error.kind() == ErrorKind::Rejected => {
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn run(entry: &Entry, context: Context, arguments: Arguments, place: OwnedSemaphorePermit) -> Result<Bytes> {
    let operation = &entry.operation;
    match &entry.run {
        Run::Async(run) => {
            // Called inside, so that a panic before the first wait is contained too.
            let work = async { run(context.clone(), arguments).await };
            let work = AssertUnwindSafe(context.clone().scope(work)).catch_unwind();
            let done = work.await.unwrap_or_else(|panic| Err(panicked(operation, &*panic)));
            drop(place);
            done
        }
        Run::Blocking(run) => {
            let run = Arc::clone(run);
            let work = move || {
                // The place is given back when the work has ended, not when its caller has gone.
                let _place = place;
                context.clone().sync_scope(|| run(context, arguments))
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => Err(panicked(operation, &*panic)),
                    Err(_) => Err(Error::new(ErrorKind::Closed, "the component is shutting down")),
                },
            }
        }
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
fn panicked(operation: &Operation, panic: &(dyn Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(operation = operation.name, panic = message.unwrap_or("no message"), "an operation panicked");
    Error::internal(format!("the operation {} panicked", operation.name))
}

fn log(operation: &Operation, error: &Error) {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Config => {
            tracing::error!(operation = operation.name, error = %error.report(), "an operation failed");
        }
        _ => tracing::debug!(operation = operation.name, error = %error.report(), "an operation failed"),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
