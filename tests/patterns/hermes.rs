//! The hub's side of the mesh over real sockets: registered and found, on good days and on bad ones.
//!
//! No test waits for real time. The hub and the keepers have one clock, moved by the test; the directory's patience with the
//! hub has another, so that moving the first does not end a request that is under way.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod calling;
mod events;
mod faults;
mod finding;
mod keeping;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::StatusCode;
use tekton_sdk::{
    contract::Registration,
    directory::{HermesDirectory, HubConfig, Registered},
    host::{Server, ServerLimits},
    random::Random,
    testing::FakeHermes,
    time::{ManualClock, SharedClock},
    transport::{Endpoint, Handler, HttpTransport, HttpTransportConfig, Inbound, Response},
};

/// A hub, the clock of it and of the keepers, and a directory with a clock of its own.
struct Mesh {
    hub: FakeHermes,
    clock: ManualClock,
    patience: ManualClock,
    directory: HermesDirectory,
}

impl Mesh {
    async fn new() -> Self {
        let (clock, patience) = (ManualClock::new(), ManualClock::new());
        let hub = FakeHermes::builder().clock(clock.clone()).random(Random::seeded(1)).start().await.unwrap();
        let directory = HermesDirectory::new(
            Endpoint::parse(&hub.url()).unwrap(),
            Arc::new(HttpTransport::new(&HttpTransportConfig::default()).unwrap()),
            SharedClock::new(patience.clone()),
            Duration::from_secs(5),
        );
        Self { hub, clock, patience, directory }
    }

    async fn keep(&self, id: &str, endpoint: &str) -> Registered {
        self.keep_by(&self.clock, id, endpoint).await
    }

    async fn keep_by(&self, clock: &ManualClock, id: &str, endpoint: &str) -> Registered {
        let (directory, clock) = (Arc::new(self.directory.clone()), SharedClock::new(clock.clone()));
        let config = HubConfig::default();
        Registered::keep(directory, registration(id, endpoint), &config, clock, Random::seeded(1)).await
    }

    /// Moves the clock once the only keeper waits, and returns when it waits again.
    async fn pass(&self, time: Duration) {
        self.clock.until_sleeping(1).await;
        self.clock.advance(time);
        self.clock.until_sleeping(1).await;
    }

    /// The status of each answer so far for this path.
    fn statuses(&self, path: &str) -> Vec<u16> {
        self.hub.requests(path).iter().filter_map(|request| request.status).map(|status| status.as_u16()).collect()
    }

    fn endpoints(&self) -> Vec<String> {
        self.hub.entries().into_iter().filter_map(|entry| entry.endpoint).collect()
    }
}

fn registration(id: &str, endpoint: &str) -> Registration {
    Registration::new(id, id.split('-').next().unwrap(), "1.0.0", endpoint)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// An address of this machine where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

/// A component that says this of its health, and its own port to everything else.
#[derive(Debug)]
struct Component {
    status: StatusCode,
    health: &'static str,
}

#[async_trait]
impl Handler for Component {
    async fn handle(&self, request: Inbound) -> Response {
        if request.path.ends_with("/health") {
            return Response::new(self.status, tekton_sdk::transport::Body::full(self.health));
        }
        let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let port = host.rsplit(':').next().unwrap_or_default().to_owned();
        Response::new(StatusCode::OK, tekton_sdk::transport::Body::full(port))
    }
}

/// Serves a component on a free port.
async fn component(status: StatusCode, health: &'static str) -> Server {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let handler = Arc::new(Component { status, health });
    Server::bind(address, handler, ServerLimits::default(), SharedClock::default()).await.unwrap()
}

/// Serves one that is well.
async fn well() -> Server {
    component(StatusCode::OK, r#"{"status":"healthy"}"#).await
}

fn url(server: &Server) -> String {
    format!("http://{}", server.local_addr())
}
