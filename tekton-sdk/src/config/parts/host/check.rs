//! The bounds of the settings under `host`.

use super::HostConfig;
use crate::{env, error::FieldError};

impl HostConfig {
    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            env::check("host.port", self.port),
            self.unix_socket.as_deref().and_then(|path| env::check("host.unix_socket", path)),
            self.advertise_host.as_deref().and_then(|advertise_host| env::check("host.advertise_host", advertise_host)),
            env::check("host.request_timeout", self.request_timeout),
            env::check("host.header_timeout", self.header_timeout),
            env::check("host.write_timeout", self.write_timeout),
            env::check("host.max_body_bytes", self.max_body_bytes),
            env::check("host.max_header_bytes", self.max_header_bytes),
            env::check("host.max_connections", self.max_connections),
            env::check("host.max_concurrency", self.max_concurrency),
            env::check("host.queue_timeout", self.queue_timeout),
            env::check("host.max_waiting", self.max_waiting),
            self.shed_target.and_then(|shed_target| env::check("host.shed_target", shed_target)),
            self.client_rate_per_second.and_then(|rate| env::check("host.client_rate_per_second", rate)),
            self.client_burst.and_then(|burst| env::check("host.client_burst", burst)),
            self.client_max_concurrency.and_then(|most| env::check("host.client_max_concurrency", most)),
            env::check("host.trusted_proxies", &*self.trusted_proxies.join(",")),
            env::check("host.stream_keep_alive", self.stream_keep_alive),
            env::check("host.stream_grace", self.stream_grace),
            env::check("host.stream_ring_items", self.stream_ring_items),
            env::check("host.stream_ring_bytes", self.stream_ring_bytes),
            env::check("host.max_stream_bytes", self.max_stream_bytes),
            env::check("host.max_streams", self.max_streams),
            env::check("host.drain_timeout", self.drain_timeout),
            env::check("host.ws_origins", &*self.ws_origins.join(",")),
            env::check("host.ws_max_message_bytes", self.ws_max_message_bytes),
            env::check("host.ws_max_in_flight", self.ws_max_in_flight),
            self.ws_rate_per_second.and_then(|rate| env::check("host.ws_rate_per_second", rate)),
            env::check("host.ws_ping_interval", self.ws_ping_interval),
            env::check("host.ws_first_message", self.ws_first_message),
            env::check("host.allowed_hosts", &*self.allowed_hosts.join(",")),
            env::check("host.ticket_life", self.ticket_life),
            env::check("host.max_tickets", self.max_tickets),
            env::check("host.topic_subscriptions", self.topic_subscriptions),
            env::check("host.topic_filters", self.topic_filters),
            env::check("host.topic_queue_events", self.topic_queue_events),
            env::check("host.topic_queue_bytes", self.topic_queue_bytes),
        ];
        checks.into_iter().flatten().collect()
    }
}
