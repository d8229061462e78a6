//! A directory of this process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Directory, DirectoryCapabilities, Lease, Query, Standing};
use crate::{
    contract::{Capability, Entry, PublishedTool, Registration, Score},
    error::{Error, ErrorKind, Result},
    time::SharedClock,
};

/// A directory in memory: components of one process find each other, or a fixed list is served. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryDirectory {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    tools: Arc<Mutex<BTreeMap<String, PublishedTool>>>,
    clock: SharedClock,
    fixed: bool,
}

impl MemoryDirectory {
    /// An empty directory that dates its entries by this clock.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { entries: Arc::default(), tools: Arc::default(), clock, fixed: false }
    }

    /// A fixed list: it finds, and takes no registrations. Of entries with one id the last counts.
    pub fn fixed(entries: impl IntoIterator<Item = Entry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        let entries = Arc::new(Mutex::new(entries));
        Self { entries, tools: Arc::default(), clock: SharedClock::default(), fixed: true }
    }

    /// Says whether a listed component is well; `None` when nobody knows. Tells whether it is listed.
    pub fn set_health(&self, id: &str, healthy: Option<bool>) -> bool {
        self.lock().get_mut(id).map(|entry| entry.healthy = healthy).is_some()
    }

    /// The tools that are published, by id.
    #[must_use]
    pub fn tools(&self) -> Vec<PublishedTool> {
        self.lock_tools().values().cloned().collect()
    }

    fn lock_tools(&self) -> MutexGuard<'_, BTreeMap<String, PublishedTool>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<()> {
        if self.fixed {
            return Err(Error::new(
                ErrorKind::Rejected,
                "this directory is a fixed list and takes neither registrations nor tools",
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        self.writable()?;
        let Registration { id, name, version, kind, endpoint, capabilities, metadata, .. } = registration.clone();
        let score = |name: &str| metadata.scores.get(name).and_then(|score| Score::new(*score).ok());
        let mut entry = Entry::new(id, name, endpoint);
        entry.version = version;
        entry.kind = Some(kind);
        entry.capabilities = capabilities.into_iter().map(|n| Capability { score: score(&n), name: n }).collect();
        entry.metadata = metadata;
        entry.registered_at = Some(self.clock.wall());
        let lease = Lease::new(entry.id.clone(), entry.endpoint.clone());
        self.lock().insert(entry.id.clone(), entry);
        Ok(lease)
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        self.writable()?;
        let now = self.clock.wall();
        Ok(match self.lock().get_mut(&lease.id) {
            None => Standing::Forgotten,
            Some(entry) if entry.endpoint != lease.endpoint => Standing::Replaced,
            Some(entry) => {
                entry.last_heartbeat = Some(now);
                Standing::Listed
            }
        })
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        self.writable()?;
        let mut entries = self.lock();
        let ours = entries.get(&lease.id).is_some_and(|entry| entry.endpoint == lease.endpoint);
        if ours {
            entries.remove(&lease.id);
        }
        Ok(ours)
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        let entries = self.lock().values().cloned().collect();
        Ok(query.select(entries))
    }

    async fn publish_tools(&self, _: &Lease, tools: &[PublishedTool]) -> Result<()> {
        self.writable()?;
        self.lock_tools().extend(tools.iter().map(|tool| (tool.id.clone(), tool.clone())));
        Ok(())
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        self.writable()?;
        let mut tools = self.lock_tools();
        let before = tools.len();
        tools.retain(|id, tool| !(ids.contains(id) && lease.owns(&tool.endpoint)));
        Ok(before - tools.len())
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        if self.fixed { DirectoryCapabilities::read_only() } else { DirectoryCapabilities::full() }
    }
}
