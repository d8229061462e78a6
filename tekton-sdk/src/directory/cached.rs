//! What was found is remembered: fresh, stale while it is refreshed, and nobody too.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Directory, DirectoryCapabilities, DirectoryConfig, Lease, Query, Standing, Watch};
use crate::{
    contract::{Entry, PublishedTool, Registration},
    error::{Error, ErrorKind, Result},
    telemetry::{Event, Gauge, Introspect, Observers},
    time::SharedClock,
};

/// A directory in front of another that remembers what it found. Clones share their memory.
///
/// | age of the answer | what happens |
/// |---|---|
/// | up to `ttl` (`negative_ttl` for "nobody") | it is served |
/// | up to `stale_for` more | it is served, and one refresh runs beside |
/// | older | one caller asks, all others wait for the same answer |
/// | the directory is down | the last answer is served, however old; without one, the failure for `negative_ttl` |
///
/// Registrations pass through and make the next look-up ask again.
#[derive(Clone, Debug)]
pub struct CachedDirectory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: Arc<dyn Directory>,
    config: DirectoryConfig,
    clock: SharedClock,
    observers: Observers,
    slots: RwLock<HashMap<Query, Arc<Slot>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    hits: AtomicU64,
    stale: AtomicU64,
    asked: AtomicU64,
}

/// How a cache has served so far.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups served from a fresh answer.
    pub hits: u64,
    /// Look-ups served from an old answer.
    pub stale: u64,
    /// Questions put to the directory behind.
    pub asked: u64,
}

