//! The table: every setting, once.

use std::time::Duration;

use super::kind::{Kind, NO_MAX, Value};
use crate::error::FieldError;

/// The variable that names the configuration file. It is no setting: it says where settings stand.
pub const CONFIG_FILE: &str = "TEKTON_CONFIG";

/// The variable that lets tests write their snapshots anew. It is no setting either: only `testing` reads it.
pub const UPDATE_SNAPSHOTS: &str = "TEKTON_UPDATE_SNAPSHOTS";

/// One setting.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Where it stands in a file and in the configuration, as `request.timeout`.
    pub path: &'static str,
    /// Our name of the variable that sets it: `TEKTON_` and the path.
    pub variable: &'static str,
    /// Other names that set it where ours does not, the first that is set first.
    pub aliases: &'static [Alias],
    /// What kind of value it takes, and its bounds.
    pub kind: Kind,
    /// The default as it would be written; `None` if there is no value unless one is given.
    pub default: Option<&'static str>,
    /// What it is for, as a clause.
    pub meaning: &'static str,
}

/// A variable of upstream or of the design guide that sets one of our settings.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// The value means the same.
    Same(&'static str),
    /// The value counts retries; the setting counts attempts, the first one included.
    Retries(&'static str),
    /// Host and port make a URL; either alone is enough.
    HostAndPort(&'static str, &'static str),
}

impl Alias {
    /// The variables it reads.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let (first, second) = match *self {
            Self::Same(name) | Self::Retries(name) => (name, None),
            Self::HostAndPort(host, port) => (host, Some(port)),
        };
        std::iter::once(first).chain(second)
    }
}

impl Setting {
    const fn new(
        path: &'static str,
        variable: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        meaning: &'static str,
    ) -> Self {
        Self { path, variable, aliases: &[], kind, default, meaning }
    }

    const fn or(self, aliases: &'static [Alias]) -> Self {
        Self { aliases, ..self }
    }

    /// Every variable that sets it, ours first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.variable).chain(self.aliases.iter().flat_map(Alias::names))
    }
}

