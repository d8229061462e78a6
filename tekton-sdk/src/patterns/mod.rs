//! The ten rooms. Each works alone.
//!
//! | # | room | door | open |
//! |--:|---|---|---|
//! | 1 | [`request`]: ask one component, get one answer | `peer.request("op")` | yes |
//! | 2 | [`events`]: tell many, hear what you subscribed to | `tekton.events()` | yes |
//! | 3 | [`streaming`]: one question, many answers | `peer.stream("op")`; `SseClient::get` | yes |
//! | 4 | batch: many small things as few large ones | | not yet |
//! | 5 | [`breaker`]: stop calling what is down | on by default; `CircuitBreaker::new` | yes |
//! | 6 | state: state that components share safely | | not yet |
//! | 7 | workflow: many components, one outcome | | not yet |
//! | 8 | health: know who is well | | not yet |
//! | 9 | security: know who speaks, and that it is unaltered | | not yet |
//! | 10 | versioning: speak N and N-1, and say so | | not yet |

pub mod breaker;
pub mod events;
pub mod request;
pub mod streaming;
