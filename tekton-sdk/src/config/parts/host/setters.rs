//! Changes a host's settings in code.

use std::{net::IpAddr, time::Duration};

use super::HostConfig;

impl HostConfig {
    /// Sets [`Self::bind`].
    #[must_use]
    pub const fn with_bind(mut self, bind: IpAddr) -> Self {
        self.bind = bind;
        self
    }

    /// Sets [`Self::port`].
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets [`Self::tcp`].
    #[must_use]
    pub const fn with_tcp(mut self, tcp: bool) -> Self {
        self.tcp = tcp;
        self
    }

    /// Sets [`Self::unix_socket`].
    #[must_use]
    pub fn with_unix_socket(mut self, path: impl Into<String>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// Sets [`Self::advertise_host`].
    #[must_use]
    pub fn with_advertise_host(mut self, advertise_host: impl Into<String>) -> Self {
        self.advertise_host = Some(advertise_host.into());
        self
    }

    /// Sets [`Self::request_timeout`].
    #[must_use]
    pub const fn with_request_timeout(mut self, request_timeout: Duration) -> Self {
        self.request_timeout = request_timeout;
        self
    }

    /// Sets [`Self::write_timeout`].
    #[must_use]
    pub const fn with_write_timeout(mut self, write_timeout: Duration) -> Self {
        self.write_timeout = write_timeout;
        self
    }

    /// Sets [`Self::header_timeout`].
    #[must_use]
    pub const fn with_header_timeout(mut self, header_timeout: Duration) -> Self {
        self.header_timeout = header_timeout;
        self
    }

    /// Sets [`Self::max_body_bytes`].
    #[must_use]
    pub const fn with_max_body_bytes(mut self, max_body_bytes: usize) -> Self {
        self.max_body_bytes = max_body_bytes;
        self
    }

    /// Sets [`Self::max_header_bytes`].
    #[must_use]
    pub const fn with_max_header_bytes(mut self, max_header_bytes: usize) -> Self {
        self.max_header_bytes = max_header_bytes;
        self
    }

    /// Sets [`Self::max_connections`].
    #[must_use]
    pub const fn with_max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Sets [`Self::max_concurrency`].
    #[must_use]
    pub const fn with_max_concurrency(mut self, max_concurrency: usize) -> Self {
        self.max_concurrency = max_concurrency;
        self
    }

    /// Sets [`Self::queue_timeout`].
    #[must_use]
    pub const fn with_queue_timeout(mut self, queue_timeout: Duration) -> Self {
        self.queue_timeout = queue_timeout;
        self
    }

    /// Sets [`Self::max_waiting`].
    #[must_use]
    pub const fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets [`Self::shed_target`].
    #[must_use]
    pub const fn with_shed_target(mut self, shed_target: Option<Duration>) -> Self {
        self.shed_target = shed_target;
        self
    }

    /// Sets [`Self::client_rate_per_second`].
    #[must_use]
    pub const fn with_client_rate_per_second(mut self, client_rate_per_second: Option<u32>) -> Self {
        self.client_rate_per_second = client_rate_per_second;
        self
    }

    /// Sets [`Self::client_burst`].
    #[must_use]
    pub const fn with_client_burst(mut self, client_burst: Option<u32>) -> Self {
        self.client_burst = client_burst;
        self
    }

    /// Sets [`Self::client_max_concurrency`].
    #[must_use]
    pub const fn with_client_max_concurrency(mut self, client_max_concurrency: Option<u32>) -> Self {
        self.client_max_concurrency = client_max_concurrency;
        self
    }

    /// Sets [`Self::trusted_proxies`].
    #[must_use]
    pub fn with_trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.trusted_proxies = proxies.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`Self::stream_keep_alive`].
    #[must_use]
    pub const fn with_stream_keep_alive(mut self, stream_keep_alive: Duration) -> Self {
        self.stream_keep_alive = stream_keep_alive;
        self
    }

    /// Sets [`Self::stream_grace`].
    #[must_use]
    pub const fn with_stream_grace(mut self, stream_grace: Duration) -> Self {
        self.stream_grace = stream_grace;
        self
    }

