//! What a failure's status, headers and body say, whoever wrote them.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::TYPE_PREFIX;
use crate::{
    error::{Error, ErrorKind, FieldError, RemoteError, Sent},
    wire::{
        lenient::{self, Object, bounded, take, text},
        retry_after::{self, MAX_WAIT},
    },
};

const MAX_DETAIL: usize = 500;
const MAX_NAME: usize = 200;
const MAX_CODE: usize = 64;
const MAX_FIELDS: usize = 100;
/// A body longer than this is kept as it is, up to the cap of `RemoteError`, and not parsed.
const MAX_PARSED_BYTES: usize = 1 << 20;

/// What a failure's body says, as far as it could be understood.
#[derive(Default)]
struct Told {
    code: Option<String>,
    detail: Option<String>,
    /// Whether `detail` is a sentence the callee marked as such, rather than the body itself.
    marked: bool,
    fields: Vec<FieldError>,
    /// How many fields are wrong; more than `fields` has when the list was cut.
    wrong: usize,
    retry_after: Option<Duration>,
}

/// Reads a failure of any dialect: a problem (RFC 9457), FastAPI's `detail` as a string or as a list of errors,
/// `{"error": …}`, text, HTML, and bytes that make no sense.
///
/// The kind is [`Unauthorized`](ErrorKind::Unauthorized) for 401, [`NotFound`](ErrorKind::NotFound) for 404,
/// [`Conflict`](ErrorKind::Conflict) for 409 and 412, [`Timeout`](ErrorKind::Timeout) for 504, because callee and caller
/// watch the same deadline and either may notice first, else [`Remote`](ErrorKind::Remote). `Retry-After` (see
/// [`retry_after`]; a date counts from `now`, the wall time), or else the body's `retry_after`, is kept up to an hour. The
/// message holds the status and the callee's own sentence, never the raw body.
///
/// ```
/// use std::time::SystemTime;
///
/// use http::{HeaderMap, StatusCode};
/// use tekton_sdk::{ErrorKind, wire::problem::read_failure};
///
/// let body = br#"{"detail":[{"type":"missing","loc":["body","text"],"msg":"Field required","input":{}}]}"#;
/// let error = read_failure(
///     StatusCode::UNPROCESSABLE_ENTITY,
///     &HeaderMap::new(),
///     &body.as_slice().into(),
///     SystemTime::UNIX_EPOCH,
/// );
/// assert_eq!(error.kind(), ErrorKind::Remote);
/// assert_eq!(error.to_string(), "answered 422 Unprocessable Entity: 1 argument is wrong");
/// assert_eq!(error.fields()[0].to_string(), "text: Field required");
/// ```
#[must_use]
pub fn read_failure(status: StatusCode, headers: &HeaderMap, body: &Bytes, now: SystemTime) -> Error {
    let told = Told::read(headers, body);
    let kind = match status {
        StatusCode::UNAUTHORIZED => ErrorKind::Unauthorized,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ErrorKind::Conflict,
        StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
        _ => ErrorKind::Remote,
    };
    let message = told.message(status);
    let mut remote = RemoteError::new(status.as_u16()).with_body(body);
    if let Some(code) = told.code {
        remote = remote.with_code(code);
    }
    if let Some(detail) = told.detail {
        remote = remote.with_detail(detail);
    }
    let error = Error::new(kind, message).with_sent(Sent::Yes).with_remote(remote).with_fields(told.fields);
    match retry_after::read(headers, now).or(told.retry_after) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

impl Told {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        let html = body.starts_with(b"<") || media_type_is(headers, "text/html");
        let json = match body.first() {
            _ if body.len() > MAX_PARSED_BYTES => None,
            Some(b'{') => serde_json::from_slice(body).ok(),
            _ => None,
        };
        match json {
            Some(object) => Self::of_object(object),
            None if html => Self::default(),
            None => Self { detail: lossy(body), ..Self::default() },
        }
    }

    fn of_object(mut object: Object) -> Self {
        let mut told = Self::default();
        match take(&mut object, &["detail"]) {
            Some(Value::Array(errors)) => told.set_fields(errors),
            Some(detail) => told.set_sentence(detail),
            None => {}
        }
        if let Some(Value::Array(errors)) = take(&mut object, &["errors"]) {
            told.set_fields(errors);
        }
        for key in ["error", "message"] {
            if told.detail.is_none()
                && let Some(sentence) = take(&mut object, &[key])
            {
                told.set_sentence(sentence);
            }
        }
        let problem_type = take(&mut object, &["type"]).and_then(text);
        if told.detail.is_none()
            && told.wrong == 0
            && let Some(title) = take(&mut object, &["title"])
        {
            told.set_sentence(title);
        }
        let code = take(&mut object, &["code"]).and_then(text);
        let code = code.or_else(|| problem_type?.strip_prefix(TYPE_PREFIX).map(str::to_owned));
        told.code = code.map(|code| bounded(&code, MAX_CODE)).filter(|code| !code.is_empty()).or(told.code);
        told.retry_after = take(&mut object, &["retry_after"])
            .and_then(|seconds| lenient::number(&seconds))
            .filter(|seconds| *seconds >= 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.ceil().min(MAX_WAIT.as_secs_f64())));
        told
    }

    /// A sentence, or an object that holds one with a code beside it.
    fn set_sentence(&mut self, value: Value) {
        let sentence = match value {
            Value::String(sentence) => Some(sentence),
            Value::Object(mut object) => {
                self.code = take(&mut object, &["code"]).and_then(text).map(|code| bounded(&code, MAX_CODE));
                match take(&mut object, &["message", "msg", "detail", "error"]) {
                    Some(Value::String(sentence)) => Some(sentence),
                    _ => None,
                }
            }
            _ => None,
        };
        self.detail = sentence.map(|sentence| bounded(&sentence, MAX_DETAIL)).filter(|sentence| !sentence.is_empty());
        self.marked = self.detail.is_some();
    }

    fn set_fields(&mut self, errors: Vec<Value>) {
        self.wrong = errors.len();
        self.fields = errors.into_iter().take(MAX_FIELDS).filter_map(field).collect();
    }

    fn message(&self, status: StatusCode) -> String {
        let reason = status.canonical_reason().map_or_else(String::new, |reason| format!(" {reason}"));
        let said: Cow<'_, str> = match (&self.detail, self.wrong) {
            (Some(detail), _) if self.marked => detail.trim_end_matches('.').into(),
            (_, 0) => "".into(),
            (_, 1) => "1 argument is wrong".into(),
            (_, wrong) => format!("{wrong} arguments are wrong").into(),
        };
        let colon = if said.is_empty() { "" } else { ": " };
        format!("answered {}{reason}{colon}{said}", status.as_u16())
    }
}

