//! The messages that either side sends.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use super::{super::lenient, Id, RpcError, VERSION};

/// What a call ended with: its result as JSON, or an error.
pub type Outcome<'a> = Result<Cow<'a, RawValue>, RpcError<'a>>;

/// One message as it came.
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 knows nothing else")]
#[derive(Clone, Debug)]
pub enum Incoming<'a> {
    /// A message alone.
    One(Message<'a>),
    /// A batch, never empty. Each entry stands for itself.
    Batch(Vec<Message<'a>>),
}

/// A message, or an entry of a batch.
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 knows nothing else")]
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// A call, or a notification.
    Request(Request<'a>),
    /// The answer to a call.
    Response(Response<'a>),
    /// JSON that is neither.
    Invalid(Invalid<'a>),
}

/// A call, or without an id a notification, which nobody answers (§4).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What the answer has to name. A notification has none; null is an id.
    pub id: Option<Id<'a>>,
    /// The name of the method.
    pub method: Cow<'a, str>,
    /// An array or an object, not parsed.
    pub params: Option<&'a RawValue>,
    /// The member `http`, which the specification does not know, not parsed; see [`exchange`](crate::wire::exchange).
    pub http: Option<&'a RawValue>,
}

/// The answer to a call (§5).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The id of the call; null if the other side could not read it.
    pub id: Id<'a>,
    /// The result, not parsed, or the error.
    pub outcome: Outcome<'a>,
    /// The member `http`, which the specification does not know, not parsed; see [`exchange`](crate::wire::exchange).
    pub http: Option<&'a RawValue>,
}

/// JSON that is neither request nor response.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Invalid<'a> {
    /// The id, if it could be read.
    pub id: Option<Id<'a>>,
    /// What is wrong, as a clause that quotes nothing.
    pub what: &'static str,
    /// Whether it has no `method`: then its id may be that of a call of this side, and it a broken answer to it.
    pub may_be_response: bool,
}

impl<'a> Response<'a> {
    /// The answer to the call of this id.
    #[must_use]
    pub const fn new(id: Id<'a>, outcome: Outcome<'a>) -> Self {
        Self { id, outcome, http: None }
    }

    /// The message as JSON: with `result` or `error`, never both.
    #[must_use]
    pub fn encode(&self) -> String {
        lenient::to_text(self)
    }
}

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Response", if self.http.is_some() { 4 } else { 3 })?;
        members.serialize_field("jsonrpc", VERSION)?;
        match &self.outcome {
            Ok(result) => members.serialize_field("result", result)?,
            Err(error) => members.serialize_field("error", error)?,
        }
        members.serialize_field("id", &self.id)?;
        if let Some(http) = self.http {
            members.serialize_field("http", http)?;
        }
        members.end()
    }
}

impl<'a> Invalid<'a> {
    /// What a server says to it: Invalid Request. It names the id, unless that may be the id of a call of this side: then null,
    /// so that the other side takes it for no answer to a call of its own.
    #[must_use]
    pub fn answer(&self) -> Response<'a> {
        let id = self.id.clone().filter(|_| !self.may_be_response).unwrap_or(Id::NULL);
        Response::new(id, Err(RpcError::invalid_request(self.what)))
    }
}
