//! An answer in a response.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    body::{Content, Payload, Place, decode_base64, embedded, push_text},
    head::{Head, Writer, is_usual, say_json},
};
use crate::wire::{
    jsonrpc::{Id, Outcome, RpcError},
    problem,
};

/// The text of the answer to a caller that sent `http`. The body of a stream follows in notes of this id.
#[must_use]
pub fn encode_answer(id: &Id<'_>, status: StatusCode, headers: &HeaderMap, body: Payload<'_>) -> String {
    let json = match body {
        Payload::Whole(bytes) => embedded(bytes, Place::Value),
        Payload::Stream => None,
    };
    let mut text = outcome(status, json, json, 48 * headers.len());
    let unusual = headers.len() > usize::from(is_usual(headers, &CONTENT_TYPE));
    if status != StatusCode::OK || unusual || json.is_none() {
        let mut http = Writer::begin(&mut text);
        http.number("status", status.as_u16());
        http.headers(headers, json.is_some());
        match body {
            Payload::Whole(bytes) if json.is_none() => http.base64(bytes),
            Payload::Whole(_) => {}
            Payload::Stream => http.yes("stream"),
        }
        http.end();
    }
    end(text, id)
}

/// The text of the answer to a caller that speaks plain JSON-RPC: JSON as it is, other text as a string, other bytes as base64.
#[must_use]
pub fn encode_plain_answer(id: &Id<'_>, status: StatusCode, body: &Bytes) -> String {
    let json = match embedded(body, Place::Value) {
        Some(json) => Cow::Borrowed(json),
        None if body.is_empty() => Cow::Borrowed("null"),
        None => {
            let mut text = String::new();
            match std::str::from_utf8(body) {
                Ok(body) => push_text(body, &mut text),
                Err(_) => {
                    text.push('"');
                    super::body::encode_base64(body, &mut text);
                    text.push('"');
                }
            }
            Cow::Owned(text)
        }
    };
    let data = (!body.is_empty()).then_some(&*json);
    end(outcome(status, Some(&json), data, 0), id)
}

/// The message up to its outcome: `result`, or for a failing status `error` with `data`.
fn outcome(status: StatusCode, result: Option<&str>, data: Option<&str>, more: usize) -> String {
    let mut text = String::with_capacity(96 + result.map_or(0, str::len) + more);
    text.push_str(r#"{"jsonrpc":"2.0","#);
    if status.as_u16() < 400 {
        text.push_str(r#""result":"#);
        text.push_str(result.unwrap_or("null"));
        return text;
    }
    let said = Said::of(data);
    text.push_str(r#""error":{"code":"#);
    text.push_str(&code(status, said.code.as_deref()).to_string());
    text.push_str(r#","message":"#);
    let reason =
        said.detail.or(said.title).unwrap_or_else(|| Cow::Borrowed(status.canonical_reason().unwrap_or("failed")));
    push_text(&reason, &mut text);
    if let Some(data) = data {
        text.push_str(r#","data":"#);
        text.push_str(data);
    }
    text.push('}');
    text
}

fn end(mut text: String, id: &Id<'_>) -> String {
    text.push_str(r#","id":"#);
    text.push_str(id.json());
    text.push('}');
    text
}

/// What a problem says of itself.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    detail: Option<Cow<'a, str>>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    fn of(data: Option<&'a str>) -> Self {
        let object = data.filter(|json| json.starts_with('{'));
        object.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }
}

/// The code of a status: the specification's where there is one, else one of those that it leaves to servers.
fn code(status: StatusCode, said: Option<&str>) -> i64 {
    match status.as_u16() {
        400 | 422 => RpcError::INVALID_PARAMS,
        404 if said == Some("unknown_operation") => RpcError::METHOD_NOT_FOUND,
        500 => RpcError::INTERNAL_ERROR,
        status @ 400..=449 => -32_000 - i64::from(status - 400),
        status @ 500..=549 => -32_050 - i64::from(status - 500),
        _ => -32_000,
    }
}

/// The status of a code that a server sent which knows of none.
fn status_of(code: i64) -> StatusCode {
    let status = match code {
        RpcError::METHOD_NOT_FOUND => 404,
        RpcError::INVALID_PARAMS => 422,
        RpcError::INTERNAL_ERROR => 500,
        -32_049..=-32_001 => u16::try_from(-32_000 - code).unwrap_or(0) + 400,
        -32_099..=-32_051 => u16::try_from(-32_050 - code).unwrap_or(0) + 500,
        _ => 400,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
}

/// An answer as a response carries it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Answered<'a> {
    /// The status: what `http` says, else 200 for a result and what the code means for an error.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: the result, or the error's data; of an error of a server that knows no `http` a problem (RFC 9457) with the
    /// error as its member `rpc`.
    pub content: Content<'a>,
}

impl<'a> Answered<'a> {
    /// Reads what a response carries. The texts of the outcome must lie in the message.
    ///
    /// # Errors
    /// A clause that says what is wrong, and quotes nothing.
    pub fn read(outcome: Outcome<'a>, http: Option<&'a RawValue>) -> Result<Self, &'static str> {
        let Some(http) = http else { return Ok(Self::plain(outcome)) };
        let head = Head::read(http).ok_or("`http` must be an object of `status`, `headers`, `base64`, `stream`")?;
        let (default, json) = match outcome {
            Ok(result) => (StatusCode::OK, Some(result)),
            Err(error) => (status_of(error.code), error.data),
        };
        let status = match head.status {
            Some(status) => StatusCode::from_u16(status).map_err(|_| "`http.status` is no status")?,
            None => default,
        };
        let mut headers = head.headers;
        let content = match (head.base64, head.stream) {
            (Some(base64), false) => match decode_base64(&base64).ok_or("`http.base64` is no base64")? {
                bytes if bytes.is_empty() => Content::Empty,
                bytes => Content::Bytes(bytes),
            },
            (None, true) => Content::Stream,
            (None, false) => {
                say_json(&mut headers);
                json.map_or(Content::Empty, of_json)
            }
            (Some(_), true) => return Err("`http.base64` and `http.stream` exclude each other"),
        };
        Ok(Self { status, headers, content })
    }

    fn plain(outcome: Outcome<'a>) -> Self {
        let mut headers = HeaderMap::new();
        match outcome {
            Ok(result) => {
                say_json(&mut headers);
                Self { status: StatusCode::OK, headers, content: of_json(result) }
            }
            Err(error) => {
                let status = status_of(error.code);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
                let title = status.canonical_reason().unwrap_or("failed");
                let body =
                    json!({ "title": title, "status": status.as_u16(), "detail": &error.message, "rpc": &error });
                Self { status, headers, content: Content::Bytes(body.to_string().into()) }
            }
        }
    }
}

fn of_json(json: Cow<'_, RawValue>) -> Content<'_> {
    match json {
        Cow::Borrowed(json) => Content::Json(json.get()),
        Cow::Owned(json) => Content::Bytes(Bytes::from(String::from(Box::<str>::from(json)))),
    }
}
