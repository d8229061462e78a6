//! A request that is not answered with success, and how that is told.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use crate::{
    error::{Error, ErrorKind},
    telemetry::HostLimit,
    transport::Response,
    wire::problem::{self, Problem},
};

/// What the caller is told instead of an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Problem,
    allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, detail: String) -> Box<Self> {
        Box::new(Self { problem: Problem::new(status, detail).with_code(code), allow: None })
    }

    /// A limit of the host refuses, by its name: 503 where the host has too much to do, 429 where this client or all of them
    /// together ask for too much. Waits are told in whole seconds, rounded up.
    pub(super) fn limit(limit: HostLimit, detail: String, retry_after: Duration) -> Box<Self> {
        let status = match limit {
            HostLimit::Shed | HostLimit::Connections => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::TOO_MANY_REQUESTS,
        };
        let mut refusal = Self::new(status, limit.name(), detail);
        refusal.problem = refusal.problem.with_retry_after(retry_after);
        refusal
    }

    /// Says when to come again.
    #[cfg(feature = "websocket")]
    pub(super) fn after(mut self: Box<Self>, wait: Duration) -> Box<Self> {
        self.problem = self.problem.with_retry_after(wait);
        self
    }

    /// Whoever says who asks took too long.
    pub(super) fn not_proven(within: Duration) -> Box<Self> {
        Error::new(ErrorKind::Timeout, format!("who asks was not proven within {within:?}")).into()
    }

    pub(super) fn unknown_operation(detail: String, known: Vec<&str>) -> Box<Self> {
        let mut refusal = Self::new(StatusCode::NOT_FOUND, "unknown_operation", detail);
        refusal.problem = refusal.problem.with_known_operations(known);
        refusal
    }

    pub(super) fn method(allow: &'static str) -> Box<Self> {
        let detail = format!("this method is not served here; use {allow}");
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        refusal.allow = Some(allow);
        refusal
    }

    /// What it says, for those who are answered otherwise already.
    pub(super) fn into_problem(self) -> Problem {
        self.problem
    }

    pub(super) fn answer(&self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Response::new(status, self.problem.to_bytes())
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
        if let Some(seconds) = self.problem.retry_after {
            answer = answer.with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            answer = answer.with_header(header::ALLOW, HeaderValue::from_static(methods));
        }
        answer
    }
}

impl From<Error> for Box<Refusal> {
    /// A failure that a component behind this one answered is that component's: its 401 or 404 must not be taken for ours. That
    /// it may not spend enough is passed on: it is the caller's budget, and another try would not help.
    fn from(error: Error) -> Self {
        let problem = Problem::from_error(&error);
        let problem = match error.remote() {
            Some(remote) if remote.code() == Some(problem::BUDGET_EXHAUSTED) && remote.status() == 402 => {
                problem.with_status(StatusCode::PAYMENT_REQUIRED).with_code(problem::BUDGET_EXHAUSTED)
            }
            Some(_) if error.kind() != ErrorKind::Timeout => {
                problem.with_status(StatusCode::BAD_GATEWAY).with_code("dependency_failed")
            }
            _ => problem,
        };
        Box::new(Refusal { problem, allow: None })
    }
}
