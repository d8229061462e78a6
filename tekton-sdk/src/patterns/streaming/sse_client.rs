//! A client for any server of event streams.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use super::{
    Events, ReconnectConfig, decode,
    machine::Rules,
    place::Place,
    road::HttpRoad,
    source::{Source, Tools},
};
use crate::{
    error::{Error, Result},
    policy::{RetryBudget, RetryBudgets, RetryConfig},
    random::Random,
    secret::Secret,
    time::SharedClock,
    transport::{Bearer, Transport},
    wire::sse::{CONTENT_TYPE, SseLimits},
};

/// How long a connection may be silent unless said otherwise.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How many times its size a compressed answer may unpack to unless said otherwise.
pub(super) const MAX_RATIO: u32 = 200;

/// Reads event streams (HTML standard, §9.2) of any server: of a component, a language model, somebody else's service. It needs
/// neither a [`Tekton`](crate::Tekton) nor a directory.
///
/// It connects when [`Events`] are first asked for, and again when the stream breaks or ends: after a wait, with `Last-Event-ID`,
/// as long as [`ReconnectConfig`] and the budget allow. 204 ends it, and so does with an error what is no event stream, a status of
/// 4xx but 408 and 429, a second 401 in a row where [`Self::token`] is set, a redirect that cannot be followed, and what is over a
/// cap. The page `docs/patterns/03-streaming.md` has the whole table.
///
/// ```no_run
/// # async fn example() -> tekton_sdk::Result<()> {
/// use tekton_sdk::patterns::streaming::SseClient;
///
/// let mut events = SseClient::get("http://127.0.0.1:8003/api/team-chat/stream?message=hello")?.open()?;
/// while let Some(event) = events.next().await.transpose()? {
///     println!("{}: {}", event.kind, event.data);
/// }
/// # Ok(()) }
/// ```
#[must_use = "a client does nothing until it is opened"]
pub struct SseClient {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    token: Option<Bearer>,
    last_event_id: String,
    resend: Option<bool>,
    reconnect: ReconnectConfig,
    idle_timeout: Duration,
    limits: SseLimits,
    max_ratio: u32,
    transport: Option<Arc<dyn Transport>>,
    clock: SharedClock,
    random: Random,
    budget: Option<RetryBudget>,
}

impl SseClient {
    /// Asks for a stream by `GET`.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the URL is none, names no host, or holds a user or a password.
    pub fn get(url: &str) -> Result<Self> {
        Self::new(Method::GET, url)
    }

