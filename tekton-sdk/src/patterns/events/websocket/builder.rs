//! How a broker behind a WebSocket is set up.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Handle, WebSocketBroker, WebSocketBrokerConfig, driver,
    machine::Machine,
    shared::{Shared, State},
};
use crate::{
    error::{Error, ErrorKind, Result},
    patterns::events::{BrokerCapabilities, Connection, ConnectionState},
    random::Random,
    secret::Secret,
    time::SharedClock,
    transport::{Bearer, Endpoint, websocket::Opener},
};

/// A [`WebSocketBroker`] that is being set up.
#[must_use = "a broker is made by `connect`"]
pub struct WebSocketBrokerBuilder {
    urls: Vec<Endpoint>,
    config: WebSocketBrokerConfig,
    headers: HeaderMap,
    token: Option<Bearer>,
    clock: SharedClock,
    random: Random,
    capabilities: BrokerCapabilities,
}

impl WebSocketBrokerBuilder {
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self {
            urls: vec![read(url)?],
            config: WebSocketBrokerConfig::default(),
            headers: HeaderMap::new(),
            token: None,
            clock: SharedClock::default(),
            random: Random::new(),
            capabilities: BrokerCapabilities { holds_back: false, ..BrokerCapabilities::all() },
        })
    }

    /// Another URL of the same broker. They are tried in turn; after a loss the one that was connected to comes first.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), saying what is wrong with the URL.
    pub fn or(mut self, url: &str) -> Result<Self> {
        self.urls.push(read(url)?);
        Ok(self)
    }

    /// Other settings.
    pub fn config(mut self, config: WebSocketBrokerConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets a header of every handshake.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends this as the bearer token.
    pub fn bearer(self, token: Secret<String>) -> Self {
        self.token(move |_| std::future::ready(Ok(token.clone())))
    }

    /// Asks this for the bearer token of each connection. It is told whether the host refused the last one with 401, to the
    /// handshake or to a call: it is then asked once more, and if that one is refused too, the call fails.
    pub fn token<F, Fut>(mut self, token: F) -> Self
    where
        F: Fn(bool) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Secret<String>>> + Send + 'static,
    {
        self.token = Some(Bearer::new(token));
        self
    }

    /// Waits by this clock. Default: the runtime's.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Draws the jitter from this. Default: one of its own.
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// What the component's broker can do. Default: everything; nobody far away holds publishers back in any case.
    pub const fn capabilities(mut self, capabilities: BrokerCapabilities) -> Self {
        self.capabilities = BrokerCapabilities { holds_back: false, ..capabilities };
        self
    }

    /// Makes the broker, and the first connection; with `retry_on_initial_connect` that is made in the background.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if a setting is out of its bounds or TLS cannot be set up;
    /// [`Connect`](ErrorKind::Connect) or [`Unauthorized`](ErrorKind::Unauthorized) if no URL can be connected to, as the first of
    /// them said.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up.
    pub async fn connect(self) -> Result<WebSocketBroker> {
        let Self { urls, config, headers, token, clock, random, capabilities } = self;
        config.validate()?;
        let opener = Opener::new(config.connect_timeout, config.max_message_bytes, clock.clone())?;
        let machine = Machine::new(config.rules(urls.len(), token.is_some()));
        let (reporter, mut connection) = Connection::new(ConnectionState::connecting(1));
        let patient = config.retry_on_initial_connect;
        let shared = Arc::new(Shared {
            config,
            clock,
            random,
            urls,
            headers,
            token,
            opener,
            reporter,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            left: Notify::new(),
            state: Mutex::new(State::new(machine)),
        });
        shared.tasks.spawn(driver::run(Arc::clone(&shared)));
        let broker = WebSocketBroker(Arc::new(Handle { shared, capabilities }));
        if !patient {
            let ready = |state| matches!(state, ConnectionState::Up | ConnectionState::Closed);
            connection.until(ready).await;
            if connection.state() == ConnectionState::Closed {
                let failed = broker.0.shared.lock().failed.take();
                return Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Closed, "the broker was closed")));
            }
        }
        Ok(broker)
    }
}

fn read(url: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::parse(url)?;
    match endpoint.scheme() {
        "memory" => {
            Err(Error::invalid("a WebSocket leads to a URL that begins with ws:, wss:, http:, https: or unix:"))
        }
        _ => Ok(endpoint),
    }
}

impl fmt::Debug for WebSocketBrokerBuilder {
    /// Leaves the headers out: they may hold what is private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketBrokerBuilder")
            .field("urls", &self.urls)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
