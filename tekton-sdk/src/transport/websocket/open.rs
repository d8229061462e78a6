//! From an endpoint to a WebSocket.

use std::{fmt, io, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;

use super::{
    socket::Socket,
    upgrade::{NoUpgrade, upgrade},
};
use crate::{
    error::{Error, ErrorKind, Result},
    time::SharedClock,
    transport::{
        Endpoint,
        failure::failure,
        mesh::{Dial, Stream},
        tls,
    },
};

/// What a WebSocket of this side runs over.
pub(crate) type Road = TokioIo<Stream>;

/// Opens WebSockets, each within one limit.
pub(crate) struct Opener {
    dial: Dial,
    clock: SharedClock,
    limit: Duration,
    max_message_bytes: usize,
}

/// Why there is none.
pub(crate) struct NotOpen {
    /// With which status the upgrade was answered, if it was.
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Error,
}

impl Opener {
    /// # Errors
    /// [`Config`](ErrorKind::Config) if TLS cannot be set up.
    pub(crate) fn new(limit: Duration, max_message_bytes: usize, clock: SharedClock) -> Result<Self> {
        let tls = TlsConnector::from(Arc::new(tls::config("http/1.1")?));
        let dial = Dial { clock: clock.clone(), limit, tls };
        Ok(Self { dial, clock, limit, max_message_bytes })
    }

    /// Opens a WebSocket at this path below an endpoint. What the headers are made of is waited for within the limit.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up.
    pub(crate) async fn open(
        &self,
        endpoint: &Endpoint,
        path: &str,
        headers: impl Future<Output = Result<HeaderMap>> + Send,
    ) -> Result<Socket<Road>, NotOpen> {
        let opening = async {
            let headers = headers.await.map_err(|error| NotOpen { status: None, error })?;
            let stream = self.dial.open(endpoint).await.map_err(|error| NotOpen { status: None, error })?;
            let Some(host) = endpoint.host_header() else {
                let error = Error::invalid(format!("{endpoint} names a host that HTTP does not allow"));
                return Err(NotOpen { status: None, error });
            };
            let target = [endpoint.base_path(), path].concat();
            let socket = upgrade(stream, host.clone(), &target, &headers, self.max_message_bytes).await;
            socket.map_err(|error| {
                let status = if let NoUpgrade::Status(status) = &error { Some(*status) } else { None };
                NotOpen { status, error: failure(ErrorKind::Connect, endpoint, error) }
            })
        };
        self.clock.timeout(self.limit, opening).await.unwrap_or_else(|| {
            let late = format!("connecting took longer than {:?}", self.limit);
            let late = io::Error::new(io::ErrorKind::TimedOut, late);
            Err(NotOpen { status: None, error: failure(ErrorKind::Connect, endpoint, late) })
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("limit", &self.limit).finish_non_exhaustive()
    }
}
