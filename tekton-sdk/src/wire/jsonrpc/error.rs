//! What a call ends with if it does not end well.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The error object of a response (§5.1).
#[non_exhaustive]
#[derive(Clone, Debug, Serialize)]
pub struct RpcError<'a> {
    /// What kind of failure it was; -32768 to -32000 are the specification's.
    pub code: i64,
    /// What went wrong, as one sentence.
    pub message: Cow<'a, str>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, RawValue>>,
}

impl<'a> RpcError<'a> {
    /// The code of a message that is no JSON, or larger than allowed.
    pub const PARSE_ERROR: i64 = -32_700;
    /// The code of a message that is JSON and no request.
    pub const INVALID_REQUEST: i64 = -32_600;
    /// The code of a method that does not exist.
    pub const METHOD_NOT_FOUND: i64 = -32_601;
    /// The code of parameters that the method does not take.
    pub const INVALID_PARAMS: i64 = -32_602;
    /// The code of a failure of the server itself.
    pub const INTERNAL_ERROR: i64 = -32_603;

    /// An error of this code.
    pub fn new(code: i64, message: impl Into<Cow<'a, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds data.
    #[must_use]
    pub fn with_data(mut self, data: Box<RawValue>) -> Self {
        self.data = Some(Cow::Owned(data));
        self
    }

    /// There is no such method.
    #[must_use]
    pub fn method_not_found() -> Self {
        Self::new(Self::METHOD_NOT_FOUND, "Method not found")
    }

    /// The method does not take these parameters.
    pub fn invalid_params(what: impl fmt::Display) -> Self {
        Self::new(Self::INVALID_PARAMS, format!("Invalid params: {what}"))
    }

    /// The server failed; what is said here the caller reads.
    pub fn internal(what: impl fmt::Display) -> Self {
        Self::new(Self::INTERNAL_ERROR, format!("Internal error: {what}"))
    }

    pub(super) fn parse_error(what: impl fmt::Display) -> Self {
        Self::new(Self::PARSE_ERROR, format!("Parse error: {what}"))
    }

    pub(super) fn invalid_request(what: impl fmt::Display) -> Self {
        Self::new(Self::INVALID_REQUEST, format!("Invalid Request: {what}"))
    }

    /// Nothing if the value is no error object: `code` must be a whole number and `message` a text.
    pub(super) fn read(value: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members<'a> {
            code: i64,
            #[serde(borrow)]
            message: Cow<'a, str>,
            #[serde(borrow, default, deserialize_with = "super::read::there")]
            data: Option<&'a RawValue>,
        }
        // A list would be read as the members in their order.
        let json = Some(value.get()).filter(|json| json.starts_with('{'))?;
        let Members { code, message, data } = serde_json::from_str(json).ok()?;
        Some(Self { code, message, data: data.map(Cow::Borrowed) })
    }

    /// The same error on its own.
    #[must_use]
    pub fn into_owned(self) -> RpcError<'static> {
        RpcError {
            code: self.code,
            message: Cow::Owned(self.message.into_owned()),
            data: self.data.map(|data| Cow::Owned(data.into_owned())),
        }
    }
}

/// Code and message; the data is not shown.
impl fmt::Display for RpcError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for RpcError<'_> {}
