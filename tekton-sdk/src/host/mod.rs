//! A served component: one port, a Unix socket besides or instead of it, registered, healthy, measured, shut down in order.
//!
//! | path | answers |
//! |---|---|
//! | `/api/v{n}/{operation}` | the operation: `POST` with a JSON object, reads also `GET` with a query |
//! | `/api/v{n}/streams/{id}` | `DELETE` ends a stream that can be resumed |
//! | `/health` | upstream's health body |
//! | `/live`, `/ready` | whether the process runs; whether it takes calls |
//! | `/metrics` | Prometheus text |
//! | `/introspect` | breakers, budgets, peers, pipeline and settings, if `host.introspect` allows it |
//! | `/discovery`, `/api/capabilities` | what it is and what it can do |
//! | `/mcp/tools.json` | its operations as MCP tools |
//! | `/landmarks` | the landmarks of the program; `?kind=`, `?tag=`, `?component=` and `?text=` narrow them |
//! | `/ws` | the same operations as JSON-RPC over a WebSocket, if `host.ws` allows it, and the topics of [`Serve::events`] |
//! | `/events` | the topics of [`Serve::events`] as server-sent events |
//! | `/ws/ticket` | `POST` gives a ticket for one connection to either, to those who cannot send a proof with it |
//! | `/openapi.json` | its OpenAPI 3.1 document; [`openapi()`] makes the same without a server |

mod arguments;
mod client;
mod component;
mod control;
mod identify;
mod inside;
mod limit;
pub(crate) mod listen;
#[cfg(feature = "macros")]
mod marks;
pub(crate) mod measured;
mod mint;
mod numbers;
mod openapi;
mod operations;
mod origin;
mod patience;
mod refusal;
mod router;
mod run;
mod serve;
mod served;
mod server;
mod signal;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "no_socket.rs"]
mod socket;
mod sockets;
mod spend;
mod stream;
mod ticket;
mod tools;
mod topics;
mod watch;
#[cfg(feature = "websocket")]
mod ws;

pub use arguments::Arguments;
pub use component::Component;
pub use identify::{Identify, RequestHead};
pub use listen::{Group, Listener, Listeners};
pub use openapi::openapi;
pub use operations::Operations;
pub use serve::Serve;
pub use served::Served;
pub use server::{Server, ServerLimits};
pub use signal::until_signal;
#[cfg(unix)]
pub use socket::UnixServer;
pub use topics::TopicGuard;
