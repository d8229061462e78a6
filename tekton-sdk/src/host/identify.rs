//! Seam: who speaks.

use std::{fmt, net::SocketAddr};

use async_trait::async_trait;
use http::{HeaderMap, Method};

use crate::{context::Identity, error::Result};

/// Proves who sent a request. Third parties implement it; [`Serve::identify`](super::Serve::identify) takes it.
///
/// ```
/// use tekton_sdk::{
///     Error, ErrorKind, Result, async_trait,
///     context::Identity,
///     host::{Identify, RequestHead},
/// };
///
/// /// Knows one key.
/// #[derive(Debug)]
/// struct OneKey;
///
/// #[async_trait]
/// impl Identify for OneKey {
///     async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
///         match head.headers.get("x-key").map(|key| key.as_bytes()) {
///             None => Ok(None),
///             Some(b"reader's key") => Ok(Some(Identity::new("reader").with_scopes(["notes.read"]))),
///             Some(_) => Err(Error::new(ErrorKind::Unauthorized, "the key is not known")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Identify: fmt::Debug + Send + Sync + 'static {
    /// Says who sent the request, or that it brings no proof.
    ///
    /// **When:** once for each request for an operation, after its route and before every limit of the host, within its
    /// deadline; never for control routes. **Given:** everything but the body. The host puts the identity into the
    /// operation's [`Context`](crate::Context), and limits the client by it.
    ///
    /// **Must not** take a label for a proof, as `X-Tekton-Caller` is one; accept what it cannot check; wait for long.
    ///
    /// # Errors
    /// A proof that is not accepted: [`Unauthorized`](crate::ErrorKind::Unauthorized), which is answered with 401. The request
    /// goes no further, and counts against the rate of the address that it came from.
    ///
    /// # Cancel safety
    /// The future is dropped when the caller goes away or its time runs out.
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>>;
}

/// A request without its body.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, as sent.
    pub path: &'a str,
    /// The query without its question mark.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The other end of the connection; `None` within a process and on a Unix socket. Behind a proxy it is the proxy.
    pub peer: Option<SocketAddr>,
}

/// Headers and query stay out: that is where secrets travel.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, peer, .. } = self;
        let mut shown = f.debug_struct("RequestHead");
        shown.field("method", method).field("path", path).field("peer", peer).finish_non_exhaustive()
    }
}
