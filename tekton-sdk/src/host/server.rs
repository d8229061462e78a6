//! A socket that answers HTTP/1.1 with a [`Handler`], and WebSockets beside it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{self, Either};
use http::{HeaderValue, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "websocket")]
use super::ws::{self, Ask, Session, Upgrade, WsLimits};
use super::{patience::Patience, ticket::Tickets, topics::Topics};
use crate::{
    config::HostConfig,
    error::{Error, ErrorKind, Result},
    time::SharedClock,
    transport::{Body, Handler, Inbound, Response, ResponseParts},
};

/// The bounds of a [`Server`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// How long the head of a request may take, and how long a connection may idle. Default: 10 s.
    pub header_timeout: Duration,
    /// How long a connection may take nothing of what is sent, until it is given up; zero is for ever. Default: 5 min.
    pub write_timeout: Duration,
    /// The largest head, at least 8 KiB. Default: 64 KiB.
    pub max_header_bytes: usize,
    /// How many connections are open at once. Default: 10,000.
    ///
    /// Beyond them 64 spare ones are let in, each for one request and two seconds, so that a host that is full of connections
    /// can still be asked how it is; when one more comes, the oldest spare one is closed. Their requests say that they are
    /// [`spare`](Inbound::spare).
    pub max_connections: usize,
}

/// How many connections there may be beyond the limit.
const SPARE: usize = 64;

/// How long such a connection lasts, its request and its answer included.
const SPARE_TIME: Duration = Duration::from_secs(2);

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(300),
            max_header_bytes: 64 * 1024,
            max_connections: 10_000,
        }
    }
}

/// A listening port and its connections. Dropping it closes all of them.
#[derive(Debug)]
#[must_use = "dropping the server closes its connections"]
pub struct Server {
    address: SocketAddr,
    open: Open,
}

/// What listens, and its connections. Dropping it closes all of them.
#[derive(Debug)]
pub(super) struct Open {
    drain: CancellationToken,
    kill: CancellationToken,
    connections: TaskTracker,
    accepting: Mutex<Option<JoinHandle<()>>>,
    clock: SharedClock,
}

impl Server {
    /// Listens on this address; port 0 is any free one. WebSockets are served at `/ws` (feature `websocket`), under the defaults of
    /// [`HostConfig`].
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) naming the address, if it is taken or cannot be listened on.
    pub async fn bind(
        address: SocketAddr,
        handler: Arc<dyn Handler>,
        limits: ServerLimits,
        clock: SharedClock,
    ) -> Result<Self> {
        Self::serve(address, Serving::new(handler, limits, &HostConfig::default(), clock)).await
    }

    pub(super) async fn serve(address: SocketAddr, serving: Serving) -> Result<Self> {
        let refused = |error: std::io::Error| {
            let what = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    format!(
                        "port {} on {} is taken; choose another, or 0 for any free one",
                        address.port(),
                        address.ip()
                    )
                }
                _ => format!("cannot listen on {address}"),
            };
            Error::config(what).with_source(error)
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { address, open: Open::start(listener, serving) })
    }

    /// The address that is listened on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets running requests finish until `limit`, then closes what is left. Tells whether all finished.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.open.shutdown(limit).await
    }

    pub(super) const fn open(&self) -> &Open {
        &self.open
    }
}

/// What answers, and under which bounds.
#[derive(Clone)]
pub(super) struct Serving {
    handler: Arc<dyn Handler>,
    limits: ServerLimits,
    #[cfg(feature = "websocket")]
    ws: Arc<WsLimits>,
    #[cfg(feature = "websocket")]
    topics: Option<Arc<Topics>>,
    #[cfg(feature = "websocket")]
    tickets: Option<Arc<Tickets>>,
    clock: SharedClock,
}

impl Serving {
    #[cfg_attr(not(feature = "websocket"), expect(unused_variables, reason = "only WebSockets have more settings"))]
    pub(super) fn new(
        handler: Arc<dyn Handler>,
        limits: ServerLimits,
        config: &HostConfig,
        clock: SharedClock,
    ) -> Self {
        Self {
            handler,
            limits,
            #[cfg(feature = "websocket")]
            ws: Arc::new(WsLimits::of(config)),
            #[cfg(feature = "websocket")]
            topics: None,
            #[cfg(feature = "websocket")]
            tickets: None,
            clock,
        }
    }

