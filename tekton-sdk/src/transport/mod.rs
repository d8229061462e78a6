//! Seam: how a request reaches a component and its answer comes back.
//!
//! [`Transport`] is the client's side, [`Handler`] the server's; bodies are streams of bytes on both.
//! [`MeshTransport`] speaks HTTP to the components of a mesh, [`HttpTransport`] to the open internet and through proxies,
//! [`WebSocketTransport`] shares one WebSocket among all calls to a component, [`MemoryTransport`] calls a [`Handler`] of the same process.

mod bearer;
mod body;
mod endpoint;
#[cfg(feature = "http")]
mod failure;
#[cfg(feature = "http")]
mod http;
mod memory;
#[cfg(feature = "http")]
mod mesh;
mod message;
mod origin;
mod spare;
#[cfg(feature = "http")]
mod tls;
mod tried;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;

pub(crate) use bearer::Bearer;
pub use body::Body;
pub use endpoint::Endpoint;
#[cfg(all(test, feature = "websocket"))]
pub(crate) use endpoint::encoded;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use http::{HttpTransport, HttpTransportConfig};
pub use memory::{Binding, MemoryTransport};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use mesh::{MeshTransport, MeshTransportConfig};
pub use message::{CallInfo, Inbound, Request, RequestParts, Response, ResponseParts, Safety};
pub use origin::Origin;
pub(crate) use spare::Spare;
pub(crate) use tried::Tried;
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use websocket::{Closed, WebSocketTransport, WebSocketTransportConfig};

/// Carries a request to an endpoint and brings the answer back.
///
/// Third parties implement it; `tekton_sdk::transport_conformance!` checks an implementation.
///
/// **Must not** retry, follow redirects or add a time-out beyond that of connecting: the policies above do.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request and returns as soon as the head of the answer has arrived.
    ///
    /// **When:** once per attempt, after every policy. **Given:** a request whose endpoint is set and whose scheme is one
    /// of [`TransportCapabilities::schemes`].
    ///
    /// # Errors
    /// [`Connect`](crate::ErrorKind::Connect) only if nothing was sent;
    /// [`Interrupted`](crate::ErrorKind::Interrupted) if the connection broke later;
    /// [`Invalid`](crate::ErrorKind::Invalid) for a request it cannot carry. A failing status is no error.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the request; the callee sees the connection close.
    async fn send(&self, request: Request) -> Result<Response>;

    /// What this transport can do. What is not declared here must fail with a sentence.
    fn capabilities(&self) -> TransportCapabilities;
}

/// What a [`Transport`] can do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportCapabilities {
    /// The URL schemes it serves.
    pub schemes: &'static [&'static str],
    /// Whether it takes a request body that is a stream.
    pub streamed_requests: bool,
    /// Whether it hands out an answer's body before it is whole.
    pub streamed_responses: bool,
}

impl TransportCapabilities {
    /// A transport for these schemes that streams in both directions.
    #[must_use]
    pub const fn streaming(schemes: &'static [&'static str]) -> Self {
        Self { schemes, streamed_requests: true, streamed_responses: true }
    }

    /// The same without streamed request bodies.
    #[must_use]
    pub const fn without_streamed_requests(mut self) -> Self {
        self.streamed_requests = false;
        self
    }

    /// The same without streamed answers.
    #[must_use]
    pub const fn without_streamed_responses(mut self) -> Self {
        self.streamed_responses = false;
        self
    }
}

/// Answers requests: a served component, a fake hub, a scripted peer.
#[async_trait]
pub trait Handler: fmt::Debug + Send + Sync + 'static {
    /// Answers one request. A failure is an answer too, so there is no error.
    ///
    /// # Cancel safety
    /// The future is dropped when the caller goes away.
    async fn handle(&self, request: Inbound) -> Response;
}
