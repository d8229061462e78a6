//! The road inside the mesh: HTTP straight on hyper's connections, over TCP, TLS and Unix sockets.
//!
//! A connection of HTTP/1.1 has no task of its own: whoever waits for an answer moves it on, in the future of the call and then
//! in the body of the answer ([`line`]). A [`gate`] keeps the connection from waking its caller for what the caller itself does
//! to it. Between two calls it lies in the [`pool`]; the system is asked whether it is still open before it is used again.
//! Connections of HTTP/2 are [`shared`] by many calls, and each has a task that the transport owns.
//!
//! hyper parses what comes from outside; this module sees heads that were parsed, pieces of bodies, and errors.

mod answer;
mod config;
mod dial;
mod gate;
mod line;
mod pool;
#[cfg(feature = "http2")]
mod shared;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use async_trait::async_trait;
use futures_util::future::poll_fn;
use http::{HeaderValue, header};
use serde_json::json;
use tokio_rustls::TlsConnector;

#[cfg(feature = "websocket")]
pub(super) use self::dial::Dial;
#[cfg(feature = "websocket")]
pub(crate) use self::stream::Stream;
pub use config::MeshTransportConfig;

#[cfg(not(feature = "websocket"))]
use self::dial::Dial;
#[cfg(feature = "http2")]
use self::shared::{Drivers, Place};
use self::{
    answer::received,
    line::{Failed, Line},
    pool::{Lease, Pool, Slot},
};
use super::{
    Body, Endpoint, Request, Response, Transport, TransportCapabilities, failure::failure, message::endpoint_for,
};
use crate::{
    error::{ErrorKind, Result},
    telemetry::{Gauge, Introspect},
    time::SharedClock,
};

const SCHEMES: &[&str] = if cfg!(unix) { &["http", "https", "unix"] } else { &["http", "https"] };

/// HTTP between the components of a mesh: `http://`, `https://` with rustls, and `unix:` sockets. Clones share their connections.
///
/// No proxy, no redirects, no time-out but that of connecting. What goes through a proxy is for an
/// [`HttpTransport`](super::HttpTransport).
///
/// # Limits
/// Those of [`MeshTransportConfig`]. Connecting has one limit over the look-up of the name, all addresses, and TLS. Of several
/// addresses, one after the other is tried, of both families in turns, each 250 ms before the next, and the first that opens
/// wins (RFC 8305). An answer's head has at most 100 headers and `max_header_bytes`; its body is read as it is asked for. How long
/// an answer may take is the deadline's business. A connection that idled for `idle_timeout` or is `max_age` old is closed.
///
/// # What is sent twice
/// Nothing that may have been sent. A kept connection that turns out to be closed gives the request back untouched, and it goes
/// out on another one; a fresh connection that does so is [`Connect`](ErrorKind::Connect). Once a byte may have been written,
/// the failure is [`Interrupted`](ErrorKind::Interrupted), and the policies decide.
///
/// A callee that closes its connections without saying so in a header can close one in the moment it is used again. The system is
/// asked before a connection is used that idled for a millisecond or more; what is left is the time that a packet takes.
///
/// # Cancel safety
/// Dropping the future, or the body of an answer before its end, closes the connection (HTTP/2: resets the stream), and the
/// callee's work ends with it. Bytes behind the end of an answer close it too: they are never taken for the next answer.
///
/// # Bodies
/// Over HTTP/1.1 the rest of a streamed request is sent while the head of the answer is awaited and while its body is read. Who
/// holds an answer without reading it does not send on. An answer that ends while the request is still being sent ends both.
#[derive(Clone)]
pub struct MeshTransport(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    dial: Dial,
    clock: SharedClock,
    max_header_bytes: usize,
    /// Of every connection, if HTTP/2 is spoken.
    #[cfg(feature = "http2")]
    drivers: Option<Drivers>,
}

impl MeshTransport {
    /// Builds the transport.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if a setting is out of its bounds or TLS cannot be set up.
    pub fn new(config: &MeshTransportConfig, clock: SharedClock) -> Result<Self> {
        config.validate()?;
        #[cfg(feature = "http2")]
        let protocol = if config.http2 { "h2" } else { "http/1.1" };
        #[cfg(not(feature = "http2"))]
        let protocol = "http/1.1";
        Ok(Self::over(config, clock, TlsConnector::from(Arc::new(super::tls::config(protocol)?))))
    }

    fn over(config: &MeshTransportConfig, clock: SharedClock, tls: TlsConnector) -> Self {
        Self(Arc::new(Inner {
            pool: Pool::new(config, clock.clone()),
            dial: Dial { clock: clock.clone(), limit: config.connect_timeout, tls },
            clock,
            max_header_bytes: config.max_header_bytes,
            #[cfg(feature = "http2")]
            drivers: config.http2.then(Drivers::default),
        }))
    }

    /// Closes the idle connections and ends the work beside the calls. Calls go on working.
    pub async fn shutdown(&self) {
        self.0.pool.shutdown().await;
        #[cfg(feature = "http2")]
        if let Some(drivers) = &self.0.drivers {
            drivers.shutdown().await;
        }
    }
}