    /// Serves these topics over WebSockets, and takes these tickets there.
    #[cfg_attr(
        not(feature = "websocket"),
        expect(unused_variables, unused_mut, reason = "only WebSockets have topics")
    )]
    pub(super) fn with_topics(mut self, topics: Option<Arc<Topics>>, tickets: Arc<Tickets>) -> Self {
        #[cfg(feature = "websocket")]
        {
            self.topics = topics;
            self.tickets = Some(tickets);
        }
        self
    }
}

impl Open {
    /// Begins to accept connections.
    pub(super) fn start(listener: impl Listener, serving: Serving) -> Self {
        let (limits, clock) = (serving.limits, serving.clock.clone());
        let open = Self {
            drain: CancellationToken::new(),
            kill: CancellationToken::new(),
            connections: TaskTracker::new(),
            accepting: Mutex::new(None),
            clock: clock.clone(),
        };
        let accept = Accept {
            listener,
            serving,
            drain: open.drain.clone(),
            kill: open.kill.clone(),
            connections: open.connections.clone(),
            places: Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
        };
        *open.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::spawn(accept.run()));
        open
    }

    /// Stops listening, lets running requests finish until `limit`, then closes what is left. Tells whether all finished.
    pub(super) async fn shutdown(&self, limit: Duration) -> bool {
        self.stop_listening().await;
        let finished = self.finished(limit).await;
        self.close().await;
        finished
    }

    /// Stops listening; a connection ends with the request that runs on it.
    pub(super) async fn stop_listening(&self) {
        self.drain.cancel();
        let accepting = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = accepting {
            // It ends at once; an error would be its own panic, which there is nothing left to do about.
            let _ = task.await;
        }
        self.connections.close();
    }

    /// Waits for the end of all connections, at most this long. Tells whether it came.
    pub(super) async fn finished(&self, limit: Duration) -> bool {
        self.clock.timeout(limit, self.connections.wait()).await.is_some()
    }

    /// Closes what is left.
    pub(super) async fn close(&self) {
        self.kill.cancel();
        self.connections.wait().await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.drain.cancel();
        self.kill.cancel();
    }
}

/// Where connections come from. Dropping it stops listening.
pub(super) trait Listener: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection, and its address if it has one.
    ///
    /// # Cancel safety
    /// No connection is lost when the future is dropped.
    fn accept(&self) -> impl Future<Output = std::io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> std::io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, from) = Self::accept(self).await?;
        // Small answers must not wait for the peer's acknowledgement; without it they are only slower.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(from)))
    }
}

struct Accept<L> {
    listener: L,
    serving: Serving,
    drain: CancellationToken,
    kill: CancellationToken,
    connections: TaskTracker,
    places: Arc<Semaphore>,
}