/// Where the answer to one query is remembered.
#[derive(Debug)]
pub(crate) struct Place(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    known: Mutex<Known>,
    flight: tokio::sync::Mutex<()>,
    refreshing: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct Known {
    found: Option<(Arc<[Entry]>, Instant)>,
    failed: Option<(ErrorKind, Arc<str>, Instant)>,
    doubted: bool,
    doubted_at: Option<Instant>,
}

enum Age {
    Fresh(Arc<[Entry]>),
    Stale(Arc<[Entry]>),
    /// The directory is known to be down: the answer is served without asking again.
    Kept(Arc<[Entry]>),
    Ask,
    Failed(Error),
}

impl CachedDirectory {
    /// Remembers what `directory` finds.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, config: DirectoryConfig, clock: SharedClock) -> Self {
        Self::observed(directory, config, clock, Observers::default())
    }

    /// Remembers what `directory` finds, and tells these observers when it is down.
    #[must_use]
    pub fn observed(
        directory: Arc<dyn Directory>,
        config: DirectoryConfig,
        clock: SharedClock,
        observers: Observers,
    ) -> Self {
        Self(Arc::new(Inner {
            directory,
            config,
            clock,
            observers,
            slots: RwLock::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            hits: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        }))
    }

    /// The answer, if a fresh one is remembered. Never waits.
    #[must_use]
    pub fn peek(&self, query: &Query) -> Option<Arc<[Entry]>> {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        self.peek_into(slots.get(query)?, self.0.clock.now())
    }

    /// Where the answer to a query is remembered, for those who ask the same again and again.
    pub(crate) fn place(&self, query: &Query) -> Place {
        Place(self.slot(query))
    }

    /// The same as [`Self::peek`], without looking for the query and at the clock.
    pub(crate) fn peek_at(&self, place: &Place, now: Instant) -> Option<Arc<[Entry]>> {
        self.peek_into(&place.0, now)
    }

    fn peek_into(&self, slot: &Slot, now: Instant) -> Option<Arc<[Entry]>> {
        let known = slot.lock();
        let (found, at) = known.found.as_ref().filter(|_| !known.doubted)?;
        let fresh = now.saturating_duration_since(*at) <= self.0.lifetime(found);
        let found = fresh.then(|| Arc::clone(found))?;
        self.0.hits.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// The entries that match, remembered or asked for.
    ///
    /// # Errors
    /// Those of [`Query::check`], and those of the directory behind, where nothing is remembered.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the asking to the next caller.
    pub async fn lookup(&self, query: &Query) -> Result<Arc<[Entry]>> {
        if let Some(found) = self.peek(query) {
            return Ok(found);
        }
        query.check()?;
        let slot = self.slot(query);
        match self.0.age(&slot) {
            Age::Fresh(found) => Ok(found),
            Age::Stale(found) => {
                self.0.stale.fetch_add(1, Ordering::Relaxed);
                self.refresh(query, &slot);
                Ok(found)
            }
            Age::Kept(found) => {
                self.0.stale.fetch_add(1, Ordering::Relaxed);
                Ok(found)
            }
            Age::Failed(error) => Err(error),
            Age::Ask => self.0.ask(query, &slot).await,
        }
    }

    /// Makes the next look-up ask, once per `negative_ttl`: an endpoint that was found does not answer.
    pub fn doubt(&self, query: &Query) {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slots.get(query) else { return };
        let now = self.0.clock.now();
        let mut known = slot.lock();
        let recently = |at: Instant| now.saturating_duration_since(at) < self.0.config.negative_ttl;
        if !known.doubted_at.is_some_and(recently) {
            known.doubted = true;
            known.doubted_at = Some(now);
        }
    }

    /// Makes the next look-up of every query ask. The old answers stay, in case the directory is down by then.
    pub fn doubt_all(&self) {
        for slot in self.0.slots.read().unwrap_or_else(PoisonError::into_inner).values() {
            slot.lock().doubted = true;
        }
    }

    /// The changes of what a query finds, asked for every `ttl`.
    pub fn watch(&self, query: Query) -> Watch {
        Watch::new(Arc::clone(&self.0.directory), query, self.0.clock.clone(), self.0.config.ttl)
    }

    /// How it has served so far.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats { hits: read(&self.0.hits), stale: read(&self.0.stale), asked: read(&self.0.asked) }
    }

    /// Ends the refreshes that run beside.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn slot(&self, query: &Query) -> Arc<Slot> {
        if let Some(slot) = self.0.slots.read().unwrap_or_else(PoisonError::into_inner).get(query) {
            return Arc::clone(slot);
        }
        let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= self.0.config.max_entries && !slots.contains_key(query) {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.lock().found.as_ref().map(|(_, at)| *at));
            if let Some(query) = oldest.map(|(query, _)| query.clone())
                && let Some(slot) = slots.remove(&query)
            {
                // Whoever keeps the place does not go on with it.
                slot.lock().doubted = true;
            }
        }
        Arc::clone(slots.entry(query.clone()).or_default())
    }

    /// Starts a refresh unless one runs.
    fn refresh(&self, query: &Query, slot: &Arc<Slot>) {
        if self.0.stop.is_cancelled() || slot.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (inner, query, slot) = (Arc::clone(&self.0), query.clone(), Arc::clone(slot));
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(inner.ask(&query, &slot)).await {
                tracing::debug!(query = %query.describe(), error = %error.report(), "refresh failed");
            }
            slot.refreshing.store(false, Ordering::Release);
        });
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lifetime(&self, found: &[Entry]) -> Duration {
        if found.is_empty() { self.config.negative_ttl } else { self.config.ttl }
    }

    fn age(&self, slot: &Slot) -> Age {
        let now = self.clock.now();
        let since = |at: Instant| now.saturating_duration_since(at);
        let known = slot.lock();
        let down = known.failed.as_ref().filter(|(.., at)| since(*at) < self.config.negative_ttl);
        match (&known.found, down) {
            (Some((found, at)), _) if !known.doubted && since(*at) <= self.lifetime(found) => {
                Age::Fresh(Arc::clone(found))
            }
            (Some((found, _)), Some(_)) if !found.is_empty() => Age::Kept(Arc::clone(found)),
            (_, Some((kind, what, _))) => Age::Failed(Error::new(*kind, what.to_string())),
            (Some((found, at)), None) if !known.doubted && !found.is_empty() && since(*at) <= self.stale_until() => {
                Age::Stale(Arc::clone(found))
            }
            (_, None) => Age::Ask,
        }
    }

    fn stale_until(&self) -> Duration {
        self.config.ttl.saturating_add(self.config.stale_for)
    }

    /// Asks the directory; callers that come meanwhile wait for the same answer.
    async fn ask(&self, query: &Query, slot: &Slot) -> Result<Arc<[Entry]>> {
        let came_at = self.clock.now();
        let _flight = slot.flight.lock().await;
        {
            let known = slot.lock();
            if let Some((found, at)) = &known.found
                && *at >= came_at
                && !known.doubted
            {
                return Ok(Arc::clone(found));
            }
            if let Some((kind, what, at)) = &known.failed
                && *at >= came_at
            {
                return match &known.found {
                    Some((found, _)) if !found.is_empty() => Ok(Arc::clone(found)),
                    _ => Err(Error::new(*kind, what.to_string())),
                };
            }
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.directory.find(query).await;
        let now = self.clock.now();
        let mut known = slot.lock();
        match answer {
            Ok(found) => {
                let found: Arc<[Entry]> = found.into();
                known.found = Some((Arc::clone(&found), now));
                known.failed = None;
                known.doubted = false;
                Ok(found)
            }
            Err(error) => {
                known.failed = Some((error.kind(), error.report().into(), now));
                match &known.found {
                    Some((found, _)) if !found.is_empty() => {
                        tracing::warn!(error = %error.report(), "the directory is down; the last answer is served");
                        let found = Arc::clone(found);
                        drop(known);
                        self.observers.tell(&Event::DirectoryStale { query: &query.describe() });
                        Ok(found)
                    }
                    _ => Err(error),
                }
            }
        }
    }
}

