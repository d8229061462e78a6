//! From a name to an endpoint, once per attempt: who did not answer comes last for a while.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    contract::Entry,
    directory::{CachedDirectory, Query},
    error::{Error, ErrorKind, Result, Sent},
    policy::{Next, Policy},
    time::{BoxFuture, SharedClock},
    transport::{Endpoint, Request, Response},
};

/// How long an endpoint that could not be reached comes last.
const DOUBTED_FOR: Duration = Duration::from_secs(5);
/// The most endpoints that are remembered as unreachable.
const MAX_DOUBTS: usize = 1024;

/// Endpoints that could not be reached lately. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Doubts {
    clock: SharedClock,
    since: Arc<Mutex<HashMap<String, Instant>>>,
    count: Arc<AtomicUsize>,
}

impl Doubts {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, since: Arc::default(), count: Arc::default() }
    }

    fn add(&self, endpoint: &str) {
        let now = self.clock.now();
        let mut since = self.lock();
        if since.len() >= MAX_DOUBTS {
            since.retain(|_, at| now.saturating_duration_since(*at) < DOUBTED_FOR);
        }
        if since.len() < MAX_DOUBTS {
            since.insert(endpoint.to_owned(), now);
        }
        self.count.store(since.len(), Ordering::Release);
    }

    fn remove(&self, endpoint: &str) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut since = self.lock();
            since.remove(endpoint);
            self.count.store(since.len(), Ordering::Release);
        }
    }

    /// The first entry that is not doubted; where all are, the one doubted longest ago.
    fn choose<'a>(&self, entries: &'a [Entry]) -> Option<&'a Entry> {
        if self.count.load(Ordering::Acquire) == 0 {
            return entries.first();
        }
        let now = self.clock.now();
        let since = self.lock();
        let doubted = |entry: &&Entry| {
            since.get(&entry.endpoint).copied().filter(|at| now.saturating_duration_since(*at) < DOUBTED_FOR)
        };
        // `None` sorts first, and of equal ones `min_by_key` takes the first: the directory's order is kept.
        entries.iter().min_by_key(doubted)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stage that finds the endpoint of one peer.
#[derive(Debug)]
pub(super) struct Resolve {
    pub(super) name: Arc<str>,
    pub(super) query: Query,
    pub(super) directory: CachedDirectory,
    pub(super) doubts: Doubts,
}

impl Resolve {
    pub(super) async fn entries(&self) -> Result<Arc<[Entry]>> {
        let found = match self.directory.peek(&self.query) {
            Some(found) => found,
            None => self.directory.lookup(&self.query).await.map_err(|error| {
                // Whatever went wrong on the road to the directory, the call itself was not sent.
                error.with_sent(Sent::No)
            })?,
        };
        if found.is_empty() {
            let error = Error::not_found(format!("no component is registered for {}", self.query.describe()));
            return Err(error.with_target(self.name.to_string()).with_sent(Sent::No));
        }
        Ok(found)
    }
}

impl Policy for Resolve {
    fn name(&self) -> &'static str {
        "resolve"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        Box::pin(self.attempt(request, next))
    }
}

impl Resolve {
    async fn attempt(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        let found = self.entries().await?;
        let Some(entry) = self.doubts.choose(&found) else {
            return Err(Error::not_found("no component is registered"));
        };
        request.endpoint = Some(Endpoint::parse(&entry.endpoint)?);
        let result = next.run(request).await;
        match &result {
            Err(error) if error.kind() == ErrorKind::Connect => {
                self.doubts.add(&entry.endpoint);
                self.directory.doubt(&self.query);
            }
            _ => self.doubts.remove(&entry.endpoint),
        }
        result
    }
}
