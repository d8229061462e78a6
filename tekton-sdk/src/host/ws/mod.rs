//! Operations over a WebSocket: JSON-RPC at `/ws`, answered by the handler that answers HTTP.
//!
//! A connection is one task. It reads, starts the calls, moves all of them on and writes what they say, as a connection of HTTP/1.1
//! does for its one request; when it ends, everything that runs for it ends. What stands in the messages is
//! [`wire::exchange`](crate::wire::exchange)'s business.

mod call;
mod desk;
mod gate;
mod inherited;
mod plain;
mod session;
mod upgrade;

use std::time::Duration;

pub(super) use self::{
    session::Session,
    upgrade::{Ask, Upgrade, ask},
};
use super::origin::Origins;
use crate::config::HostConfig;

/// Where it stands.
const PATH: &str = "/ws";

/// The bounds of WebSockets.
#[derive(Clone, Debug)]
pub(super) struct WsLimits {
    /// Whether there are any.
    pub(super) enabled: bool,
    /// Which pages of other origins may connect.
    pub(super) origins: Origins,
    pub(super) max_message_bytes: usize,
    /// How many calls of one connection run at once.
    pub(super) max_in_flight: usize,
    /// How many calls of one connection are taken in a second.
    pub(super) rate_per_second: Option<u32>,
    pub(super) ping_interval: Duration,
    /// How long a connection may say nothing at first.
    pub(super) first_message: Duration,
}

impl WsLimits {
    pub(super) fn of(config: &HostConfig) -> Self {
        Self {
            enabled: config.ws,
            origins: Origins::of(config),
            max_message_bytes: config.ws_max_message_bytes,
            max_in_flight: config.ws_max_in_flight,
            rate_per_second: config.ws_rate_per_second,
            ping_interval: config.ws_ping_interval,
            first_message: config.ws_first_message,
        }
    }
}
