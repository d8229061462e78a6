//! Whole HTTP requests and answers in JSON-RPC messages, and streams of bytes beside them.
//!
//! A request for an operation is a plain call: the operation is `method`, the JSON body is `params`, the answer's JSON body is
//! `result`, or a failure's `error.data`. Whatever HTTP has besides stands in one more member, `http`, which JSON-RPC does not know
//! and its servers ignore. Who sends `http` is answered with it; who does not speaks JSON-RPC and nothing else.
//!
//! ```
//! use http::{HeaderMap, Method};
//! use tekton_sdk::wire::{
//!     exchange::{Asked, Content, Payload, encode_call},
//!     jsonrpc::{Incoming, Message, RpcLimits, parse},
//! };
//!
//! let body = br#"{"text": "a"}"#.as_slice().into();
//! let text = encode_call(7, &Method::POST, "/api/v1/store", None, &HeaderMap::new(), Payload::Whole(&body));
//! assert_eq!(text, r#"{"jsonrpc":"2.0","method":"store","params":{"text": "a"},"http":{},"id":7}"#);
//!
//! let Ok(Incoming::One(Message::Request(request))) = parse(text.as_bytes(), &RpcLimits::default()) else { panic!() };
//! let asked = Asked::read(&request).unwrap();
//! assert_eq!((asked.method, &*asked.path), (Method::POST, "/api/v1/store"));
//! assert!(matches!(asked.content, Content::Json(json) if json == r#"{"text": "a"}"#));
//! ```
//!
//! A body stands in the message as it is if it is JSON, byte for byte; any other is `http.base64`. One that is a stream, or too large
//! for one message, follows in [`Note`]s.

mod answer;
mod body;
mod head;
mod note;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Answered, encode_answer, encode_plain_answer};
pub use body::{Content, Payload};
pub use note::Note;
pub use request::{Asked, encode_call};

/// Where the operations stand that a plain method name means.
const OPERATIONS: &str = "/api/v1/";

/// How deep a body may be nested to stand in a message as it is: far less than a message may be.
const MAX_DEPTH: usize = 64;

/// The most header lines of a message.
const MAX_HEADERS: usize = 100;
