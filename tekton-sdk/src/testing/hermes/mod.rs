//! A whole hub in the process, in upstream's dialect, that can be told to fail.

mod builder;
mod events;
mod fault;
mod hub;
mod log;
mod routes;
mod token;
mod tools;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpSocket, sync::Mutex};

use crate::{
    error::Result,
    host::{Server, ServerLimits},
    time::SharedClock,
    transport::Handler,
    wire::hermes::{ComponentRecord, HubEvent, RegisterRequest, ToolRecord},
};
use hub::Hub;

pub use builder::FakeHermesBuilder;
pub use fault::{Fault, RouteFault};
pub use log::LoggedRequest;
pub use routes::Route;

/// A hub over a real socket that does what upstream's Hermes does, its defects included.
///
/// | upstream does | so does the fake |
/// |---|---|
/// | the same id replaces an entry; without an id every registration makes another | yes |
/// | a token ends after 3600 s; an old one stays valid until then, also after a restart or an unregistration | yes |
/// | a heartbeat of a component it does not know any more is answered 200 | yes |
/// | nobody is ever evicted, and everybody is forgotten at a restart | yes, by [`restart_empty`](Self::restart_empty) |
/// | a type is kept in the metadata, so that the listing's filter by type finds nobody | yes |
/// | a query for the healthy finds nobody | yes |
/// | a tool without an id is another one every time, and fields it does not know are dropped, annotations too | yes |
/// | a tool is executed by its id, by nobody: the answer is a placeholder | yes |
/// | its events are not kept: who was away has missed them, and is told nothing of it | yes; [`emit`](Self::emit) sends one |
/// | `/api/health` fails on a port outside 8000 to 9999 | yes, for a port given to the builder; a free one is told as 8001 |
///
/// A [`Fault`] makes it misbehave, its log says what it was asked, and the `until` methods wait without a sleep.
/// Dropping it closes its socket and every connection.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use tekton_sdk::{
///     contract::Registration,
///     directory::{Directory, HermesDirectory, Query},
///     testing::{Fault, FakeHermes, Route},
///     time::SharedClock,
///     transport::{Endpoint, HttpTransport, HttpTransportConfig},
/// };
///
/// let hub = FakeHermes::start().await?;
/// let transport = HttpTransport::new(&HttpTransportConfig::default())?;
/// let directory = HermesDirectory::new(
///     Endpoint::parse(&hub.url())?,
///     std::sync::Arc::new(transport),
///     SharedClock::default(),
///     Duration::from_secs(5),
/// );
/// directory.register(&Registration::new("summarizer-1", "summarizer", "1.0.0", "http://127.0.0.1:9")).await?;
/// assert_eq!(hub.entries()[0].component_id, "summarizer-1");
///
/// hub.fault_next(1, Fault::Html.at(Route::Components));
/// let error = directory.find(&Query::everybody()).await.unwrap_err();
/// assert_eq!(error.to_string(), "expected a list of components, got HTML");
/// assert_eq!(directory.find(&Query::everybody()).await?.len(), 1);
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "dropping the hub closes it"]
pub struct FakeHermes {
    hub: Arc<Hub>,
    address: SocketAddr,
    socket: Mutex<Socket>,
}

#[derive(Debug)]
enum Socket {
    Open(Server),
    /// Held, where it could be, so that nobody else is given the port meanwhile. It does not listen.
    Closed {
        _port: Option<TcpSocket>,
    },
}

impl FakeHermes {
    /// A hub on a free port of the loopback address, with the runtime's clock.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if there is no port left.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// A hub of which more is to be said.
    pub fn builder() -> FakeHermesBuilder {
        FakeHermesBuilder::default()
    }

    async fn open(hub: Hub, address: SocketAddr) -> Result<Self> {
        let hub = Arc::new(hub);
        let server = listen(&hub, address).await?;
        Ok(Self { hub, address: server.local_addr(), socket: Mutex::new(Socket::Open(server)) })
    }

