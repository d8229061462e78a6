//! Failures as bodies: RFC 9457 problem details out, and every dialect of the mesh in.
//!
//! A served component answers each failure with a [`Problem`]. A caller meets more dialects than that: FastAPI's
//! `{"detail": …}` in two forms, `{"error": …}`, plain text, and the HTML of a proxy. [`read_failure`] reads them all
//! into one [`Error`], whose message never repeats a raw body.

mod read;

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use read::read_failure;

use super::{lenient, spend::Overdrawn};
use crate::error::{Error, ErrorKind, FieldError};

/// The media type of a problem body (RFC 9457 §3).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What stands before the code in a problem's `type`.
pub const TYPE_PREFIX: &str = "urn:tekton:problem:";

/// The code of a refusal by a budget.
pub(crate) const BUDGET_EXHAUSTED: &str = "budget_exhausted";

const BLANK: &str = "about:blank";

/// A problem details object (RFC 9457 §3.1) with the mesh's extension members (§3.2).
///
/// ```
/// use tekton_sdk::{Error, wire::problem::Problem};
///
/// let problem = Problem::from_error(&Error::not_found("no operation \"sumarize\""))
///     .with_code("unknown_operation")
///     .with_known_operations(["summarize"]);
/// assert_eq!(
///     problem.to_bytes(),
///     r#"{"type":"urn:tekton:problem:unknown_operation","title":"Not Found","status":404,"#.to_owned()
///         + r#""detail":"no operation \"sumarize\"","code":"unknown_operation","known_operations":["summarize"]}"#
/// );
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What type of problem it is: `about:blank`, or `urn:tekton:problem:<code>`.
    #[serde(rename = "type", default = "blank")]
    pub type_uri: String,
    /// The summary of the type; the status's own phrase.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time, as one clause. Always a string: upstream's clients read it.
    #[serde(default)]
    pub detail: String,
    /// The machine-readable code, as `unknown_operation`.
    #[serde(default)]
    pub code: String,
    /// Which occurrence it was, as a URI reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// After how many seconds another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The operations that the component does serve, when an unknown one was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_operations: Vec<String>,
    /// The fields that are wrong, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "fields")]
    #[schemars(with = "Vec<fields::In>")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem that says no more than its status does: type `about:blank` (RFC 9457 §4.2.1), and as code the status's
    /// phrase in snake case.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            type_uri: blank(),
            title: phrase(status).to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: phrase(status).to_ascii_lowercase().replace([' ', '-'], "_").replace('\'', ""),
            instance: None,
            retry_after: None,
            known_operations: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// What a caller is told of this failure.
    ///
    /// Status and code follow from the kind; a budget's refusal is 402 `budget_exhausted`. `detail` is the error's `Display` alone: neither a source nor a body of
    /// another callee is passed on.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        let (status, code) = match StdError::source(error) {
            // 429 would invite another try, and the same budget would refuse it again.
            Some(source) if source.is::<Overdrawn>() => (StatusCode::PAYMENT_REQUIRED, BUDGET_EXHAUSTED),
            _ => (status_of(error.kind()), code_of(error.kind())),
        };
        let mut problem = Self::new(status, error.to_string()).with_code(code);
        problem.errors = error.fields().to_vec();
        problem.retry_after = error.retry_after().map(whole_seconds);
        problem
    }

    /// Sets the code, and the type that is made of it.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self.type_uri = format!("{TYPE_PREFIX}{}", self.code);
        self
    }

    /// Sets the status, and the title that is its phrase.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        phrase(status).clone_into(&mut self.title);
        self
    }

    /// Names the occurrence, as `/api/v1/summarize`.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Says when another try makes sense; rounded up to whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(whole_seconds(wait));
        self
    }

    /// Names the operations that there are.
    #[must_use]
    pub fn with_known_operations(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.known_operations = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, problem: impl Into<String>) -> Self {
        self.errors.push(FieldError::new(field, problem));
        self
    }

    /// The body, to be sent as [`CONTENT_TYPE`].
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }
}

/// The status that a served component answers with for a failure of this kind.
#[must_use]
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Rejected => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Codec => StatusCode::BAD_REQUEST,
        ErrorKind::Closed | ErrorKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Connect | ErrorKind::Interrupted | ErrorKind::Remote => StatusCode::BAD_GATEWAY,
        ErrorKind::Config | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code of a failure that has no narrower one: the kind's name in snake case.
#[must_use]
pub const fn code_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Invalid => "invalid",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Connect => "connect",
        ErrorKind::Rejected => "rejected",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::Remote => "remote",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Unauthorized => "unauthorized",
        ErrorKind::Codec => "codec",
        ErrorKind::Closed => "closed",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::Internal => "internal",
    }
}

fn blank() -> String {
    BLANK.to_owned()
}

fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Failure")
}

/// Rounded up: a caller that waits this long does not come too early.
const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add((wait.subsec_nanos() > 0) as u64)
}

/// `FieldError` as `{"field", "problem"}`; the error module knows no serde.
mod fields {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::error::FieldError;

    #[derive(Serialize)]
    struct Out<'a> {
        field: &'a str,
        problem: &'a str,
    }

    #[derive(Deserialize, JsonSchema)]
    #[schemars(rename = "WrongField")]
    pub(super) struct In {
        /// Which field.
        field: String,
        /// What is wrong about it.
        problem: String,
    }

    pub(super) fn serialize<S: Serializer>(fields: &[FieldError], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(fields.iter().map(|f| Out { field: &f.field, problem: &f.problem }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<FieldError>, D::Error> {
        let fields = Vec::<In>::deserialize(from)?;
        Ok(fields.into_iter().map(|f| FieldError::new(f.field, f.problem)).collect())
    }
}

#[cfg(test)]
mod tests;
