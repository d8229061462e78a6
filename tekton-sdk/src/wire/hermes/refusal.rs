//! What the hub refuses a request with, in FastAPI's words.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::TOKEN_HEADER;
use crate::wire::lenient::{self, Object};

/// A status and a body that refuse a request, as upstream's hub words them.
///
/// ```
/// use tekton_sdk::wire::hermes::Refusal;
///
/// let refusal = Refusal::component_not_found("engram");
/// assert_eq!(refusal.status(), 404);
/// assert_eq!(refusal.body(), r#"{"detail":"Component 'engram' not found"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    body: Bytes,
}

impl Refusal {
    /// A refusal with one sentence: `{"detail": "…"}`.
    #[must_use]
    pub fn new(status: StatusCode, detail: &str) -> Self {
        Self { status, body: lenient::to_bytes(&json!({ "detail": detail })) }
    }

    /// 401, for a token that is bad, expired or another component's, and for an unknown component.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid authentication token")
    }

    /// 404, for a name that nobody is registered under.
    #[must_use]
    pub fn component_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, &format!("Component '{name}' not found"))
    }

    /// 404, for an id that no tool is registered under.
    #[must_use]
    pub fn tool_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Tool not found")
    }

    /// 404, for a path that is not served.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// 422, for a request without the token's header.
    #[must_use]
    pub fn missing_token() -> Self {
        Self::unprocessable(vec![missing(json!(["header", TOKEN_HEADER.to_ascii_lowercase()]), Value::Null)])
    }

    /// 422, for a request without this query parameter.
    #[must_use]
    pub fn missing_query(name: &str) -> Self {
        Self::unprocessable(vec![missing(json!(["query", name]), Value::Null)])
    }

    /// 422, for a query parameter whose value cannot be read; `kind` is pydantic's name of the mistake.
    #[must_use]
    pub fn wrong_query(kind: &str, name: &str, message: &str, input: Value) -> Self {
        Self::unprocessable(vec![wrong(kind, json!(["query", name]), message, input)])
    }

    /// Both refusals in one: a hub that finds several mistakes tells them together, with the status of the first.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let errors = |refusal: &Self| match serde_json::from_slice::<Value>(&refusal.body) {
            Ok(mut body) => match body["detail"].take() {
                Value::Array(errors) => errors,
                sentence => vec![sentence],
            },
            Err(_) => Vec::new(),
        };
        let all = [errors(&self), errors(other)].concat();
        Self { status: self.status, ..Self::unprocessable(all) }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, JSON.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    fn unprocessable(errors: Vec<Value>) -> Self {
        let body = lenient::to_bytes(&json!({ "detail": errors }));
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, body }
    }
}

/// The fields of a request's body, and what was found wrong with them so far.
pub(super) struct Fields {
    object: Object,
    whole: Value,
    errors: Vec<Value>,
}