impl<L: Listener> Accept<L> {
    async fn run(self) {
        let drain = self.drain.clone();
        let accepting = async {
            let mut spare = VecDeque::new();
            loop {
                match self.listener.accept().await {
                    Ok((stream, peer)) => match Arc::clone(&self.places).try_acquire_owned() {
                        Ok(place) => {
                            let connection = self.connection(stream, peer, false);
                            self.connections.spawn(async move {
                                connection.await;
                                drop(place);
                            });
                        }
                        Err(_) => {
                            let closed = self.next_spare(&mut spare);
                            let limited = self.serving.clock.clone();
                            let connection = self.connection(stream, peer, true);
                            self.connections.spawn(async move {
                                let connection = limited.timeout(SPARE_TIME, connection);
                                let _ = closed.run_until_cancelled(connection).await;
                            });
                        }
                    },
                    Err(error) if is_of_the_connection(&error) => {}
                    Err(error) => {
                        // Out of file descriptors, most likely: some may be free again soon.
                        tracing::warn!(%error, "cannot accept a connection");
                        self.serving.clock.sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        let _ = drain.run_until_cancelled(accepting).await;
    }

    /// Makes room among the spare connections. They are remembered in the order of coming, those that have ended too: so many
    /// that came last are all that can be open.
    fn next_spare(&self, spare: &mut VecDeque<CancellationToken>) -> CancellationToken {
        if spare.len() >= SPARE
            && let Some(oldest) = spare.pop_front()
        {
            oldest.cancel();
        }
        let closed = CancellationToken::new();
        spare.push_back(closed.clone());
        closed
    }

    fn connection(
        &self,
        stream: L::Stream,
        peer: Option<SocketAddr>,
        spare: bool,
    ) -> impl Future<Output = ()> + Send + use<L> {
        let (serving, drain, kill) = (self.serving.clone(), self.drain.clone(), self.kill.clone());
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .keep_alive(!spare)
            .header_read_timeout(self.serving.limits.header_timeout)
            .max_buf_size(self.serving.limits.max_header_bytes.max(8192));
        async move {
            let work = async {
                // In a box, and gone before a WebSocket begins: of many that wait, each would keep the room for it.
                let next = Box::pin(http(serving.clone(), builder, stream, peer, spare, drain.clone())).await;
                #[cfg(feature = "websocket")]
                if let Some(upgrade) = next.take() {
                    let Serving { handler, ws: limits, topics, clock, .. } = serving;
                    // Out of the way: most connections have no room for what few need.
                    Box::pin(Session { handler, limits, topics, clock, peer }.run(*upgrade, drain)).await;
                }
                #[cfg(not(feature = "websocket"))]
                let _ = next;
            };
            let _ = kill.run_until_cancelled(work).await;
        }
    }
}

/// Answers the requests of a connection until it ends or becomes something else.
async fn http(
    serving: Serving,
    builder: http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Option<SocketAddr>,
    spare: bool,
    drain: CancellationToken,
) -> Next {
    let next = Next::default();
    let service = service_fn(|request| answer(&serving, request, peer, spare, &next));
    let stream = Patience::new(stream, serving.clock.clone(), serving.limits.write_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    #[cfg(feature = "websocket")]
    let connection = connection.with_upgrades();
    {
        let mut connection = pin!(connection);
        let ended = match future::select(connection.as_mut(), pin!(drain.cancelled())).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
    next
}

/// What a connection becomes when it has answered.
#[derive(Default)]
struct Next {
    #[cfg(feature = "websocket")]
    upgrade: Mutex<Option<Box<Upgrade>>>,
}

#[cfg(feature = "websocket")]
impl Next {
    fn is(&self, upgrade: Box<Upgrade>) {
        *self.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade);
    }

    fn take(&self) -> Option<Box<Upgrade>> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg_attr(not(feature = "websocket"), expect(unused_variables, reason = "only WebSockets are something else next"))]
async fn answer(
    serving: &Serving,
    request: http::Request<Incoming>,
    peer: Option<SocketAddr>,
    spare: bool,
    next: &Next,
) -> std::result::Result<http::Response<Body>, Infallible> {
    #[cfg(feature = "websocket")]
    let request = match ws::ask(request, &serving.ws, serving.tickets.as_deref(), peer, spare) {
        Ask::Other(request) => request,
        Ask::Refused(refused) => return Ok(outgoing(refused)),
        Ask::Accepted(answer, upgrade) => {
            next.is(upgrade);
            return Ok(outgoing(answer));
        }
    };
    let (head, body) = request.into_parts();
    let body = if hyper::body::Body::is_end_stream(&body) {
        Body::empty()
    } else {
        Body::from_http(http_body_util::BodyExt::map_err(body, |error| {
            Error::new(ErrorKind::Interrupted, "the connection broke before the body was whole").with_source(error)
        }))
    };
    let inbound = Inbound {
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
        peer,
        spare,
        ..Inbound::new(head.method, head.uri.path())
    };
    Ok(outgoing(serving.handler.handle(inbound).await))
}

fn outgoing(answer: Response) -> http::Response<Body> {
    let ResponseParts { status, headers, body, .. } = answer.into_parts();
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if !response.headers().contains_key(header::CONTENT_TYPE) && !hyper::body::Body::is_end_stream(response.body()) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
