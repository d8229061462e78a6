//! Seam: who is there, and what can they do.

mod cached;
mod config;
mod hermes;
mod keeper;
mod machine;
mod memory;
mod preference;
mod query;
mod watch;

use std::fmt;

use async_trait::async_trait;

use crate::{
    contract::{Entry, PublishedTool, Registration},
    error::Result,
    secret::Secret,
};

pub(crate) use cached::Place;
pub use cached::{CacheStats, CachedDirectory};
pub use config::{DirectoryConfig, HubConfig};
pub use hermes::HermesDirectory;
pub use keeper::{Presence, Registered};
pub use memory::MemoryDirectory;
pub use preference::{Choice, Criterion, Mark, Preference};
pub use query::{HealthFilter, Query, Rank};
pub use watch::{Change, Watch};

/// Registers components and finds them.
///
/// Third parties implement it; `tekton_sdk::directory_conformance!` checks an implementation.
#[async_trait]
pub trait Directory: fmt::Debug + Send + Sync + 'static {
    /// Registers a component; the same id again replaces the entry.
    ///
    /// **When:** at start, and again before the lease ends or when the directory has forgotten it.
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) where registration is not offered; those of the road to the directory.
    async fn register(&self, registration: &Registration) -> Result<Lease>;

    /// Says that the component is alive, and tells whether the directory still lists it.
    ///
    /// # Errors
    /// Those of the road to the directory. That the entry is gone is a [`Standing`], not an error.
    async fn heartbeat(&self, lease: &Lease) -> Result<Standing>;

    /// Removes the entry if it is still this lease's: same id, same endpoint. Tells whether it did.
    ///
    /// **Must not** remove the entry of a newer process that took over the id.
    ///
    /// # Errors
    /// Those of the road to the directory. That the entry was gone already is no error.
    async fn unregister(&self, lease: &Lease) -> Result<bool>;

    /// The entries that match, best first as [`Query::ranked`] says; none is an empty list.
    ///
    /// # Errors
    /// Those of the road to the directory.
    async fn find(&self, query: &Query) -> Result<Vec<Entry>>;

    /// Lists the tools of a registered component, each under its own id; the same id again replaces the tool.
    ///
    /// **When:** after a registration, and again after every other one: who forgot the entry has forgotten them too.
    ///
    /// **Given:** tools whose endpoints stand below the lease's.
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) where tools are not offered; those of the road to the directory. Some of the
    /// tools may be listed then.
    async fn publish_tools(&self, lease: &Lease, tools: &[PublishedTool]) -> Result<()>;

    /// Removes the tools of these ids, as far as they still are this lease's: their endpoints stand below its own. Tells how
    /// many it removed.
    ///
    /// **Must not** remove the tools of a newer process that took over the id.
    ///
    /// # Errors
    /// As [`publish_tools`](Self::publish_tools). That a tool was gone already is no error.
    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize>;

    /// What this directory can do. What is not declared here must fail with a sentence.
    fn capabilities(&self) -> DirectoryCapabilities;
}

/// What a [`Directory`] can do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectoryCapabilities {
    /// Whether components can be registered; a fixed list says no.
    pub registration: bool,
    /// Whether entries say when they were last heard of.
    pub heartbeats: bool,
    /// Whether tools can be published.
    pub tools: bool,
}

impl DirectoryCapabilities {
    /// Registers, keeps heartbeats, and lists tools.
    #[must_use]
    pub const fn full() -> Self {
        Self { registration: true, heartbeats: true, tools: true }
    }

    /// Finds only.
    #[must_use]
    pub const fn read_only() -> Self {
        Self { registration: false, heartbeats: false, tools: false }
    }
}

/// The right to an entry.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Lease {
    /// The id under which the component is registered.
    pub id: String,
    /// The endpoint it registered: what tells its entry from a newer process's.
    pub endpoint: String,
    /// The directory's proof, if it gives one.
    pub token: Option<Secret<String>>,
}

impl Lease {
    /// A lease of this id and endpoint without a token.
    pub fn new(id: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self { id: id.into(), endpoint: endpoint.into(), token: None }
    }

    /// Whether this URL stands below the lease's endpoint.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        let endpoint = self.endpoint.trim_end_matches('/');
        url.strip_prefix(endpoint).is_some_and(|path| path.starts_with('/'))
    }

    /// Adds the directory's proof.
    #[must_use]
    pub fn with_token(mut self, token: Secret<String>) -> Self {
        self.token = Some(token);
        self
    }
}

/// How a directory sees a registered component.
#[expect(clippy::exhaustive_enums, reason = "the keeper must act on each")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Its entry is there.
    Listed,
    /// Its entry is gone, or its token is not accepted: register again.
    Forgotten,
    /// Its id is listed with another endpoint: a newer process has taken over.
    Replaced,
}
