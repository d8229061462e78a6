//! Room 1: ask one component, get one answer.
//!
//! A call is built, then awaited: deadline, retry of what was not sent, discovery, trace and metrics apply by themselves.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use serde_json::json;
//! use tekton_sdk::{patterns::request::Reply, testing::{FakeComponent, TestBed}};
//!
//! let bed = TestBed::new()?;
//! bed.serve(FakeComponent::new("summarizer").answers("summarize", json!({"text": "Short."}))).await?;
//!
//! let reply: Reply<serde_json::Value> = bed
//!     .tekton()
//!     .peer("summarizer")
//!     .request("summarize")
//!     .json(&json!({"text": "Short. And long."}))
//!     .timeout(Duration::from_secs(2))
//!     .await?;
//! assert_eq!(reply["text"], "Short.");
//! assert_eq!(reply.attempts(), 1);
//! # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
//! ```
//!
//! [`Tekton::scatter`](crate::Tekton::scatter) asks several components that can do the same at once.
//!
//! What can go wrong: [`NotFound`](crate::ErrorKind::NotFound) (nobody is registered, or no such operation),
//! [`Connect`](crate::ErrorKind::Connect) after the last attempt, [`Timeout`](crate::ErrorKind::Timeout),
//! [`Interrupted`](crate::ErrorKind::Interrupted), [`Remote`](crate::ErrorKind::Remote) with status, code and body,
//! [`Codec`](crate::ErrorKind::Codec), [`Rejected`](crate::ErrorKind::Rejected) over a cap.

mod call;
mod ping;
mod reply;
mod scatter;

pub use call::Call;
pub use ping::Ping;
pub use reply::Reply;
pub use scatter::{Answered, Outcome, Scatter, ScatterCall};
