//! A request in a call.

use http::{HeaderMap, Method, uri::PathAndQuery};

use super::{
    OPERATIONS,
    body::{Content, Payload, Place, decode_base64, embedded, push_text},
    head::{Head, Writer, say_json},
};
use crate::wire::jsonrpc::Request;

/// The text of a call that carries a whole request. The path begins with a slash; the body of a stream follows in notes of this id.
#[must_use]
pub fn encode_call(
    id: u64,
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Payload<'_>,
) -> String {
    let operation = path.strip_prefix(OPERATIONS).filter(|name| is_name(name));
    let json = match body {
        Payload::Whole(bytes) => embedded(bytes, Place::Params),
        Payload::Stream => None,
    };
    let mut text = String::with_capacity(96 + path.len() + json.map_or(0, str::len) + 48 * headers.len());
    text.push_str(r#"{"jsonrpc":"2.0","method":"#);
    push_text(operation.unwrap_or(path), &mut text);
    if let Some(json) = json {
        text.push_str(r#","params":"#);
        text.push_str(json);
    }
    let mut http = Writer::begin(&mut text);
    if method != Method::POST {
        http.text("method", method.as_str());
    }
    if let Some(query) = query {
        http.text("query", query);
    }
    http.headers(headers, json.is_some());
    match body {
        Payload::Whole(bytes) if json.is_none() && !bytes.is_empty() => http.base64(bytes),
        Payload::Whole(_) => {}
        Payload::Stream => http.yes("stream"),
    }
    http.end();
    text.push_str(r#","id":"#);
    text.push_str(&id.to_string());
    text.push('}');
    text
}

/// A request as a call carries it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The method: `POST` unless the call says another.
    pub method: Method,
    /// The path: `/api/v1/` and the call's method, or that method itself, if it begins with a slash.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub content: Content<'a>,
    /// Whether the caller speaks plain JSON-RPC, and cannot read more than that in the answer.
    pub plain: bool,
}

impl<'a> Asked<'a> {
    /// Reads what a call carries.
    ///
    /// # Errors
    /// A clause that says what is wrong, and quotes nothing.
    pub fn read(request: &Request<'a>) -> Result<Self, &'static str> {
        let head = match request.http {
            Some(http) => Head::read(http)
                .ok_or("`http` must be an object of `method`, `query`, `headers`, `base64`, `stream`")?,
            None => Head::default(),
        };
        let method = match &head.method {
            Some(method) => Method::from_bytes(method.as_bytes()).map_err(|_| "`http.method` is no method")?,
            None => Method::POST,
        };
        let path = path(&request.method, head.query.as_deref())?;
        let mut headers = head.headers;
        let content = match (request.params, head.base64, head.stream) {
            (Some(params), None, false) => {
                say_json(&mut headers);
                Content::Json(params.get())
            }
            (None, Some(base64), false) => match decode_base64(&base64).ok_or("`http.base64` is no base64")? {
                bytes if bytes.is_empty() => Content::Empty,
                bytes => Content::Bytes(bytes),
            },
            (None, None, true) => Content::Stream,
            (None, None, false) => Content::Empty,
            _ => return Err("`params`, `http.base64` and `http.stream` exclude each other"),
        };
        Ok(Self { method, path, query: head.query, headers, content, plain: request.http.is_none() })
    }
}

fn path(method: &str, query: Option<&str>) -> Result<String, &'static str> {
    let path = match method.strip_prefix('/') {
        Some(_) => method.to_owned(),
        None if is_name(method) => [OPERATIONS, method].concat(),
        None => return Err("`method` is neither the name of an operation nor a path"),
    };
    if path.contains(['?', '#']) {
        return Err("a path in `method` ends before the query, which is `http.query`");
    }
    let fits = |text: &str| text.parse::<PathAndQuery>().is_ok();
    match query {
        _ if is_name(method) && query.is_none() => {}
        Some(query) if !query.contains('#') && fits(&[&path, "?", query].concat()) => {}
        None if fits(&path) => {}
        _ => return Err("`method` and `http.query` are no path and query of HTTP"),
    }
    Ok(path)
}

/// Whether a path needs no encoding of it: letters, digits, `-`, `_`, `.` and `~`.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
}
