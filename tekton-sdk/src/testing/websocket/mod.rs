//! A WebSocket server that plays a script, over real sockets.

mod echo;
mod play;
mod step;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

pub use self::{
    echo::{Echoed, echo_until_closed},
    step::{Order, WsStep},
};
use super::log::Log;
use crate::{
    error::{Error, Result},
    time::SharedClock,
    transport::Endpoint,
};

/// A WebSocket server on a real socket that plays a script of [`WsStep`]s to each connection, and records what comes.
///
/// The scripts are played in the order of adding, one to each connection; a connection beyond them is answered as by
/// [`WsStep::Echo`]. Waits go by the clock that it is given.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use http::Method;
/// use tekton_sdk::{
///     random::Random,
///     testing::{ScriptedWebSocket, WsStep},
///     time::SharedClock,
///     transport::{CallInfo, Request, Safety, Transport, WebSocketTransport, WebSocketTransportConfig},
/// };
///
/// let server = ScriptedWebSocket::start(SharedClock::default()).await?;
/// server.script([WsStep::Await(1), WsStep::Say(r#"{"jsonrpc":"2.0","result":5,"id":$ID}"#.into()), WsStep::Close(1001)]);
///
/// let transport = WebSocketTransport::new(&WebSocketTransportConfig::default(), SharedClock::default(), Random::new())?;
/// let request = Request::new(Method::POST, "/api/v1/sum", CallInfo::new("far", "sum", Safety::Read));
/// let answer = transport.send(request.with_endpoint(server.endpoint().clone())).await?;
/// assert_eq!(answer.into_body().collect(100).await?, "5");
/// assert_eq!(server.messages(), [r#"{"jsonrpc":"2.0","method":"sum","http":{},"id":1}"#]);
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "dropping it closes its connections"]
pub struct ScriptedWebSocket {
    endpoint: Endpoint,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What the server and its connections share.
pub(super) struct Seen {
    scripts: Mutex<VecDeque<Vec<WsStep>>>,
    connections: AtomicUsize,
    messages: Log<String>,
    pongs: Log<Bytes>,
    pings: AtomicUsize,
    /// The codes with which the clients closed; `None` for none.
    closes: Log<Option<u16>>,
    changed: Notify,
}

impl ScriptedWebSocket {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if no port can be listened on.
    pub async fn start(clock: SharedClock) -> Result<Self> {
        let refused = |error: std::io::Error| Error::config("cannot listen on a free port").with_source(error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(refused)?;
        let endpoint = Endpoint::parse(&format!("ws://{}", listener.local_addr().map_err(refused)?))?;
        let seen = Arc::new(Seen {
            scripts: Mutex::default(),
            connections: AtomicUsize::new(0),
            messages: Log::default(),
            pongs: Log::default(),
            pings: AtomicUsize::new(0),
            closes: Log::default(),
            changed: Notify::new(),
        });
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Dropped with the task, it ends every connection.
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let script = shared.scripts().pop_front().unwrap_or_else(|| vec![WsStep::Echo]);
                shared.changed.notify_waiters();
                open.spawn(play::play(stream, script, Arc::clone(&shared), clock.clone()));
            }
        });
        Ok(Self { endpoint, seen, task })
    }

    /// Where it listens, as `ws://127.0.0.1:40123`.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Adds the script of one more connection.
    pub fn script(&self, steps: impl IntoIterator<Item = WsStep>) -> &Self {
        self.seen.scripts().push_back(steps.into_iter().collect());
        self
    }

    /// How many connections came.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The messages that came over all connections, oldest first; the newest 10,000 are kept.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.seen.messages.all()
    }

    /// What the pongs held that came.
    #[must_use]
    pub fn pongs(&self) -> Vec<Bytes> {
        self.seen.pongs.all()
    }

    /// How many pings came.
    #[must_use]
    pub fn pings(&self) -> usize {
        self.seen.pings.load(Ordering::SeqCst)
    }

    /// With which codes the clients closed, or that they said none.
    #[must_use]
    pub fn closes(&self) -> Vec<Option<u16>> {
        self.seen.closes.all()
    }

    /// Waits until what came is as the test wants it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        loop {
            let changed = self.seen.changed.notified();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for ScriptedWebSocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn scripts(&self) -> MutexGuard<'_, VecDeque<Vec<WsStep>>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("connections", &self.connections).finish_non_exhaustive()
    }
}