    /// Asks for a stream by `POST`, with this body. The request is sent once, unless [`Self::resend`] allows more: the server may
    /// carry it out each time. What certainly was not sent is tried again all the same.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(url: &str, content_type: HeaderValue, body: impl Into<Bytes>) -> Result<Self> {
        let mut client = Self::new(Method::POST, url)?;
        client.headers.insert(header::CONTENT_TYPE, content_type);
        client.body = body.into();
        Ok(client)
    }

    fn new(method: Method, url: &str) -> Result<Self> {
        // The URL is not repeated: its query may hold what is private.
        let url = Url::parse(url).map_err(|e| {
            Error::invalid("the URL of the event stream is none; give one as http://host:port/path").with_source(e)
        })?;
        if !url.has_host() {
            return Err(Error::invalid("the URL of the event stream names no host; give one as http://host:port/path"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("the URL of the event stream holds a user or a password; set a header instead"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(accepted) = decode::ACCEPTED {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        Ok(Self {
            url,
            method,
            headers,
            body: Bytes::new(),
            token: None,
            last_event_id: String::new(),
            resend: None,
            reconnect: ReconnectConfig::default(),
            idle_timeout: IDLE_TIMEOUT,
            limits: SseLimits::default(),
            max_ratio: MAX_RATIO,
            transport: None,
            clock: SharedClock::default(),
            random: Random::new(),
            budget: None,
        })
    }

    /// Sets a header of every request. `Authorization`, `Proxy-Authorization` and `Cookie` are not sent on where a redirect leads
    /// to another origin.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends this as the bearer token.
    pub fn bearer(self, token: Secret<String>) -> Self {
        self.token(move |_| std::future::ready(Ok(token.clone())))
    }

    /// Asks this for the bearer token of each connection. It is told whether the server refused the last one with 401: it is then
    /// asked once more, and if the server refuses that one too, the stream ends.
    pub fn token<F, Fut>(mut self, token: F) -> Self
    where
        F: Fn(bool) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Secret<String>>> + Send + 'static,
    {
        self.token = Some(Bearer::new(token));
        self
    }

    /// Begins after this event.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// Whether the request is sent again when the stream breaks or ends, or the server is not well. Default: for `GET` yes, for
    /// `POST` no.
    pub fn resend(mut self, resend: bool) -> Self {
        self.resend = Some(resend);
        self
    }

    /// How often it connects anew, and how long it waits before.
    pub fn reconnect(mut self, config: ReconnectConfig) -> Self {
        self.reconnect = config;
        self
    }

    /// After how long without a byte, a comment included, a connection counts as dead. The answer's head must come in this time
    /// too. Default: 45 s, three times the interval at which most servers send comments.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// The most that is kept of a line and of an event. Default: 1 MiB each.
    pub fn limits(mut self, limits: SseLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many times its size a compressed answer may unpack to; the first MiB is free. Default: 200.
    pub fn max_ratio(mut self, ratio: u32) -> Self {
        self.max_ratio = ratio;
        self
    }

    /// Sends by this transport. Default: an [`HttpTransport`](crate::transport::HttpTransport) with its defaults, where there is
    /// the feature `http`.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
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

    /// Takes connections that follow on one which brought nothing out of this budget; one that it refuses is not made, and counts
    /// as an attempt. Clients of one server should share theirs. Default: one of its own, with the defaults of
    /// [`RetryConfig`].
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The events. Nothing is sent before they are asked for.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if [`ReconnectConfig`] is wrong or there is no transport,
    /// [`Invalid`](crate::ErrorKind::Invalid) if the transport does not serve the URL's scheme.
    pub fn open(self) -> Result<Events> {
        let problems = self.reconnect.validate();
        if !problems.is_empty() {
            return Err(Error::config("the settings of reconnecting are wrong").with_fields(problems));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport()?,
        };
        let schemes = transport.capabilities().schemes;
        if !schemes.contains(&self.url.scheme()) {
            let what = format!(
                "the URL begins with {}:, and the transport serves {} only",
                self.url.scheme(),
                schemes.join(", ")
            );
            return Err(Error::invalid(what));
        }
        let again = self.resend.unwrap_or(self.method == Method::GET);
        let budget = self
            .budget
            .unwrap_or_else(|| RetryBudgets::new(&RetryConfig::default(), self.clock.clone()).of(self.url.authority()));
        let rules = Rules { reconnect: self.reconnect, idle: self.idle_timeout, again, tokens: self.token.is_some() };
        let road = HttpRoad {
            place: Place::new(self.url),
            method: self.method,
            headers: self.headers,
            body: self.body,
            token: self.token,
            transport,
            clock: self.clock.clone(),
            limit: self.idle_timeout,
            again,
        };
        let tools = Tools { clock: self.clock, random: self.random, budget, max_ratio: self.max_ratio };
        Ok(Events::new(Source::new(road, rules, self.limits, self.last_event_id, tools)))
    }
}

#[cfg(feature = "http")]
fn default_transport() -> Result<Arc<dyn Transport>> {
    use crate::transport::{HttpTransport, HttpTransportConfig};

    Ok(Arc::new(HttpTransport::new(&HttpTransportConfig::default())?))
}

#[cfg(not(feature = "http"))]
fn default_transport() -> Result<Arc<dyn Transport>> {
    Err(Error::config("there is no transport: switch the feature `http` on, or give one by `SseClient::transport`"))
}

impl fmt::Debug for SseClient {
    /// Leaves query, headers and body out: they may hold what is private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseClient")
            .field("method", &self.method)
            .field("authority", &self.url.authority())
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_refused_without_being_repeated() {
        for (url, said) in [
            ("", "is none"),
            ("h/path?secret", "is none"),
            ("data:secret", "no host"),
            ("http://u:secret@h/", "a user"),
            ("http://secret@h/", "a user"),
        ] {
            let error = SseClient::get(url).unwrap_err();
            assert!(error.to_string().contains(said) && !error.report().contains("secret"), "{url}: {error:?}");
        }
        let client = SseClient::get("http://h:1/p?secret").unwrap();
        assert_eq!(format!("{client:?}"), "SseClient { method: GET, authority: \"h:1\", path: \"/p\", .. }");
    }

    #[cfg(feature = "http")]
    #[test]
    fn wrong_settings_are_named_before_anything_is_sent() {
        let wrong = ReconnectConfig::default().with_max_attempts(0).with_jitter(2.0);
        let error = SseClient::get("http://h/").unwrap().reconnect(wrong).open().unwrap_err();
        assert_eq!(error.fields().len(), 2, "{error:?}");
        let error = SseClient::get("ftp://h/").unwrap().open().unwrap_err();
        assert_eq!(error.to_string(), "the URL begins with ftp:, and the transport serves http, https only");
    }
}