/// The setting at this path.
#[must_use]
pub fn setting(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// Checks that a time is no shorter than another setting.
pub(crate) fn check_order(path: &str, longer: Duration, than: &str, shorter: Duration) -> Option<FieldError> {
    (longer < shorter)
        .then(|| FieldError::new(path, format!("must be at least {than}, which is {shorter:?}, is {longer:?}")))
}

/// Checks a value against the kind and the bounds of the setting at this path; `None` if it is right.
#[must_use]
pub fn check(path: &str, value: impl Into<Value>) -> Option<FieldError> {
    let problem = match setting(path) {
        Some(setting) => setting.kind.check(&value.into()).err()?,
        None => "is no setting".to_owned(),
    };
    Some(FieldError::new(path, problem))
}

pub(super) const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const MONTH: Duration = Duration::from_secs(30 * 86_400);
const RENEWAL: Duration = Duration::from_secs(59 * 60);

pub(super) const fn time(min: Duration, max: Duration) -> Kind {
    Kind::Duration { min, max }
}

pub(super) const fn count(max: u64) -> Kind {
    Kind::Count { min: 1, max }
}

const PERCENT: Kind = Kind::Count { min: 0, max: 100 };

const BODY: Kind = Kind::Bytes { min: 1, max: NO_MAX };

/// Every setting, in the order of the documentation.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    Setting::new("instance", "TEKTON_INSTANCE", Kind::Instance, None,
        "which of several equal processes this is; made from host and port if not given"),
    Setting::new("reload_interval", "TEKTON_RELOAD_INTERVAL", time(Duration::ZERO, DAY), Some("2s"),
        "how often the configuration file is looked at for changes; 0 is never"),
    Setting::new("hub.url", "TEKTON_HUB_URL", Kind::Url, None,
        "the hub's address; a trailing `/` or `/api` is cut")
        .or(&[Alias::Same("HERMES_URL"), Alias::HostAndPort("HERMES_HOST", "HERMES_PORT")]),
    Setting::new("hub.timeout", "TEKTON_HUB_TIMEOUT", time(Duration::from_millis(10), Duration::from_secs(600)), Some("5s"),
        "the longest wait for one answer of the hub"),
    Setting::new("hub.heartbeat_interval", "TEKTON_HUB_HEARTBEAT_INTERVAL", time(SECOND, HOUR), Some("30s"),
        "the time between two heartbeats"),
    Setting::new("hub.renew_interval", "TEKTON_HUB_RENEW_INTERVAL", time(Duration::from_secs(10), RENEWAL), Some("45m"),
        "the time between two registrations; the hub's token ends after 1h"),
    Setting::new("request.timeout", "TEKTON_REQUEST_TIMEOUT", time(MILLI, MONTH), Some("30s"),
        "the longest time a call may take, all attempts included")
        .or(&[Alias::Same("INTEGRATION_TIMEOUT")]),
    Setting::new("request.attempt_timeout", "TEKTON_REQUEST_ATTEMPT_TIMEOUT", time(MILLI, MONTH), None,
        "the longest time one attempt may take; only the call's own limit if not given"),
    Setting::new("request.connect_timeout", "TEKTON_REQUEST_CONNECT_TIMEOUT", time(MILLI, HOUR), Some("2s"),
        "the longest wait for a connection"),
    Setting::new("request.max_request_bytes", "TEKTON_REQUEST_MAX_REQUEST_BYTES", BODY, Some("16MiB"),
        "the largest body that is sent"),
    Setting::new("request.max_response_bytes", "TEKTON_REQUEST_MAX_RESPONSE_BYTES", BODY, Some("16MiB"),
        "the largest body that is collected from an answer"),
    Setting::new("retry.max_attempts", "TEKTON_RETRY_MAX_ATTEMPTS", count(100), Some("4"),
        "how often a call is tried, the first attempt included")
        .or(&[Alias::Retries("INTEGRATION_RETRY_COUNT")]),
    Setting::new("retry.base_delay", "TEKTON_RETRY_BASE_DELAY", time(Duration::ZERO, HOUR), Some("100ms"),
        "the wait before the second attempt; each further one is longer")
        .or(&[Alias::Same("INTEGRATION_RETRY_DELAY")]),
    Setting::new("retry.max_delay", "TEKTON_RETRY_MAX_DELAY", time(Duration::ZERO, DAY), Some("10s"),
        "the longest wait between two attempts; at least `retry.base_delay`"),
    Setting::new("retry.budget_percent", "TEKTON_RETRY_BUDGET_PERCENT", count(100), Some("10"),
        "how many retries the calls to a target pay for, as a percentage of the calls"),
    Setting::new("retry.budget_reserve", "TEKTON_RETRY_BUDGET_RESERVE", count(100_000), Some("3"),
        "how many retries a target has in ten seconds beside those that its calls pay for"),
    Setting::new("directory.ttl", "TEKTON_DIRECTORY_TTL", time(MILLI, DAY), Some("5s"),
        "how long an answer of the directory is fresh"),
    Setting::new("directory.stale_for", "TEKTON_DIRECTORY_STALE_FOR", time(Duration::ZERO, MONTH), Some("60s"),
        "how long after that it is still given while a new one is fetched; 0 switches it off"),
    Setting::new("directory.negative_ttl", "TEKTON_DIRECTORY_NEGATIVE_TTL", time(Duration::ZERO, HOUR), Some("1s"),
        "how long `not found` is remembered; 0 switches it off"),
    Setting::new("directory.max_entries", "TEKTON_DIRECTORY_MAX_ENTRIES", count(1_000_000), Some("1024"),
        "how many answers are remembered"),
    Setting::new("host.bind", "TEKTON_HOST_BIND", Kind::Ip, Some("127.0.0.1"),
        "the address that is listened on"),
    Setting::new("host.port", "TEKTON_HOST_PORT", Kind::Port, Some("0"),
        "the port that is listened on; 0 takes any free one"),
    Setting::new("host.tcp", "TEKTON_HOST_TCP", Kind::Flag, Some("true"),
        "whether a port is listened on; without it `host.unix_socket` must be given"),
    Setting::new("host.unix_socket", "TEKTON_HOST_UNIX_SOCKET", Kind::Socket, None,
        "the Unix socket that is listened on besides the port; others are told of it only where it is alone"),
    Setting::new("host.advertise_host", "TEKTON_HOST_ADVERTISE_HOST", Kind::Host, None,
        "the host under which others reach this process; if not given the bound address, `localhost` if that is unspecified")
        .or(&[Alias::Same("TEKTON_HOST")]),
    Setting::new("host.request_timeout", "TEKTON_HOST_REQUEST_TIMEOUT", time(MILLI, MONTH), Some("30s"),
        "the longest time an operation may take, whatever its caller allows; of a stream, until it begins"),
    Setting::new("host.header_timeout", "TEKTON_HOST_HEADER_TIMEOUT", time(MILLI, HOUR), Some("10s"),
        "the longest wait for a whole request head"),
    Setting::new("host.write_timeout", "TEKTON_HOST_WRITE_TIMEOUT", time(Duration::ZERO, DAY), Some("5m"),
        "how long a connection may take nothing of what is sent, until it is given up; 0 is for ever"),
    Setting::new("host.max_body_bytes", "TEKTON_HOST_MAX_BODY_BYTES", BODY, Some("16MiB"),
        "the largest request body that is read"),
    Setting::new("host.max_header_bytes", "TEKTON_HOST_MAX_HEADER_BYTES", Kind::Bytes { min: 8 << 10, max: 1 << 20 }, Some("64KiB"),
        "the largest request head that is read"),
    Setting::new("host.max_connections", "TEKTON_HOST_MAX_CONNECTIONS", count(1_000_000), Some("10000"),
        "how many connections are open at once"),
    Setting::new("host.max_concurrency", "TEKTON_HOST_MAX_CONCURRENCY", count(1_000_000), Some("1024"),
        "how many operations run at once"),
    Setting::new("host.queue_timeout", "TEKTON_HOST_QUEUE_TIMEOUT", time(Duration::ZERO, MINUTE), Some("100ms"),
        "how long a request may wait for a place; 0 refuses at once"),
    Setting::new("host.max_waiting", "TEKTON_HOST_MAX_WAITING", count(1_000_000), Some("1024"),
        "how many requests may wait for a place at once"),
    Setting::new("host.shed_target", "TEKTON_HOST_SHED_TARGET", time(Duration::ZERO, MINUTE), None,
        "the longest wait in a line that has not been empty for `host.queue_timeout`; a tenth of that if not given, 0 switches shedding off"),
    Setting::new("host.client_rate_per_second", "TEKTON_HOST_CLIENT_RATE_PER_SECOND", count(1_000_000), None,
        "how many requests of one client are served in a second; not limited if not given"),
    Setting::new("host.client_burst", "TEKTON_HOST_CLIENT_BURST", count(1_000_000), None,
        "how many of them may come at once; those of one second if not given"),
    Setting::new("host.client_max_concurrency", "TEKTON_HOST_CLIENT_MAX_CONCURRENCY", count(1_000_000), None,
        "how many requests of one client are served at once; not limited if not given"),
    Setting::new("host.trusted_proxies", "TEKTON_HOST_TRUSTED_PROXIES", Kind::Networks, None,
        "which peers are believed when they say for whom they ask; nobody if not given, `unix` for those on a Unix socket"),
    Setting::new("host.stream_keep_alive", "TEKTON_HOST_STREAM_KEEP_ALIVE", time(Duration::from_millis(10), HOUR), Some("15s"),
        "how long a stream may be silent before a sign of life is sent"),
    Setting::new("host.stream_grace", "TEKTON_HOST_STREAM_GRACE", time(Duration::ZERO, HOUR), Some("30s"),
        "how long a resumable stream goes on when its connection broke, and is kept when it has ended"),
    Setting::new("host.stream_ring_items", "TEKTON_HOST_STREAM_RING_ITEMS", count(1_000_000), Some("1024"),
        "how many events of a resumable stream are kept for those who come back"),
    Setting::new("host.stream_ring_bytes", "TEKTON_HOST_STREAM_RING_BYTES", Kind::Bytes { min: 1 << 10, max: 1 << 30 }, Some("1MiB"),
        "how many bytes of them, and so the most that one event may have"),
    Setting::new("host.max_stream_bytes", "TEKTON_HOST_MAX_STREAM_BYTES", BODY, Some("16MiB"),
        "the largest array that a stream is collected into, for callers that take no stream"),
    Setting::new("host.max_streams", "TEKTON_HOST_MAX_STREAMS", count(1_000_000), Some("1024"),
        "how many resumable streams there are at once, those included that wait for a caller to come back"),
    Setting::new("host.drain_timeout", "TEKTON_HOST_DRAIN_TIMEOUT", time(Duration::ZERO, HOUR), Some("30s"),
        "how long a shutdown waits for running operations and streams"),
    Setting::new("host.ws", "TEKTON_HOST_WS", Kind::Flag, Some("true"),
        "whether the operations are served over WebSockets too, at `/ws`"),
    Setting::new("host.ws_origins", "TEKTON_HOST_WS_ORIGINS", Kind::Names, None,
        "pages of which other origins may connect to `/ws` and `/events`, as `https://app.example`; only those of the host itself if not given, all with `*`"),
    Setting::new("host.ws_max_message_bytes", "TEKTON_HOST_WS_MAX_MESSAGE_BYTES", Kind::Bytes { min: 128 << 10, max: 1 << 30 }, Some("1MiB"),
        "the largest message of a WebSocket that is read; a larger body comes in pieces"),
    Setting::new("host.ws_max_in_flight", "TEKTON_HOST_WS_MAX_IN_FLIGHT", count(100_000), Some("256"),
        "how many calls of one WebSocket run at once"),
    Setting::new("host.ws_rate_per_second", "TEKTON_HOST_WS_RATE_PER_SECOND", count(1_000_000), None,
        "how many calls of one WebSocket are served in a second; not limited if not given"),
    Setting::new("host.ws_ping_interval", "TEKTON_HOST_WS_PING_INTERVAL", time(Duration::from_millis(10), HOUR), Some("20s"),
        "how often the other side of a WebSocket is pinged; a dead one is seen within two intervals"),
    Setting::new("host.ws_first_message", "TEKTON_HOST_WS_FIRST_MESSAGE", time(Duration::from_millis(10), HOUR), Some("30s"),
        "how long a WebSocket may stay open before its first message"),
    Setting::new("host.allowed_hosts", "TEKTON_HOST_ALLOWED_HOSTS", Kind::Names, None,
        "under which other names `/ws` and `/events` may be asked for; only addresses, `localhost`, `host.advertise_host` and the hosts of `host.ws_origins` if not given, all with `*`"),
    Setting::new("host.ticket_life", "TEKTON_HOST_TICKET_LIFE", time(Duration::from_millis(100), HOUR), Some("30s"),
        "how long a ticket for `/ws` and `/events` is good for"),
    Setting::new("host.max_tickets", "TEKTON_HOST_MAX_TICKETS", count(1_000_000), Some("4096"),
        "how many tickets there are at once; beyond them the oldest is good no more"),
    Setting::new("host.topic_subscriptions", "TEKTON_HOST_TOPIC_SUBSCRIPTIONS", count(10_000), Some("64"),
        "how many subscriptions to topics one WebSocket may have"),
    Setting::new("host.topic_filters", "TEKTON_HOST_TOPIC_FILTERS", count(64), Some("16"),
        "how many topics one subscription may name"),
    Setting::new("host.topic_queue_events", "TEKTON_HOST_TOPIC_QUEUE_EVENTS", count(1_000_000), Some("1024"),
        "how many events wait for a subscription at most, whatever it asks for"),
    Setting::new("host.topic_queue_bytes", "TEKTON_HOST_TOPIC_QUEUE_BYTES", Kind::Bytes { min: 1 << 10, max: 1 << 30 }, Some("4MiB"),
        "how many bytes they have at most"),
    Setting::new("host.introspect", "TEKTON_HOST_INTROSPECT", Kind::Flag, Some("false"),
        "whether `/introspect` shows what goes on inside"),
    Setting::new("telemetry.baggage_peers", "TEKTON_TELEMETRY_BAGGAGE_PEERS", Kind::Names, None,
        "to whom the caller's baggage is passed on, by the name that they are called by; nobody if not given, everybody with `*`"),
    Setting::new("breaker.enabled", "TEKTON_BREAKER_ENABLED", Kind::Flag, Some("true"),
        "whether calls go through breakers"),
    Setting::new("breaker.shadow", "TEKTON_BREAKER_SHADOW", Kind::Flag, Some("false"),
        "whether breakers only say when they would have opened"),
    Setting::new("breaker.per_operation", "TEKTON_BREAKER_PER_OPERATION", Kind::Flag, Some("false"),
        "whether each operation has a breaker of its own, rather than each component"),
    Setting::new("breaker.failure_threshold", "TEKTON_BREAKER_FAILURE_THRESHOLD", count(1_000_000), Some("5"),
        "how many failures in a row open a breaker")
        .or(&[Alias::Same("CIRCUIT_BREAKER_THRESHOLD")]),
    Setting::new("breaker.failure_percent", "TEKTON_BREAKER_FAILURE_PERCENT", count(100), Some("50"),
        "the share of failures that opens a breaker, in percent"),
    Setting::new("breaker.window_calls", "TEKTON_BREAKER_WINDOW_CALLS", count(32_767), Some("100"),
        "how many calls a breaker remembers"),
    Setting::new("breaker.min_calls", "TEKTON_BREAKER_MIN_CALLS", count(32_767), Some("20"),
        "how many calls a breaker must remember before a share counts"),
    Setting::new("breaker.slow_call", "TEKTON_BREAKER_SLOW_CALL", time(Duration::from_millis(1), HOUR), None,
        "what takes longer is slow"),
    Setting::new("breaker.slow_percent", "TEKTON_BREAKER_SLOW_PERCENT", count(100), Some("100"),
        "the share of slow calls that opens a breaker, in percent"),
    Setting::new("breaker.open_wait", "TEKTON_BREAKER_OPEN_WAIT", time(Duration::from_millis(1), HOUR), Some("5s"),
        "how long an open breaker refuses, the first time; doubled each time the probes fail"),
    Setting::new("breaker.max_open_wait", "TEKTON_BREAKER_MAX_OPEN_WAIT", time(Duration::from_millis(1), HOUR), Some("60s"),
        "the longest that an open breaker refuses, at least `breaker.open_wait`"),
    Setting::new("breaker.half_open_calls", "TEKTON_BREAKER_HALF_OPEN_CALLS", count(1000), Some("3"),
        "how many probes a half-open breaker lets through"),
    Setting::new("breaker.max_half_open", "TEKTON_BREAKER_MAX_HALF_OPEN", time(Duration::from_millis(1), HOUR), Some("60s"),
        "how long a half-open breaker waits for its probes"),
    Setting::new("breaker.max_keys", "TEKTON_BREAKER_MAX_KEYS", count(1_000_000), Some("1024"),
        "how many breakers are kept"),
    Setting::new("balance.enabled", "TEKTON_BALANCE_ENABLED", Kind::Flag, Some("true"),
        "whether calls are spread over the instances of a component"),
    Setting::new("balance.consecutive_failures", "TEKTON_BALANCE_CONSECUTIVE_FAILURES", count(1_000_000), Some("5"),
        "how many failures in a row eject an instance"),
    Setting::new("balance.ejection_time", "TEKTON_BALANCE_EJECTION_TIME", time(MILLI, DAY), Some("30s"),
        "how long an instance is ejected, times how often it was"),
    Setting::new("balance.max_ejection_time", "TEKTON_BALANCE_MAX_EJECTION_TIME", time(MILLI, DAY), Some("5m"),
        "the longest that an instance is ejected; at least `balance.ejection_time`"),
    Setting::new("balance.max_ejected_percent", "TEKTON_BALANCE_MAX_EJECTED_PERCENT", PERCENT, Some("50"),
        "the share of a component's instances that may be ejected at once, in percent; one always stays, 0 ejects none"),
    Setting::new("balance.panic_percent", "TEKTON_BALANCE_PANIC_PERCENT", PERCENT, Some("50"),
        "when a smaller share of a component's instances is well, in percent, ejections are ignored"),
    Setting::new("batch.max_items", "TEKTON_BATCH_MAX_ITEMS", count(1_000_000), Some("100"),
        "how many items make a batch; nothing reads it yet")
        .or(&[Alias::Same("INTEGRATION_BATCH_SIZE")]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::env::{UPSTREAM, ports};

    #[test]
    fn the_table_is_consistent() {
        let mut variables: BTreeSet<&str> = UPSTREAM.iter().copied().collect();
        assert_eq!(variables.len(), UPSTREAM.len(), "an upstream name stands twice");
        assert!(variables.insert(CONFIG_FILE) && variables.insert(UPDATE_SNAPSHOTS));
        let mut paths = BTreeSet::new();
        for setting in SETTINGS {
            assert!(paths.insert(setting.path), "{} stands twice", setting.path);
            assert_eq!(setting.variable, format!("TEKTON_{}", setting.path.to_uppercase().replace('.', "_")));
            assert!(!ports::is_address(setting.variable), "{} is a component's", setting.variable);
            for name in setting.variables() {
                assert!(variables.insert(name), "{name} is used twice");
            }
            if let Some(default) = setting.default {
                let value = setting.kind.parse(default).expect("a default fits its own kind");
                assert_eq!(setting.kind.parse(&setting.kind.show(&value)), Ok(value), "{}", setting.path);
            }
            let meaning = setting.meaning;
            assert!(!meaning.contains('|') && !meaning.ends_with('.') && !meaning.starts_with(char::is_uppercase));
        }
    }

    #[test]
    fn a_bound_is_named_with_the_value() {
        let problem = |path, text| setting(path).expect("a setting").kind.parse(text).unwrap_err();
        assert_eq!(problem("retry.max_attempts", "0"), "must be at least 1, is 0");
        assert_eq!(problem("hub.timeout", "1h"), "must be at most 10m, is 1h");
        assert_eq!(problem("host.max_header_bytes", "1"), "must be at least 8KiB, is 1B");
        assert_eq!(problem("retry.max_attempts", "many"), r#"must be a whole number from 1 to 100, is "many""#);
        assert_eq!(
            problem("hub.timeout", "soon"),
            r#"must be a duration from 10ms to 10m, as 500ms, 2s or 1m30s, is "soon""#
        );
        assert!(problem("host.port", "65536").starts_with("must be a port from 0 to 65535"));
        assert!(!problem("hub.url", "http://me:hunter2@hub").contains("hunter2"));
        assert!(check("request.max_request_bytes", usize::MAX).is_some());
        assert_eq!(check("no.such", 1_u32), Some(FieldError::new("no.such", "is no setting")));
    }
}