/// One entry of our `errors` (`field`, `problem`) or of FastAPI's `detail` (`loc`, `msg`).
fn field(entry: Value) -> Option<FieldError> {
    let Value::Object(mut entry) = entry else { return None };
    let problem = take(&mut entry, &["problem", "msg", "message"]).and_then(text).unwrap_or_else(|| "is wrong".into());
    let field = match take(&mut entry, &["field", "loc"])? {
        Value::Array(path) => location(path),
        name => text(name)?,
    };
    Some(FieldError::new(bounded(&field, MAX_NAME), bounded(&problem, MAX_DETAIL)))
}

/// FastAPI's `loc` as a path. Where the argument travelled is left out, unless a name does not follow: an offset into
/// bad JSON stays `body.12`.
fn location(path: Vec<Value>) -> String {
    let place = |value: &Value| matches!(value.as_str(), Some("body" | "query" | "header" | "path" | "cookie"));
    let skipped = usize::from(path.first().is_some_and(place) && path.get(1).is_some_and(Value::is_string));
    let names: Vec<String> = path.into_iter().skip(skipped).take(MAX_NAME).filter_map(text).collect();
    names.join(".")
}

fn lossy(body: &[u8]) -> Option<String> {
    // A character has at most 4 bytes.
    let text = bounded(&String::from_utf8_lossy(&body[..body.len().min(4 * MAX_DETAIL)]), MAX_DETAIL);
    (!text.is_empty()).then_some(text)
}

fn media_type_is(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(wanted))
}
