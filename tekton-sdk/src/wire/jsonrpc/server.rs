//! The answering side.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Id, Incoming, Invalid, Message, Outcome, Request, Response, RpcError, RpcLimits, parse};

/// The answer to one message, collected as its calls end, in any order.
///
/// ```
/// use tekton_sdk::wire::jsonrpc::{Answers, Incoming, Message, RpcError, RpcLimits, parse};
///
/// let message = br#"[{"jsonrpc":"2.0","method":"a","id":"x"},5]"#;
/// let incoming = parse(message, &RpcLimits::default()).unwrap();
/// let mut answers = Answers::to(&incoming);
/// let Incoming::Batch(entries) = incoming else { unreachable!() };
/// for entry in entries.into_iter().rev() {
///     match entry {
///         Message::Request(request) => answers.outcome(request.id, Err(RpcError::method_not_found())),
///         Message::Invalid(invalid) => answers.invalid(&invalid),
///         Message::Response(response) => answers.response(&response),
///     }
/// }
/// assert_eq!(
///     answers.finish().unwrap(),
///     r#"[{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request: it is no object"},"id":null},"#.to_owned()
///         + r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"x"}]"#
/// );
/// ```
#[derive(Clone, Debug)]
#[must_use = "the answer is sent after `finish`"]
pub struct Answers {
    is_batch: bool,
    text: String,
}

impl Answers {
    /// Nothing is answered yet.
    pub const fn to(incoming: &Incoming<'_>) -> Self {
        Self { is_batch: matches!(incoming, Incoming::Batch(_)), text: String::new() }
    }

    /// Adds how a request ended. To a notification, which has no id, nothing is said.
    pub fn outcome(&mut self, id: Option<Id<'_>>, outcome: Outcome<'_>) {
        if let Some(id) = id {
            self.add(&Response::new(id, outcome));
        }
    }

    /// Adds what is said to an entry that is no request.
    pub fn invalid(&mut self, invalid: &Invalid<'_>) {
        self.add(&invalid.answer());
    }

    /// Adds what a server that never asked says to an answer. Where calls go both ways, it is the client's.
    pub fn response(&mut self, response: &Response<'_>) {
        let what = "a response is no request";
        self.invalid(&Invalid { id: Some(response.id.clone()), what, may_be_response: true });
    }

    fn add(&mut self, response: &Response<'_>) {
        if self.is_batch {
            self.text.push(if self.text.is_empty() { '[' } else { ',' });
        }
        self.text.push_str(&response.encode());
    }

    /// The text to send, or nothing if there is nothing to say.
    #[must_use]
    pub fn finish(mut self) -> Option<String> {
        if self.is_batch && !self.text.is_empty() {
            self.text.push(']');
        }
        Some(self.text).filter(|text| !text.is_empty())
    }
}

/// A whole server for calls that end at once: one message in, and the text to send, if there is one.
///
/// `handle` is called for every request in its order, notifications included; what it says to those is dropped.
pub fn answer(
    message: &[u8],
    limits: &RpcLimits,
    mut handle: impl FnMut(&Request<'_>) -> Result<Box<RawValue>, RpcError<'static>>,
) -> Option<String> {
    let incoming = match parse(message, limits) {
        Ok(incoming) => incoming,
        Err(error) => return Some(Response::new(Id::NULL, Err(error)).encode()),
    };
    let mut answers = Answers::to(&incoming);
    let entries = match incoming {
        Incoming::One(message) => vec![message],
        Incoming::Batch(entries) => entries,
    };
    for entry in entries {
        match entry {
            Message::Request(request) => {
                let outcome = handle(&request);
                answers.outcome(request.id, outcome.map(Cow::Owned));
            }
            Message::Invalid(invalid) => answers.invalid(&invalid),
            Message::Response(response) => answers.response(&response),
        }
    }
    answers.finish()
}