    /// Sets [`Self::stream_ring_items`].
    #[must_use]
    pub const fn with_stream_ring_items(mut self, stream_ring_items: usize) -> Self {
        self.stream_ring_items = stream_ring_items;
        self
    }

    /// Sets [`Self::stream_ring_bytes`].
    #[must_use]
    pub const fn with_stream_ring_bytes(mut self, stream_ring_bytes: usize) -> Self {
        self.stream_ring_bytes = stream_ring_bytes;
        self
    }

    /// Sets [`Self::max_stream_bytes`].
    #[must_use]
    pub const fn with_max_stream_bytes(mut self, max_stream_bytes: usize) -> Self {
        self.max_stream_bytes = max_stream_bytes;
        self
    }

    /// Sets [`Self::max_streams`].
    #[must_use]
    pub const fn with_max_streams(mut self, max_streams: usize) -> Self {
        self.max_streams = max_streams;
        self
    }

    /// Sets [`Self::drain_timeout`].
    #[must_use]
    pub const fn with_drain_timeout(mut self, drain_timeout: Duration) -> Self {
        self.drain_timeout = drain_timeout;
        self
    }

    /// Sets [`Self::ws`].
    #[must_use]
    pub const fn with_ws(mut self, ws: bool) -> Self {
        self.ws = ws;
        self
    }

    /// Sets [`Self::ws_origins`].
    #[must_use]
    pub fn with_ws_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.ws_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`Self::ws_max_message_bytes`].
    #[must_use]
    pub const fn with_ws_max_message_bytes(mut self, ws_max_message_bytes: usize) -> Self {
        self.ws_max_message_bytes = ws_max_message_bytes;
        self
    }

    /// Sets [`Self::ws_max_in_flight`].
    #[must_use]
    pub const fn with_ws_max_in_flight(mut self, ws_max_in_flight: usize) -> Self {
        self.ws_max_in_flight = ws_max_in_flight;
        self
    }

    /// Sets [`Self::ws_rate_per_second`].
    #[must_use]
    pub const fn with_ws_rate_per_second(mut self, ws_rate_per_second: Option<u32>) -> Self {
        self.ws_rate_per_second = ws_rate_per_second;
        self
    }

    /// Sets [`Self::ws_ping_interval`].
    #[must_use]
    pub const fn with_ws_ping_interval(mut self, ws_ping_interval: Duration) -> Self {
        self.ws_ping_interval = ws_ping_interval;
        self
    }

    /// Sets [`Self::ws_first_message`].
    #[must_use]
    pub const fn with_ws_first_message(mut self, ws_first_message: Duration) -> Self {
        self.ws_first_message = ws_first_message;
        self
    }

    /// Sets [`Self::allowed_hosts`].
    #[must_use]
    pub fn with_allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`Self::ticket_life`].
    #[must_use]
    pub const fn with_ticket_life(mut self, ticket_life: Duration) -> Self {
        self.ticket_life = ticket_life;
        self
    }

    /// Sets [`Self::max_tickets`].
    #[must_use]
    pub const fn with_max_tickets(mut self, max_tickets: usize) -> Self {
        self.max_tickets = max_tickets;
        self
    }

    /// Sets [`Self::topic_subscriptions`].
    #[must_use]
    pub const fn with_topic_subscriptions(mut self, topic_subscriptions: usize) -> Self {
        self.topic_subscriptions = topic_subscriptions;
        self
    }

    /// Sets [`Self::topic_filters`].
    #[must_use]
    pub const fn with_topic_filters(mut self, topic_filters: usize) -> Self {
        self.topic_filters = topic_filters;
        self
    }

    /// Sets [`Self::topic_queue_events`].
    #[must_use]
    pub const fn with_topic_queue_events(mut self, topic_queue_events: usize) -> Self {
        self.topic_queue_events = topic_queue_events;
        self
    }

    /// Sets [`Self::topic_queue_bytes`].
    #[must_use]
    pub const fn with_topic_queue_bytes(mut self, topic_queue_bytes: usize) -> Self {
        self.topic_queue_bytes = topic_queue_bytes;
        self
    }

    /// Sets [`Self::introspect`].
    #[must_use]
    pub const fn with_introspect(mut self, introspect: bool) -> Self {
        self.introspect = introspect;
        self
    }
}
