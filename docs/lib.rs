//! Every page of the documentation as a module, so that its snippets are compiled and run.

#[doc = include_str!("../README.md")]
pub mod readme {}
#[doc = include_str!("guide.md")]
pub mod guide {}
#[doc = include_str!("configuration.md")]
pub mod configuration {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("patterns/01-request.md")]
pub mod request {}
#[doc = include_str!("patterns/02-events.md")]
pub mod events {}
#[doc = include_str!("patterns/03-streaming.md")]
pub mod streaming {}
#[doc = include_str!("patterns/05-breaker.md")]
pub mod breaker {}
#[doc = include_str!("policies.md")]
pub mod policies {}
#[doc = include_str!("observability.md")]
pub mod observability {}
#[doc = include_str!("landmarks.md")]
pub mod landmarks {}
#[doc = include_str!("macros.md")]
pub mod macros {}
#[doc = include_str!("wire.md")]
pub mod wire {}
#[doc = include_str!("benchmarks.md")]
pub mod benchmarks {}