impl Introspect for MeshTransport {
    fn section(&self) -> &'static str {
        "connections"
    }

    /// How many connections are open and how many of them idle, for at most 100 endpoints.
    fn introspect(&self) -> serde_json::Value {
        let (numbers, left_out) = self.0.pool.numbers(100);
        let numbers: serde_json::Map<_, _> = numbers
            .into_iter()
            .map(|(endpoint, open, idle)| (endpoint.to_string(), json!({ "open": open, "idle": idle })))
            .collect();
        json!({ "endpoints": numbers, "left_out": left_out })
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

impl fmt::Debug for MeshTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for MeshTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let inner = &*self.0;
        let endpoint = endpoint_for(&request, SCHEMES)?;
        let slot = inner.pool.slot(&endpoint);
        #[cfg(feature = "http2")]
        if let Some(drivers) = &inner.drivers {
            return Box::pin(inner.send_shared(&endpoint, &slot, drivers, request)).await;
        }
        let mut outgoing = outgoing(&endpoint, request)?;
        loop {
            let (mut lease, fresh) = match slot.take() {
                Some(lease) => (lease, false),
                None => {
                    // Out of the way: the future has no room of its own for what waits here, because most calls do not.
                    let waits = Box::new(outgoing);
                    let opened = Box::pin(inner.open(&endpoint, &slot)).await?;
                    outgoing = *waits;
                    (opened, true)
                }
            };
            let mut answer = pin!(lease.line.begin(outgoing));
            let (outcome, state) =
                poll_fn(|cx| lease.line.poll(cx, || answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))))
                    .await;
            match outcome.map_or(Err(Failed::Lost), |outcome| outcome.map_err(Failed::of)) {
                Ok(answer) => return Ok(received(answer, lease, state)),
                // It was closed while it waited, and the request is as it was.
                Err(Failed::NotSent(request, _)) if !fresh => outgoing = *request,
                Err(failed) => return Err(failed.at(&endpoint)),
            }
        }
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(SCHEMES)
    }
}

impl Inner {
    async fn open(&self, endpoint: &Endpoint, slot: &Arc<Slot>) -> Result<Lease> {
        let count = slot.count();
        let stream = self.dial.open(endpoint).await?;
        let line = Line::new(stream, self.max_header_bytes, self.clock.now(), count).await;
        self.pool.sweep_from_now_on();
        Ok(slot.lease(line.map_err(|e| failure(ErrorKind::Connect, endpoint, e))?))
    }

    #[cfg(feature = "http2")]
    async fn send_shared(&self, to: &Endpoint, slot: &Slot, drivers: &Drivers, request: Request) -> Result<Response> {
        let mut outgoing = shared_outgoing(to, request)?;
        loop {
            let (place, fresh) = match slot.carriers.take(self.pool.fit()) {
                Some(place) => (place, false),
                None => self.open_shared(to, slot, drivers).await?,
            };
            match place.exchange(outgoing).await {
                Ok(answer) => return Ok(place.received(answer)),
                Err(Failed::NotSent(request, _)) if !fresh => {
                    slot.carriers.forget(&place);
                    outgoing = *request;
                }
                Err(failed) => return Err(failed.at(to)),
            }
        }
    }

    /// A place on a connection that another call has opened meanwhile, or on a fresh one.
    #[cfg(feature = "http2")]
    async fn open_shared(&self, endpoint: &Endpoint, slot: &Slot, drivers: &Drivers) -> Result<(Place, bool)> {
        let _one_at_a_time = slot.carriers.opening.lock().await;
        if let Some(place) = slot.carriers.take(self.pool.fit()) {
            return Ok((place, false));
        }
        let count = slot.count();
        let stream = self.dial.open(endpoint).await?;
        let opened = slot.carriers.open(stream, drivers, self.max_header_bytes, self.clock.now(), count).await;
        self.pool.sweep_from_now_on();
        Ok((opened.map_err(|e| failure(ErrorKind::Connect, endpoint, e))?, true))
    }
}

/// The request as hyper takes it on a connection of its own. A function of its own, so that the future has no room for what is
/// used up before it waits.
fn outgoing(endpoint: &Endpoint, request: Request) -> Result<http::Request<Body>> {
    let request = request.into_parts();
    let target = endpoint.target(request.path, request.query.as_deref())?;
    let mut outgoing = http::Request::new(request.body);
    *outgoing.method_mut() = request.method;
    *outgoing.uri_mut() = target;
    *outgoing.headers_mut() = request.headers;
    if let Some(host) = endpoint.host_header() {
        outgoing.headers_mut().entry(header::HOST).or_insert_with(|| HeaderValue::clone(host));
    }
    Ok(outgoing)
}

/// The request as hyper takes it on a shared connection, where scheme and host stand beside the path (RFC 9113 §8.3.1).
#[cfg(feature = "http2")]
fn shared_outgoing(endpoint: &Endpoint, request: Request) -> Result<http::Request<Body>> {
    let request = request.into_parts();
    let mut outgoing = http::Request::new(request.body);
    *outgoing.method_mut() = request.method;
    *outgoing.uri_mut() = endpoint.uri(request.path, request.query.as_deref())?;
    *outgoing.headers_mut() = request.headers;
    outgoing.headers_mut().remove(header::HOST);
    *outgoing.version_mut() = http::Version::HTTP_2;
    Ok(outgoing)
}
