//! Calls within one process: no socket, the same rules.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use async_trait::async_trait;
use http_body_util::BodyExt;

use super::{Body, Endpoint, Handler, Inbound, Request, Response, Transport, TransportCapabilities};
use crate::error::{Error, ErrorKind, Result};

type Bound = RwLock<HashMap<String, Arc<dyn Handler>>>;

/// A transport whose endpoints are handlers of this process, as `memory://summarizer`. Clones share their handlers.
///
/// The callee runs in the caller's task: dropping the call drops it at once.
#[derive(Clone, Default)]
pub struct MemoryTransport(Arc<Bound>);

impl MemoryTransport {
    /// A transport with no endpoint yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a handler callable as `memory://<name>` until the [`Binding`] is dropped.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the name is no host name, [`Conflict`](ErrorKind::Conflict) if it is taken.
    pub fn bind(&self, name: &str, handler: Arc<dyn Handler>) -> Result<Binding> {
        let endpoint = Endpoint::parse(&format!("memory://{name}"))?;
        let mut bound = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if bound.contains_key(endpoint.authority()) {
            return Err(Error::new(ErrorKind::Conflict, format!("{endpoint} is bound already")));
        }
        bound.insert(endpoint.authority().to_owned(), handler);
        Ok(Binding { endpoint, bound: Arc::downgrade(&self.0) })
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("MemoryTransport").field(&bound.keys()).finish()
    }
}

/// Keeps a handler bound; dropping it unbinds.
#[must_use = "dropping the binding unbinds the handler"]
pub struct Binding {
    endpoint: Endpoint,
    bound: Weak<Bound>,
}

impl Binding {
    /// Where the handler is called.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Binding").field(&self.endpoint).finish()
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        if let Some(bound) = self.bound.upgrade() {
            bound.write().unwrap_or_else(PoisonError::into_inner).remove(self.endpoint.authority());
        }
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let endpoint = super::message::endpoint_for(&request, &["memory"])?;
        let handler = self.0.read().unwrap_or_else(PoisonError::into_inner).get(endpoint.authority()).cloned();
        let Some(handler) = handler else {
            return Err(Error::new(ErrorKind::Connect, format!("nothing is bound at {endpoint}")));
        };
        let request = request.into_parts();
        let inbound = Inbound {
            query: request.query,
            headers: request.headers,
            body: request.body,
            ..Inbound::new(request.method, format!("{}{}", endpoint.base_path(), request.path))
        };
        let mut response = handler.handle(inbound).await;
        if response.body.is_stream() {
            // As over a socket: the callee's reason for breaking off stays its own.
            response.body = Body::from_http(std::mem::take(&mut response.body).map_err(|error| {
                Error::new(ErrorKind::Interrupted, "the callee broke off before the answer was whole")
                    .with_source(error)
            }));
        }
        Ok(response)
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["memory"])
    }
}
