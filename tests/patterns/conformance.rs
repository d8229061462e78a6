//! Every backend and decorator of ours keeps the laws of its seam.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use tekton_sdk::{
    Result,
    contract::Entry,
    directory::{CachedDirectory, DirectoryConfig, HermesDirectory, MemoryDirectory},
    host::{Server, ServerLimits},
    testing::{
        FakeHermes, FaultyDirectory, FaultyTransport,
        conformance::transport::{Listening, TransportSubject},
    },
    time::SharedClock,
    transport::{
        Endpoint, Handler, HttpTransport, HttpTransportConfig, MemoryTransport, MeshTransport, MeshTransportConfig,
        Transport,
    },
};

fn memory() -> MemoryDirectory {
    MemoryDirectory::new(SharedClock::default())
}

async fn hermes() -> Result<(HermesDirectory, FakeHermes)> {
    let hub = FakeHermes::start().await?;
    let transport = HttpTransport::new(&HttpTransportConfig::default())?;
    let endpoint = Endpoint::parse(&hub.url())?;
    let limit = Duration::from_secs(5);
    Ok((HermesDirectory::new(endpoint, Arc::new(transport), SharedClock::default(), limit), hub))
}

mod memory_directory {
    tekton_sdk::directory_conformance!(super::memory());
}

mod fixed_directory {
    use super::{Entry, MemoryDirectory};

    tekton_sdk::directory_conformance!(MemoryDirectory::fixed([Entry::new("a-1", "a", "http://127.0.0.1:1")]));
}

mod cached_directory {
    use super::{Arc, CachedDirectory, DirectoryConfig, SharedClock, memory};

    tekton_sdk::directory_conformance!(CachedDirectory::new(
        Arc::new(memory()),
        DirectoryConfig::default(),
        SharedClock::default()
    ));
}

mod hermes_directory {
    // A pair: the directory, and the hub that must live as long.
    tekton_sdk::directory_conformance!(super::hermes().await.unwrap());
}

mod faulty_directory {
    use super::{FaultyDirectory, SharedClock, memory};

    // A pair too: a plan without a fault.
    tekton_sdk::directory_conformance!(FaultyDirectory::new(memory(), SharedClock::default()));
}

/// A transport in memory, and one in front of it that is the subject.
struct InMemory<T> {
    far: MemoryTransport,
    subject: Arc<T>,
}

impl<T> InMemory<T> {
    fn new(decorate: impl FnOnce(MemoryTransport) -> T) -> Self {
        let far = MemoryTransport::new();
        Self { subject: Arc::new(decorate(far.clone())), far }
    }
}

#[async_trait]
impl<T: Transport> TransportSubject for InMemory<T> {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.subject) as _
    }

    async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
        let binding = self.far.bind("law", handler)?;
        Ok(Listening::new(binding.endpoint().clone(), binding))
    }

    async fn nobody(&self) -> Result<Endpoint> {
        Endpoint::parse("memory://nobody")
    }
}

mod memory_transport {
    tekton_sdk::transport_conformance!(super::InMemory::new(|memory| memory));
}

mod faulty_transport {
    use super::{FaultyTransport, InMemory, SharedClock};

    tekton_sdk::transport_conformance!(InMemory::new(|memory| {
        FaultyTransport::new(memory, SharedClock::default()).0
    }));
}

/// A client and our server over a real socket.
struct OverHttp<T>(Arc<T>);

impl<T: Transport> OverHttp<T> {
    fn new(transport: Result<T>) -> Self {
        Self(Arc::new(transport.unwrap()))
    }
}

#[async_trait]
impl<T: Transport> TransportSubject for OverHttp<T> {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.0) as _
    }

    async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(any, handler, ServerLimits::default(), SharedClock::default()).await?;
        Ok(Listening::new(Endpoint::parse(&format!("http://{}", server.local_addr()))?, server))
    }

    async fn nobody(&self) -> Result<Endpoint> {
        // Below the ports that are given out, and nobody listens there.
        Endpoint::parse("http://127.0.0.1:1")
    }
}

mod http_transport {
    use super::{HttpTransport, HttpTransportConfig, OverHttp};

    tekton_sdk::transport_conformance!(OverHttp::new(HttpTransport::new(&HttpTransportConfig::default())));
}

fn mesh(config: &MeshTransportConfig) -> Result<MeshTransport> {
    MeshTransport::new(config, SharedClock::default())
}

mod mesh_transport {
    use super::{MeshTransportConfig, OverHttp, mesh};

    tekton_sdk::transport_conformance!(OverHttp::new(mesh(&MeshTransportConfig::default())));
}

/// The same over a Unix socket.
#[cfg(unix)]
mod unix_socket {
    use tekton_sdk::host::UnixServer;

    use super::*;
    use crate::mesh::folder::Folder;

    struct OverUnix {
        transport: MeshTransport,
        folder: Folder,
    }

    #[async_trait]
    impl TransportSubject for OverUnix {
        fn transport(&self) -> Arc<dyn Transport> {
            Arc::new(self.transport.clone())
        }

        async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
            let path = self.folder.path("law.sock");
            let server = UnixServer::bind(&path, handler, ServerLimits::default(), SharedClock::default()).await?;
            Ok(Listening::new(server.endpoint().clone(), server))
        }

        async fn nobody(&self) -> Result<Endpoint> {
            Endpoint::parse(&format!("unix:{}", self.folder.path("nobody.sock")))
        }
    }

    tekton_sdk::transport_conformance!(OverUnix {
        transport: mesh(&MeshTransportConfig::default()).unwrap(),
        folder: Folder::new()
    });
}

/// The same over HTTP/2. Our host speaks HTTP/1.1 only, so the far end is hyper's server.
mod http2 {
    use super::{MeshTransportConfig, *};
    use crate::mesh::carrier;

    struct OverHttp2(MeshTransport);

    #[async_trait]
    impl TransportSubject for OverHttp2 {
        fn transport(&self) -> Arc<dyn Transport> {
            Arc::new(self.0.clone())
        }

        async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
            let far = carrier::Far::serving(handler, 200).await;
            Ok(Listening::new(far.endpoint(), far))
        }

        async fn nobody(&self) -> Result<Endpoint> {
            Endpoint::parse("http://127.0.0.1:1")
        }
    }

    tekton_sdk::transport_conformance!(OverHttp2(mesh(&MeshTransportConfig::default().with_http2()).unwrap()));
}

/// Our host and our client over a WebSocket.
mod web_socket_transport {
    use tekton_sdk::{
        random::Random,
        transport::{WebSocketTransport, WebSocketTransportConfig},
    };

    use super::*;

    struct OverWebSocket(WebSocketTransport);

    #[async_trait]
    impl TransportSubject for OverWebSocket {
        fn transport(&self) -> Arc<dyn Transport> {
            Arc::new(self.0.clone())
        }

        async fn serve(&self, handler: Arc<dyn Handler>) -> Result<Listening> {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let server = Server::bind(any, handler, ServerLimits::default(), SharedClock::default()).await?;
            Ok(Listening::new(Endpoint::parse(&format!("ws://{}", server.local_addr()))?, server))
        }

        async fn nobody(&self) -> Result<Endpoint> {
            Endpoint::parse("ws://127.0.0.1:1")
        }
    }

    tekton_sdk::transport_conformance!(OverWebSocket(
        WebSocketTransport::new(&WebSocketTransportConfig::default(), SharedClock::default(), Random::new()).unwrap()
    ));
}
