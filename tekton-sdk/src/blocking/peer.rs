//! A remote component, for threads.

use std::{fmt, sync::Arc};

use super::{Call, background::Background};
use crate::{error::Result, patterns::request::Ping, tekton};

/// A component to talk to; cheap to clone.
#[derive(Clone)]
pub struct Peer {
    background: Arc<Background>,
    peer: tekton::Peer,
}

impl Peer {
    pub(super) fn new(background: Arc<Background>, peer: tekton::Peer) -> Self {
        Self { background, peer }
    }

    /// What the caller calls it: its name, what it was looked for by, or host and port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.peer.name()
    }

    /// Calls an operation: `POST /api/v1/{operation}` with a JSON object of the arguments, unless the builder says otherwise.
    ///
    /// `T` is what the answer is read as; `serde_json::Value` takes everything.
    pub fn request<T>(&self, operation: impl AsRef<str>) -> Call<T> {
        Call::new(Arc::clone(&self.background), self.peer.clone(), operation.as_ref())
    }

    /// Asks the component's `/health`, within 5 s, and says how long that took.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) inside an async task, [`Closed`](crate::ErrorKind::Closed) after
    /// [`shutdown`](super::Tekton::shutdown), [`NotFound`](crate::ErrorKind::NotFound) or
    /// [`Connect`](crate::ErrorKind::Connect) and the other kinds of a road that does not work. A component that answers and
    /// says it is ill is no error.
    pub fn ping(&self) -> Result<Ping> {
        let peer = self.peer.clone();
        self.background.run(async move { peer.ping().await })
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Peer").field(&self.peer).finish()
    }
}