    /// Its base URL, as `http://127.0.0.1:8001`; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        match self.address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("http://localhost:{}", v4.port()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("http://localhost:{}", v6.port()),
            address => format!("http://{address}"),
        }
    }

    /// The entries, in the order of their first registration.
    #[must_use]
    pub fn entries(&self) -> Vec<ComponentRecord> {
        self.hub.look(|state| state.entries.clone())
    }

    /// The entry of this id.
    #[must_use]
    pub fn entry(&self, id: &str) -> Option<ComponentRecord> {
        self.hub.look(|state| state.entries.iter().find(|entry| entry.component_id == id).cloned())
    }

    /// The tools, in the order of their first registration.
    #[must_use]
    pub fn tools(&self) -> Vec<ToolRecord> {
        self.hub.look(|state| state.tools.clone())
    }

    /// What it was asked, oldest first; of more than 10,000 requests the older half is dropped.
    #[must_use]
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.hub.look(|state| state.log.requests().to_vec())
    }

    /// The part of the log that asked for this path, as [`hermes::REGISTER`](crate::wire::hermes::REGISTER).
    #[must_use]
    pub fn requests(&self, path: &str) -> Vec<LoggedRequest> {
        self.log().into_iter().filter(|request| request.path == path).collect()
    }

    /// Waits until the log satisfies a condition, and gives it. A request is in the log as soon as it has come, and has a
    /// status as soon as it is answered.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until(&self, holds: impl FnMut(&Vec<LoggedRequest>) -> bool + Send) -> Vec<LoggedRequest> {
        self.hub.until(|state| state.log.requests().to_vec(), holds).await
    }

    /// Waits until so many requests for this path are answered.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until_answered(&self, path: &str, count: usize) {
        let answered = |request: &&LoggedRequest| request.path == path && request.status.is_some();
        self.until(|log| log.iter().filter(answered).count() >= count).await;
    }

    /// Waits until the entries satisfy a condition, and gives them.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until_entries(&self, holds: impl FnMut(&Vec<ComponentRecord>) -> bool + Send) -> Vec<ComponentRecord> {
        self.hub.until(|state| state.entries.clone(), holds).await
    }

    /// Waits until the tools satisfy a condition, and gives them.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until_tools(&self, holds: impl FnMut(&Vec<ToolRecord>) -> bool + Send) -> Vec<ToolRecord> {
        self.hub.until(|state| state.tools.clone(), holds).await
    }

    /// Registers a component without a request; tells its id.
    pub fn insert(&self, request: RegisterRequest) -> String {
        self.hub.insert(request)
    }

    /// Registers a component as upstream's Python components do: without an id, its name as its type, and never heard of
    /// again. Called twice it is listed twice. Tells the id that the hub made.
    pub fn register_python(&self, name: &str, port: u16) -> String {
        let mut request = RegisterRequest::new(name, "0.1.0", format!("http://localhost:{port}"));
        request.metadata.insert("data_dir".to_owned(), format!("data/{name}").into());
        request.metadata.insert("uptime".to_owned(), 0.0.into());
        self.insert(request)
    }

    /// Sends an event to everybody who listens, and tells to how many; with an id, a time and a source of the hub's where it has
    /// none.
    pub fn emit(&self, event: HubEvent) -> usize {
        self.hub.emit(event)
    }

    /// Forgets the component of this id; its token stays valid. Tells whether it was known.
    pub fn forget(&self, id: &str) -> bool {
        self.hub.change(|state| state.forget(id))
    }

    /// Forgets every component and every tool; the tokens stay valid.
    pub fn forget_everybody(&self) {
        self.hub.change(hub::State::forget_everybody);
    }

    /// Refuses every token issued so far, as a hub with another key does.
    pub fn revoke_tokens(&self) {
        self.hub.change(|state| state.key.push(b'\''));
    }

    /// Lets every request go wrong from now on, or every one at a route: `Fault::Hang.at(Route::Heartbeat)`. Of the faults
    /// that fit a request the one planned first happens.
    pub fn fault(&self, fault: impl Into<RouteFault>) {
        self.hub.change(|state| state.plan.add(fault.into(), None));
    }

    /// Lets the next so many requests go wrong, or the next ones at a route.
    pub fn fault_next(&self, count: usize, fault: impl Into<RouteFault>) {
        self.hub.change(|state| state.plan.add(fault.into(), Some(count)));
    }

    /// Ends every fault; requests that hang already go on hanging.
    pub fn clear_faults(&self) {
        self.hub.change(|state| state.plan.clear());
    }

    /// Dies: the port refuses connections, and the open ones break, whatever was under way on them.
    pub async fn stop(&self) {
        let mut socket = self.socket.lock().await;
        if let Socket::Open(server) = &*socket {
            server.shutdown(Duration::ZERO).await;
            *socket = Socket::Closed { _port: hold(self.address) };
        }
    }

    /// Ends it: the port is free, every connection closed.
    pub async fn shutdown(self) {
        self.stop().await;
    }

    /// Comes back on the same port with all it knew, dying first if it was alive.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if somebody else has taken the port.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await;
        let mut socket = self.socket.lock().await;
        // The port is let go first: not every system lets two sockets have it, even if one does not listen.
        *socket = Socket::Closed { _port: None };
        *socket = Socket::Open(listen(&self.hub, self.address).await?);
        Ok(())
    }

    /// Comes back on the same port without its entries and tools, as upstream does; the tokens it issued stay valid.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if somebody else has taken the port.
    pub async fn restart_empty(&self) -> Result<()> {
        self.stop().await;
        self.forget_everybody();
        self.restart().await
    }
}

async fn listen(hub: &Arc<Hub>, address: SocketAddr) -> Result<Server> {
    let handler: Arc<dyn Handler> = Arc::clone(hub) as _;
    // The socket's own waits are real ones: a test that moves the hub's clock does not mean them.
    Server::bind(address, handler, ServerLimits::default(), SharedClock::default()).await
}

/// Keeps a port without listening on it, where the system allows it.
fn hold(address: SocketAddr) -> Option<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.ok()?;
    socket.set_reuseaddr(true).ok()?;
    socket.bind(address).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests;
