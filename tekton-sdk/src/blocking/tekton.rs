//! The handle of a process that blocks.

use std::{fmt, sync::Arc};

use super::{Peer, Scatter, background::Background};
use crate::{
    config::TektonBuilder,
    contract::Entry,
    directory::{Choice, Query},
    error::{ErrorKind, Result},
    tekton,
};

/// What a process of threads needs to call others: the synchronous face of the async [`Tekton`](crate::Tekton).
///
/// Cheap to clone; build one and pass it on. It has an async handle of its own, built on its background thread, because
/// connections belong to the runtime on which they were made; so there is no way from an existing async handle to a face.
/// A component that calls others from `on_blocking` operations is given a face when it is made, before it is served.
#[derive(Clone)]
#[must_use = "the background thread ends with the last clone"]
pub struct Tekton {
    background: Arc<Background>,
    tekton: tekton::Tekton,
}

impl Tekton {
    /// Builds from the file and the environment of the process; see [`Config::load`](crate::Config::load).
    ///
    /// # Errors
    /// Those of [`Tekton::new`].
    pub fn from_env() -> Result<Self> {
        Self::start(tekton::Tekton::from_env)
    }

    /// Starts the background thread and builds the async handle there.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) inside an async task, [`Config`](ErrorKind::Config) as [`TektonBuilder::build`],
    /// [`Internal`](ErrorKind::Internal) if the system gives no thread.
    pub fn new(builder: TektonBuilder) -> Result<Self> {
        Self::start(|| builder.build())
    }

    fn start(build: impl FnOnce() -> Result<tekton::Tekton> + Send + 'static) -> Result<Self> {
        let background = Background::start()?;
        let tekton = background.run(async { build() })?;
        Ok(Self { background: Arc::new(background), tekton })
    }

    /// The component of this name, found when it is called. Never blocks.
    #[must_use]
    pub fn peer(&self, name: impl Into<Arc<str>>) -> Peer {
        self.face_of(self.tekton.peer(name))
    }

    /// Whoever matches best when called. Never blocks.
    #[must_use]
    pub fn peer_for(&self, query: Query) -> Peer {
        self.face_of(self.tekton.peer_for(query))
    }

    /// The component at this endpoint; no directory is asked. Never blocks.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the endpoint is malformed.
    pub fn peer_at(&self, endpoint: &str) -> Result<Peer> {
        Ok(self.face_of(self.tekton.peer_at(endpoint)?))
    }

    /// The components that match, best first; none is an empty list.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) inside an async task, [`Closed`](ErrorKind::Closed) after [`Tekton::shutdown`], and
    /// those of the road to the directory.
    pub fn discover(&self, query: &Query) -> Result<Vec<Entry>> {
        let (tekton, query) = (self.tekton.clone(), query.clone());
        self.background.run(async move { tekton.discover(&query).await })
    }

    /// The components that will do, best first, each with why it stands where it stands; none is an empty list.
    ///
    /// # Errors
    /// Those of [`Tekton::discover`], and of [`Query::check`].
    pub fn choose(&self, query: &Query) -> Result<Vec<Choice>> {
        let (tekton, query) = (self.tekton.clone(), query.clone());
        self.background.run(async move { tekton.choose(&query).await })
    }

    /// Asks several components that match at once. Never blocks by itself.
    pub fn scatter(&self, query: Query) -> Scatter {
        Scatter::new(Arc::clone(&self.background), self.tekton.scatter(query))
    }

    /// Every registered component.
    ///
    /// # Errors
    /// Those of [`Tekton::discover`].
    pub fn components(&self) -> Result<Vec<Entry>> {
        self.discover(&Query::everybody())
    }

    /// Ends what runs beside the calls, then the background thread, and waits until it has ended; for all clones. A call that
    /// another thread is waiting for becomes [`Cancelled`](ErrorKind::Cancelled), later ones are
    /// [`Closed`](ErrorKind::Closed). Doing it twice is no error.
    ///
    /// Dropping the last clone does the same without waiting.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) inside an async task.
    pub fn shutdown(&self) -> Result<()> {
        let tekton = self.tekton.clone();
        let done = self.background.run(async move {
            tekton.shutdown().await;
            Ok(())
        });
        self.background.end()?;
        match done {
            Err(error) if !matches!(error.kind(), ErrorKind::Closed | ErrorKind::Cancelled) => Err(error),
            _ => Ok(()),
        }
    }

    fn face_of(&self, peer: tekton::Peer) -> Peer {
        Peer::new(Arc::clone(&self.background), peer)
    }

    /// The thread, for tests that wait for its end.
    #[cfg(all(test, feature = "host", feature = "http"))]
    pub(super) fn take_thread(&self) -> Option<std::thread::JoinHandle<()>> {
        self.background.take_thread()
    }
}

impl fmt::Debug for Tekton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Tekton").field(&self.tekton).finish()
    }
}