/// How many remembered queries, and how many entries of each, are shown.
const MAX_SHOWN: usize = 100;

impl Introspect for CachedDirectory {
    fn section(&self) -> &'static str {
        "peers"
    }

    /// What is remembered: for each query the entries, the one that is called first at the head.
    fn introspect(&self) -> serde_json::Value {
        let now = self.0.clock.now();
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        let shown = slots.iter().take(MAX_SHOWN).filter_map(|(query, slot)| {
            let (found, at) = slot.lock().found.clone()?;
            // An endpoint is what somebody registered: a password in it is not repeated.
            let endpoint = |text: &str| if text.contains('@') { "***".to_owned() } else { text.to_owned() };
            let entries = found.iter().take(MAX_SHOWN).map(|entry| {
                serde_json::json!({
                    "id": entry.id,
                    "name": entry.name,
                    "version": entry.version,
                    "endpoint": endpoint(&entry.endpoint),
                })
            });
            let entries: Vec<_> = entries.collect();
            let age = now.saturating_duration_since(at).as_secs_f64();
            Some((query.describe(), serde_json::json!({ "age_seconds": age, "entries": entries })))
        });
        serde_json::Value::Object(shown.collect())
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

#[async_trait]
impl Directory for CachedDirectory {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        let lease = self.0.directory.register(registration).await?;
        self.doubt_all();
        Ok(lease)
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        self.0.directory.heartbeat(lease).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        let removed = self.0.directory.unregister(lease).await?;
        self.doubt_all();
        Ok(removed)
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        Ok(self.lookup(query).await?.to_vec())
    }

    async fn publish_tools(&self, lease: &Lease, tools: &[PublishedTool]) -> Result<()> {
        self.0.directory.publish_tools(lease, tools).await
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        self.0.directory.withdraw_tools(lease, ids).await
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        self.0.directory.capabilities()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::MemoryDirectory;

    #[tokio::test]
    async fn a_place_that_made_room_for_another_query_is_not_read_any_more() {
        let directory =
            MemoryDirectory::fixed([Entry::new("a-1", "a", "http://a"), Entry::new("b-1", "b", "http://b")]);
        let config = DirectoryConfig { max_entries: 1, ..DirectoryConfig::default() };
        let cached = CachedDirectory::new(Arc::new(directory), config, SharedClock::default());
        let [a, b] = ["a", "b"].map(Query::name);
        cached.lookup(&a).await.unwrap();
        let place = cached.place(&a);
        let now = cached.0.clock.now();
        assert_eq!(cached.peek_at(&place, now).unwrap()[0].id, "a-1");
        cached.lookup(&b).await.unwrap();
        assert_eq!((cached.peek_at(&place, now), cached.peek(&a)), (None, None));
    }
}
