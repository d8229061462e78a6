//! Room 3: one question, many answers.
//!
//! [`Peer::stream`](crate::Peer::stream) calls an operation that answers many times; [`SseClient`] reads the event stream of any
//! server. Both take a stream up again where it broke, as far as that does no harm, and both stop.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use tekton_sdk::{Tekton, testing::{ScriptedSse, SseAnswer}};
//!
//! let server = ScriptedSse::start().await?;
//! server.answer(SseAnswer::stream().data("\"one\"").data("\"two\"").event("end", "{\"items\":2}"));
//!
//! let words = Tekton::builder().build()?.peer_at(&server.origin())?;
//! let mut words = words.stream::<String>("words").json(&"one two").await?;
//! let mut read = Vec::new();
//! while let Some(word) = words.next().await {
//!     read.push(word?);
//! }
//! assert_eq!(read, ["one", "two"]);
//! # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
//! ```
//!
//! What can go wrong: whatever can in [`request`](super::request) until the first item can come;
//! [`Interrupted`](crate::ErrorKind::Interrupted) when the connection is lost and the stream cannot be taken up again,
//! [`Timeout`](crate::ErrorKind::Timeout) after a silence, [`Remote`](crate::ErrorKind::Remote) when the callee ends it with an error,
//! [`Rejected`](crate::ErrorKind::Rejected) over a cap, [`Codec`](crate::ErrorKind::Codec) for what cannot be read. An error that
//! [is recoverable](crate::Error::is_recoverable) stands for one item; a [gap](crate::Error::gap) is one.

mod call;
mod chunks;
mod config;
mod decode;
mod events;
mod lines;
mod machine;
mod numbers;
mod peer_road;
mod place;
mod road;
mod source;
mod sse_client;
mod typed;

pub use call::StreamCall;
pub use chunks::Chunks;
pub use config::ReconnectConfig;
pub use events::{Events, StreamEvent, TypedEvents};
pub use machine::Ended;
pub use sse_client::SseClient;
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use tekton_sdk_macros::SseEvent;
pub use typed::SseEvent;
