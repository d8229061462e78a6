//! Bodies of the upstream hub, Hermes: registration, heartbeats, and who is there.
//!
//! The hub reads snake_case and answers in camelCase or snake_case, depending on the route; requests are therefore
//! written in snake_case and replies are read in both. It keeps no field that it does not know: what a component says
//! of itself beyond the required fields travels in `metadata`, whose table is [`Metadata`].
//!
//! | route | request | reply |
//! |---|---|---|
//! | `POST` [`REGISTER`] | [`RegisterRequest`] | [`RegisterReply`] |
//! | `POST` [`HEARTBEAT`] with [`TOKEN_HEADER`] | [`HeartbeatRequest`] | [`Ack`] |
//! | `POST` [`UNREGISTER`]`?component_id=` with [`TOKEN_HEADER`] | none | [`Ack`] |
//! | `POST` [`QUERY`] | [`QueryRequest`] | [`read_components`] |
//! | `GET` [`COMPONENTS`], `GET` [`COMPONENTS`]`/{name}` | none | [`read_components`] |
//! | `POST` [`TOOLS`] | [`ToolRequest`] | [`ToolReply`] |
//! | `GET` [`TOOLS`] | none | [`read_tools`] |
//! | `DELETE` [`TOOLS`]`/{id}` | none | [`ToolReply`] |
//! | `GET` [`HEALTH`] | none | [`read_health`](super::health::read_health) |
//! | `GET` [`EVENTS`] | none | server-sent events, each a [`HubEvent`] |
//!
//! Each body can be written and read from both sides, so that a fake hub speaks with the same code; what a hub refuses
//! with is a [`Refusal`].
//!
//! *What can go wrong:* [`Codec`](crate::ErrorKind::Codec), with what was expected and what came, never the body.

mod event;
mod listing;
mod metadata;
mod record;
mod refusal;
mod replies;
mod requests;
mod tools;

pub use event::HubEvent;
pub use listing::{Listing, MAX_COMPONENTS, read_components};
pub use metadata::{EndpointInfo, Metadata};
pub use record::{ComponentRecord, write_components, write_query};
pub use refusal::Refusal;
pub use replies::{Ack, RegisterReply, token_header};
pub use requests::{HeartbeatRequest, QueryRequest, RegisterRequest};
pub use tools::{ExecuteRequest, MAX_TOOLS, ToolRecord, ToolReply, ToolRequest, read_tools, write_tools};

/// Where a component registers, or replaces its registration.
pub const REGISTER: &str = "/api/register";
/// Where a component says that it is still there.
pub const HEARTBEAT: &str = "/api/heartbeat";
/// Where a component takes its registration back; the id travels in the query as `component_id`.
pub const UNREGISTER: &str = "/api/unregister";
/// Where all components are listed; with `/{name}`, the first of that name.
pub const COMPONENTS: &str = "/api/components";
/// Where components are asked for by capability or type.
pub const QUERY: &str = "/api/query";
/// Where tools are registered and listed; with `/{id}`, shown and removed; with `/{id}/execute`, executed.
pub const TOOLS: &str = "/api/mcp/v2/tools";
/// Where the hub's events are heard, as server-sent events.
pub const EVENTS: &str = "/api/a2a/v1/stream/events";
/// The hub's own health.
pub const HEALTH: &str = "/api/health";
/// The header that carries the registration's token, verbatim.
pub const TOKEN_HEADER: &str = "X-Authentication-Token";
