//! HTTP over reqwest, with everything off that the policies do themselves.

use std::{pin::Pin, task::Poll, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project::pin_project;

use super::{
    Body, Endpoint, Request, Response, Transport, TransportCapabilities,
    failure::{failure, half_an_answer},
    message::endpoint_for,
};
use crate::error::{Error, ErrorKind, Result};

const SCHEMES: &[&str] = &["http", "https"];

/// Settings of an [`HttpTransport`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTransportConfig {
    /// How long making a connection may take. Default: 2 s.
    pub connect_timeout: Duration,
    /// How many idle connections are kept for each endpoint. Default: 64.
    pub max_idle_per_endpoint: usize,
    /// How long an idle connection is kept. Default: 4 s, because uvicorn, under upstream's components, closes after 5 s.
    pub idle_timeout: Duration,
    /// The URL of a proxy; the environment's proxy variables are not read. Default: none.
    pub proxy: Option<String>,
    /// How many redirects are followed. Default: 0, they are handed out as answers.
    pub max_redirects: usize,
}

impl Default for HttpTransportConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            max_idle_per_endpoint: 64,
            idle_timeout: Duration::from_secs(4),
            proxy: None,
            max_redirects: 0,
        }
    }
}

impl HttpTransportConfig {
    /// Sets how long making a connection may take.
    #[must_use]
    pub const fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sends through this proxy.
    #[must_use]
    pub fn with_proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Follows so many redirects.
    #[must_use]
    pub const fn with_max_redirects(mut self, count: usize) -> Self {
        self.max_redirects = count;
        self
    }
}

/// HTTP/1.1 with kept connections over reqwest, TLS by rustls. Clones share their connections.
///
/// It is for what a [`MeshTransport`](super::MeshTransport) does not do: proxies and redirects. No proxy, no redirects, no
/// time-out but that of connecting and no retry of its own, unless asked in the config.
#[derive(Clone, Debug)]
pub struct HttpTransport(reqwest::Client);

impl HttpTransport {
    /// Builds the transport.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the proxy's URL is malformed or TLS cannot be set up.
    pub fn new(config: &HttpTransportConfig) -> Result<Self> {
        let redirects = match config.max_redirects {
            0 => reqwest::redirect::Policy::none(),
            count => reqwest::redirect::Policy::limited(count),
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .pool_max_idle_per_host(config.max_idle_per_endpoint)
            .pool_idle_timeout(config.idle_timeout)
            .redirect(redirects)
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(super::tls::config("http/1.1")?)
            .referer(false)
            .no_proxy();
        if let Some(url) = &config.proxy {
            let proxy = reqwest::Proxy::all(url)
                .map_err(|e| Error::config("the proxy's URL is malformed").with_source(e.without_url()))?;
            builder = builder.proxy(proxy);
        }
        let client =
            builder.build().map_err(|e| Error::config("the HTTP transport cannot be set up").with_source(e))?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let endpoint = endpoint_for(&request, SCHEMES)?;
        let sent = self.0.execute(outgoing(&endpoint, request));
        let answer = sent.await.map_err(|e| {
            let kind = match () {
                () if e.is_connect() => ErrorKind::Connect,
                () if e.is_builder() => ErrorKind::Invalid,
                () => ErrorKind::Interrupted,
            };
            failure(kind, &endpoint, e.without_url())
        })?;
        let (head, body) = http::Response::from(answer).into_parts();
        let whole = body.size_hint().exact() == Some(0);
        let body = if whole { Body::empty() } else { Body::from_http(Answer(body)) };
        Ok(Response::with_headers(head.status, head.headers, body))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(SCHEMES)
    }
}

/// The request as reqwest takes it. A function of its own, so that the future has no room for what is used up before it waits.
fn outgoing(endpoint: &Endpoint, request: Request) -> reqwest::Request {
    let url = endpoint.join(&request.path, request.query.as_deref());
    let request = request.into_parts();
    let mut outgoing = reqwest::Request::new(request.method, url);
    *outgoing.headers_mut() = request.headers;
    *outgoing.body_mut() = match request.body.into_bytes() {
        Ok(bytes) if bytes.is_empty() => None,
        Ok(bytes) => Some(bytes.into()),
        Err(stream) => Some(reqwest::Body::wrap(stream)),
    };
    outgoing
}

/// An answer's body with its errors turned into ours. Their URLs may hold what is private.
#[pin_project]
struct Answer(#[pin] reqwest::Body);

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.project().0.poll_frame(cx).map_err(|e| half_an_answer(e.without_url()))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
