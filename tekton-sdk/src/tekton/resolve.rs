//! From a name to an endpoint, once per attempt: who did not answer comes last for a while.

use std::{
    collections::HashMap,
    future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    contract::Entry,
    directory::{CachedDirectory, Place, Query},
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
    name: Arc<str>,
    query: Query,
    directory: CachedDirectory,
    doubts: Doubts,
    /// Where the directory's answer is remembered.
    place: RwLock<Option<Place>>,
    last: RwLock<Option<Arc<Chosen>>>,
}

/// An endpoint as the directory gave it, and as it was read.
#[derive(Debug)]
struct Chosen {
    text: String,
    parsed: Endpoint,
}

impl Resolve {
    pub(super) fn new(name: Arc<str>, query: Query, directory: CachedDirectory, doubts: Doubts) -> Self {
        Self { name, query, directory, doubts, place: RwLock::default(), last: RwLock::default() }
    }

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
        // Who is known already is called without a future that waits for the directory.
        let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
        let known = place.as_ref().and_then(|place| self.directory.peek_at(place));
        drop(place);
        match known {
            Some(found) if !found.is_empty() => self.attempt(&found, request, next),
            _ => Box::pin(async move {
                let found = self.entries().await?;
                let place = self.directory.place(&self.query);
                *self.place.write().unwrap_or_else(PoisonError::into_inner) = Some(place);
                self.attempt(&found, request, next).await
            }),
        }
    }
}

impl Resolve {
    fn attempt<'a>(&'a self, found: &[Entry], mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let endpoint = match self.endpoint(found) {
            Ok(endpoint) => endpoint,
            Err(error) => return Box::pin(future::ready(Err(error))),
        };
        request.endpoint = Some(Endpoint::clone(&endpoint.parsed));
        let attempt = next.run(request);
        Box::pin(async move {
            let result = attempt.await;
            match &result {
                Err(error) if error.kind() == ErrorKind::Connect => {
                    self.doubts.add(&endpoint.text);
                    self.directory.doubt(&self.query);
                }
                _ => self.doubts.remove(&endpoint.text),
            }
            result
        })
    }

    /// The endpoint of whom to call now. The last one is kept parsed: it rarely changes from call to call.
    fn endpoint(&self, found: &[Entry]) -> Result<Arc<Chosen>> {
        let mut wrong = None;
        // Who gave an endpoint that cannot be read is doubted like one who does not answer; there may be others.
        for _ in found {
            let Some(entry) = self.doubts.choose(found) else { break };
            if let Some(last) = &*self.last.read().unwrap_or_else(PoisonError::into_inner)
                && last.text == entry.endpoint
            {
                return Ok(Arc::clone(last));
            }
            match Endpoint::parse(&entry.endpoint) {
                Ok(parsed) => {
                    let chosen = Arc::new(Chosen { parsed, text: entry.endpoint.clone() });
                    *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&chosen));
                    return Ok(chosen);
                }
                Err(error) => {
                    self.doubts.add(&entry.endpoint);
                    wrong = Some(error);
                }
            }
        }
        Err(wrong.unwrap_or_else(|| Error::not_found("no component is registered")).with_sent(Sent::No))
    }
}