impl Fields {
    /// Parses the body, or refuses it as a whole.
    pub(super) fn of(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Err(Refusal::unprocessable(vec![missing(json!(["body"]), Value::Null)]));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { whole: Value::Object(object.clone()), object, errors: Vec::new() }),
            Ok(other) => Err(Refusal::unprocessable(vec![wrong(
                "model_attributes_type",
                json!(["body"]),
                "Input should be a valid dictionary or object to extract fields from",
                other,
            )])),
            Err(error) => {
                let mut entry = wrong("json_invalid", json!(["body", error.column()]), "JSON decode error", json!({}));
                entry["ctx"] = json!({"error": "Expecting value"});
                Err(Refusal::unprocessable(vec![entry]))
            }
        }
    }

    /// A required string; the first key is the one an error names.
    pub(super) fn text(&mut self, keys: &[&str]) -> String {
        match self.take(keys) {
            Some(Value::String(text)) => text,
            Some(other) => self.not_text(keys, other),
            None => {
                let place = json!(["body", keys.first()]);
                self.errors.push(missing(place, self.whole.clone()));
                String::new()
            }
        }
    }

    /// A string that may be left out or null.
    pub(super) fn optional_text(&mut self, keys: &[&str]) -> Option<String> {
        match self.take(keys)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(self.not_text(keys, other)),
        }
    }

    /// A list of strings; empty if left out.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let entries = match self.object.remove(key) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(other) => {
                self.errors.push(wrong("list_type", json!(["body", key]), "Input should be a valid list", other));
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            match entry {
                Value::String(text) => texts.push(text),
                other => {
                    let place = json!(["body", key, index]);
                    self.errors.push(wrong("string_type", place, "Input should be a valid string", other));
                }
            }
        }
        texts
    }

    /// An object; empty if left out.
    pub(super) fn object(&mut self, key: &str) -> Object {
        match self.object.remove(key) {
            None => Object::new(),
            Some(Value::Object(object)) => object,
            Some(other) => {
                self.errors.push(wrong("dict_type", json!(["body", key]), "Input should be a valid dictionary", other));
                Object::new()
            }
        }
    }

    /// An object that must be there; the first key is the one an error names.
    pub(super) fn required_object(&mut self, keys: &[&str]) -> Object {
        match self.take(keys) {
            Some(Value::Object(object)) => object,
            Some(other) => {
                let place = json!(["body", keys.first()]);
                self.errors.push(wrong("dict_type", place, "Input should be a valid dictionary", other));
                Object::new()
            }
            None => {
                let place = json!(["body", keys.first()]);
                self.errors.push(missing(place, self.whole.clone()));
                Object::new()
            }
        }
    }

    /// An object that may be left out or null.
    pub(super) fn optional_object(&mut self, key: &str) -> Option<Object> {
        self.is_given(key).then(|| self.object(key))
    }

    /// A list of strings that may be left out or null.
    pub(super) fn optional_texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.is_given(key).then(|| self.texts(key))
    }

    fn is_given(&self, key: &str) -> bool {
        self.object.get(key).is_some_and(|value| !value.is_null())
    }

    /// A truth value; false if left out.
    pub(super) fn truth(&mut self, keys: &[&str]) -> bool {
        let Some(value) = self.take(keys) else { return false };
        lenient::truth(&value).unwrap_or_else(|| {
            let place = json!(["body", keys.first()]);
            let (kind, message) = match value {
                Value::String(_) => ("bool_parsing", "Input should be a valid boolean, unable to interpret input"),
                _ => ("bool_type", "Input should be a valid boolean"),
            };
            self.errors.push(wrong(kind, place, message, value));
            false
        })
    }

    /// The request, or the refusal that names everything that is wrong with it.
    pub(super) fn finish<T>(self, request: T) -> Result<T, Refusal> {
        if self.errors.is_empty() { Ok(request) } else { Err(Refusal::unprocessable(self.errors)) }
    }

    fn take(&mut self, keys: &[&str]) -> Option<Value> {
        keys.iter().find_map(|key| self.object.remove(*key))
    }

    fn not_text(&mut self, keys: &[&str], value: Value) -> String {
        let place = json!(["body", keys.first()]);
        self.errors.push(wrong("string_type", place, "Input should be a valid string", value));
        String::new()
    }
}

fn missing(place: Value, input: Value) -> Value {
    wrong("missing", place, "Field required", input)
}

fn wrong(kind: &str, place: Value, message: &str, input: Value) -> Value {
    json!({"type": kind, "loc": place, "msg": message, "input": input})
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::wire::{hermes::RegisterRequest, problem::read_failure};

    #[test]
    fn a_refusal_is_what_a_caller_reads_as_a_failure() {
        let said = |refusal: Refusal| {
            read_failure(refusal.status(), &HeaderMap::new(), refusal.body(), std::time::SystemTime::UNIX_EPOCH)
        };
        assert_eq!(
            said(Refusal::unauthorized()).to_string(),
            "answered 401 Unauthorized: Invalid authentication token"
        );
        assert_eq!(said(Refusal::missing_token()).fields()[0].field, "x-authentication-token");
        assert_eq!(said(Refusal::missing_query("component_id")).fields()[0].field, "component_id");
        let both = said(Refusal::missing_query("component_id").and(&Refusal::missing_token()));
        assert_eq!(
            both.fields().iter().map(|f| &*f.field).collect::<Vec<_>>(),
            ["component_id", "x-authentication-token"]
        );
        assert_eq!(said(Refusal::not_found()).to_string(), "answered 404 Not Found: Not Found");
        for (body, field) in [("", "body"), ("[]", "body"), ("{", "body.1"), ("{}", "name")] {
            assert_eq!(said(RegisterRequest::read(body.as_bytes()).unwrap_err()).fields()[0].field, field, "{body:?}");
        }
    }
}
