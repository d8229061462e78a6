//! JSON-RPC over WebSockets: many calls and streams over one connection to each endpoint.
//!
//! A connection has one task, which reads and writes ([`driver`]); callers put their messages into its queue ([`out`]) and wait for
//! their answers ([`connection`]). Streams come in pieces under a credit ([`pipe`]). When connections are made, and whether one still
//! lives, is decided by pure machines ([`machine`]).

pub(crate) mod bounds;
mod closed;
mod config;
mod connection;
mod driver;
mod exchange;
#[cfg(feature = "host")]
mod gulp;
mod link;
mod machine;
mod open;
mod out;
mod pipe;
mod socket;
mod upgrade;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "testing")]
pub(crate) use self::upgrade::upgrade;
pub use self::{closed::Closed, config::WebSocketTransportConfig};
use self::{exchange::Outgoing, link::Link};
#[cfg(feature = "host")]
pub(crate) use self::{
    exchange::WHOLE_BYTES,
    gulp::Gulp,
    pipe::{Credit, Feed, pipe, send_pieces},
    upgrade::has_token,
};
pub(crate) use self::{
    machine::{Beat, Life, Pauses, Pulse, Wanted},
    open::{NotOpen, Opener, Road},
    out::Out,
    socket::{Came, Socket},
};
use super::{Endpoint, Request, Response, Transport, TransportCapabilities, message::endpoint_for};
use crate::{
    error::{Error, ErrorKind, Result},
    random::Random,
    telemetry::{Gauge, Introspect},
    time::SharedClock,
};

const SCHEMES: &[&str] = &["ws", "wss"];

/// JSON-RPC 2.0 over one WebSocket to each endpoint: `ws://` and `wss://`, the latter with rustls. Clones share their connections.
///
/// Requests and streams of all callers share the connection, told apart by their ids. A host of ours answers them at `/ws` as it
/// answers HTTP; any other server of JSON-RPC can be called by the names of its methods. How a request stands in a message is
/// written in `docs/wire.md`.
///
/// # Limits
/// Those of [`WebSocketTransportConfig`]. So many calls are under way; others wait for their turn in the order of coming, so many at
/// most, under their deadlines. A body of more than 64 KiB and every stream goes in pieces of 16 KiB, and a stream that is not read
/// stops after 256 KiB: it holds no more than that, and keeps no other one waiting.
///
/// # When the connection is lost
/// Every call that is under way fails with [`Interrupted`](ErrorKind::Interrupted), or with [`Connect`](ErrorKind::Connect) if not a
/// byte of it was written; the source says why, as a [`Closed`]. Nothing is sent twice. The next call makes another connection, at a
/// random time within `reconnect_spread`, and those that come before wait for it under their deadlines. Once an attempt has failed,
/// or a connection ended within `stable_after`, calls fail at once, as `Connect` with the time to wait, until the next attempt is
/// due: full jitter, doubled each time.
///
/// The other side is pinged at every interval; if it has said nothing by the next, it is dead, whatever TCP believes.
///
/// # Cancel safety
/// Dropping the future, or the body of an answer before its end, tells the other side to stop that call. The others go on.
#[derive(Clone)]
pub struct WebSocketTransport(Arc<Inner>);

struct Inner {
    config: WebSocketTransportConfig,
    clock: SharedClock,
    random: Random,
    opener: Opener,
    links: Mutex<HashMap<Endpoint, Arc<Link>>>,
    calls: AtomicU64,
    drivers: TaskTracker,
    stop: CancellationToken,
}

impl WebSocketTransport {
    /// Builds the transport.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if a setting is out of its bounds or TLS cannot be set up.
    pub fn new(config: &WebSocketTransportConfig, clock: SharedClock, random: Random) -> Result<Self> {
        config.validate()?;
        Ok(Self(Arc::new(Inner {
            opener: Opener::new(config.connect_timeout, config.max_message_bytes, clock.clone())?,
            config: config.clone(),
            clock,
            random,
            links: Mutex::default(),
            calls: AtomicU64::new(0),
            drivers: TaskTracker::new(),
            stop: CancellationToken::new(),
        })))
    }

    /// Closes every connection with 1000, and waits until that is done, a second at most for each. Calls that are under way end, and
    /// no more can be made.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.drivers.close();
        self.0.drivers.wait().await;
    }
}

impl Inner {
    fn link(&self, endpoint: &Endpoint) -> Result<Arc<Link>> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut links = self.links();
        if let Some(link) = links.get(endpoint) {
            link.used.store(number, Ordering::Relaxed);
            return Ok(Arc::clone(link));
        }
        let most = self.config.max_endpoints;
        if links.len() >= most {
            let unused = links.iter().filter(|(_, link)| link.is_unused(self));
            let oldest = unused.min_by_key(|(_, link)| link.used.load(Ordering::Relaxed));
            let Some(oldest) = oldest.map(|(endpoint, _)| endpoint.clone()) else {
                let what = format!("calls to more endpoints would be under way than the {most} allowed");
                return Err(Error::new(ErrorKind::Rejected, what));
            };
            // Its connection has no call; it ends when it has idled for long enough.
            links.remove(&oldest);
        }
        let link = Arc::new(Link::new(endpoint.clone(), self));
        link.used.store(number, Ordering::Relaxed);
        links.insert(endpoint.clone(), Arc::clone(&link));
        Ok(link)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<Endpoint, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Introspect for WebSocketTransport {
    fn section(&self) -> &'static str {
        "websockets"
    }

    /// Of at most 100 endpoints: whether the connection is open, how many calls are under way on it and wait for it, and how many
    /// messages came over it that nobody asked for.
    fn introspect(&self) -> serde_json::Value {
        let links: Vec<_> = self.0.links().iter().map(|(to, link)| (to.to_string(), Arc::clone(link))).collect();
        let left_out = links.len().saturating_sub(100);
        let shown: serde_json::Map<_, _> = links
            .into_iter()
            .take(100)
            .map(|(endpoint, link)| {
                let (connection, waiting) = link.seen();
                let in_flight = connection.as_ref().map_or(0, |connection| connection.in_flight());
                let unasked = connection.as_ref().map_or(0, |connection| connection.unasked());
                let open = connection.is_some();
                let seen = json!({ "open": open, "in_flight": in_flight, "waiting": waiting, "unasked": unasked });
                (endpoint, seen)
            })
            .collect();
        json!({ "endpoints": shown, "left_out": left_out })
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

impl fmt::Debug for WebSocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketTransport").field("config", &self.0.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for WebSocketTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let endpoint = endpoint_for(&request, SCHEMES)?;
        let link = self.0.link(&endpoint)?;
        let outgoing = outgoing(request);
        link.send(outgoing, &self.0).await
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(SCHEMES)
    }
}

fn outgoing(request: Request) -> Outgoing {
    let request = request.into_parts();
    let (path, query) = super::endpoint::encoded(request.path, request.query);
    Outgoing { method: request.method, path, query, headers: request.headers, body: request.body }
}
