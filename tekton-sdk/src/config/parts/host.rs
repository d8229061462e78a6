//! Settings under `host`.

mod check;
mod setters;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::env;

/// Where a component listens, and what it lets in.
///
/// ```
/// use std::{net::Ipv4Addr, time::Duration};
///
/// use tekton_sdk::config::HostConfig;
///
/// let config = HostConfig::default();
/// assert_eq!(config.bind, Ipv4Addr::LOCALHOST);
/// assert_eq!(config.port, 0);
/// assert!(config.tcp);
/// assert_eq!(config.unix_socket, None);
/// assert_eq!(config.advertise_host, None);
/// assert_eq!(config.request_timeout, Duration::from_secs(30));
/// assert_eq!(config.header_timeout, Duration::from_secs(10));
/// assert_eq!(config.max_body_bytes, 16 << 20);
/// assert_eq!(config.max_header_bytes, 64 << 10);
/// assert_eq!(config.max_connections, 10_000);
/// assert_eq!(config.max_concurrency, 1024);
/// assert_eq!(config.queue_timeout, Duration::from_millis(100));
/// assert_eq!((config.max_waiting, config.shed_target), (1024, None));
/// assert_eq!((config.client_rate_per_second, config.client_burst, config.client_max_concurrency), (None, None, None));
/// assert!(config.trusted_proxies.is_empty());
/// assert_eq!((config.stream_keep_alive, config.stream_grace), (Duration::from_secs(15), Duration::from_secs(30)));
/// assert_eq!((config.stream_ring_items, config.stream_ring_bytes), (1024, 1 << 20));
/// assert_eq!((config.max_stream_bytes, config.max_streams), (16 << 20, 1024));
/// assert_eq!(config.drain_timeout, Duration::from_secs(30));
/// assert!(config.ws && config.ws_origins.is_empty());
/// assert_eq!((config.ws_max_message_bytes, config.ws_max_in_flight, config.ws_rate_per_second), (1 << 20, 256, None));
/// assert_eq!(config.ws_ping_interval, Duration::from_secs(20));
/// assert_eq!(config.ws_first_message, Duration::from_secs(30));
/// assert!(config.allowed_hosts.is_empty());
/// assert_eq!((config.ticket_life, config.max_tickets), (Duration::from_secs(30), 4096));
/// assert_eq!((config.topic_subscriptions, config.topic_filters), (64, 16));
/// assert_eq!((config.topic_queue_events, config.topic_queue_bytes), (1024, 4 << 20));
/// assert!(!config.introspect);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// The address that is listened on. Default: 127.0.0.1.
    pub bind: IpAddr,
    /// The port that is listened on; 0 takes any free one. Default: 0.
    pub port: u16,
    /// Whether it is listened on a port at all. Default: yes.
    pub tcp: bool,
    /// The absolute path of a Unix socket that is listened on besides the port, or alone where [`Self::tcp`] is off. Others are
    /// told of it only where it is alone, because whoever asks the directory may be on another machine. Default: none.
    pub unix_socket: Option<String>,
    /// The host under which others reach this process. Default: none, the bound address, or `localhost` if that is
    /// unspecified.
    pub advertise_host: Option<String>,
    /// The longest time an operation may take, whatever its caller allows; of a stream, until it begins. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub request_timeout: Duration,
    /// The longest wait for a whole request head. Default: 10 s.
    #[serde(deserialize_with = "env::duration")]
    pub header_timeout: Duration,
    /// How long a connection may take nothing of what is sent, until it is given up, and what runs for it with it; zero is for ever.
    /// Default: 5 min.
    #[serde(deserialize_with = "env::duration")]
    pub write_timeout: Duration,
    /// The largest request body that is read. Default: 16 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub max_body_bytes: usize,
    /// The largest request head that is read. Default: 64 KiB.
    #[serde(deserialize_with = "env::bytes")]
    pub max_header_bytes: usize,
    /// How many connections are open at once. Default: 10000.
    pub max_connections: usize,
    /// How many operations run at once. Default: 1024.
    pub max_concurrency: usize,
    /// How long a request may wait for a place; zero refuses at once. Default: 100 ms.
    #[serde(deserialize_with = "env::duration")]
    pub queue_timeout: Duration,
    /// How many requests may wait for a place at once. Default: 1024.
    pub max_waiting: usize,
    /// The longest wait in a line that has not been empty for [`Self::queue_timeout`]: who has waited longer then is refused.
    /// Zero switches this off. Default: a tenth of [`Self::queue_timeout`].
    #[serde(deserialize_with = "env::optional_duration")]
    pub shed_target: Option<Duration>,
    /// How many requests of one client are served in a second. Default: as many as come.
    pub client_rate_per_second: Option<u32>,
    /// How many of them may come at once. Default: [`Self::client_rate_per_second`].
    pub client_burst: Option<u32>,
    /// How many requests of one client are served at once, those that wait for a place included. Default: as many as come.
    pub client_max_concurrency: Option<u32>,
    /// Which peers are believed when they say for whom they ask, in `X-Forwarded-For` or `Forwarded`: addresses, networks as
    /// `10.0.0.0/8`, and `unix` for peers without an address. Default: none.
    #[serde(deserialize_with = "env::names")]
    pub trusted_proxies: Vec<String>,
    /// How long a stream may be silent before a sign of life is sent. Default: 15 s.
    #[serde(deserialize_with = "env::duration")]
    pub stream_keep_alive: Duration,
    /// How long a resumable stream goes on when its connection broke, and is kept when it has ended. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub stream_grace: Duration,
    /// How many events of a resumable stream are kept for those who come back. Default: 1024.
    pub stream_ring_items: usize,
    /// How many bytes of them, and so the most that one event may have. Default: 1 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub stream_ring_bytes: usize,
    /// The largest array that a stream is collected into, for callers that take no stream. Default: 16 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub max_stream_bytes: usize,
    /// How many resumable streams there are at once, those included that wait for a caller to come back. Default: 1024.
    pub max_streams: usize,
    /// How long a shutdown waits for running operations and streams. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub drain_timeout: Duration,
    /// Whether the operations are served over WebSockets too, at `/ws`. Default: yes.
    pub ws: bool,
    /// Pages of which other origins may connect to `/ws` and `/events`, as `https://app.example`; `*` stands for all. Default: none,
    /// only those that came from this host itself.
    #[serde(deserialize_with = "env::names")]
    pub ws_origins: Vec<String>,
    /// The largest message of a WebSocket that is read; a larger body comes in pieces. Default: 1 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub ws_max_message_bytes: usize,
    /// How many calls of one WebSocket run at once; others are refused. Default: 256.
    pub ws_max_in_flight: usize,
    /// How many calls of one WebSocket are served in a second. Default: as many as come.
    pub ws_rate_per_second: Option<u32>,
    /// How often the other side of a WebSocket is pinged; a dead one is seen within two intervals. Default: 20 s.
    #[serde(deserialize_with = "env::duration")]
    pub ws_ping_interval: Duration,
    /// How long a WebSocket may stay open before its first message. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub ws_first_message: Duration,
    /// Under which other names `/ws` and `/events` may be asked for, as `kitchen.internal`; `*` stands for all. Default: none,
    /// only addresses, `localhost`, [`Self::advertise_host`] and the hosts of [`Self::ws_origins`].
    #[serde(deserialize_with = "env::names")]
    pub allowed_hosts: Vec<String>,
    /// How long a ticket is good for, unless it is used before. Default: 30 s.
    #[serde(deserialize_with = "env::duration")]
    pub ticket_life: Duration,
    /// How many tickets there are at once; beyond them the oldest is good no more. Default: 4096.
    pub max_tickets: usize,
    /// How many subscriptions to topics one WebSocket may have. Default: 64.
    pub topic_subscriptions: usize,
    /// How many topics one subscription may name. Default: 16.
    pub topic_filters: usize,
    /// How many events wait for a subscription at most, whatever it asks for. Default: 1024.
    pub topic_queue_events: usize,
    /// How many bytes they have at most. Default: 4 MiB.
    #[serde(deserialize_with = "env::bytes")]
    pub topic_queue_bytes: usize,
    /// Whether `/introspect` shows what goes on inside: breakers, budgets, peers, settings without their secrets. Whoever
    /// reaches the port can read it. Default: no.
    pub introspect: bool,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tcp: true,
            unix_socket: None,
            advertise_host: None,
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(300),
            max_body_bytes: 16 << 20,
            max_header_bytes: 64 << 10,
            max_connections: 10_000,
            max_concurrency: 1024,
            queue_timeout: Duration::from_millis(100),
            max_waiting: 1024,
            shed_target: None,
            client_rate_per_second: None,
            client_burst: None,
            client_max_concurrency: None,
            trusted_proxies: Vec::new(),
            stream_keep_alive: Duration::from_secs(15),
            stream_grace: Duration::from_secs(30),
            stream_ring_items: 1024,
            stream_ring_bytes: 1 << 20,
            max_stream_bytes: 16 << 20,
            max_streams: 1024,
            drain_timeout: Duration::from_secs(30),
            ws: true,
            ws_origins: Vec::new(),
            ws_max_message_bytes: 1 << 20,
            ws_max_in_flight: 256,
            ws_rate_per_second: None,
            ws_ping_interval: Duration::from_secs(20),
            ws_first_message: Duration::from_secs(30),
            allowed_hosts: Vec::new(),
            ticket_life: Duration::from_secs(30),
            max_tickets: 4096,
            topic_subscriptions: 64,
            topic_filters: 16,
            topic_queue_events: 1024,
            topic_queue_bytes: 4 << 20,
            introspect: false,
        }
    }
}
