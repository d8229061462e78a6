//! From a name to an instance, once per attempt.

use std::{
    collections::HashMap,
    fmt, future,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{
    contract::Entry,
    directory::{CachedDirectory, Place, Query},
    error::{Error, ErrorKind, Result, Sent},
    policy::{Balancer, Classify, Instances, Next, Picked, Policy, StickyKey, judge},
    time::{BoxFuture, SharedClock},
    transport::{CallInfo, Request, Response},
};

/// How many queries share what was prepared for them.
const MAX_QUERIES: usize = 1024;

/// What every stage of this kind asks.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) directory: CachedDirectory,
    pub(super) balancer: Balancer,
    pub(super) classify: Arc<dyn Classify>,
    pub(super) clock: SharedClock,
}

/// By what the caller names a component, and by what it looks for.
type Known = HashMap<(Arc<str>, Query), Arc<Resolve>>;

/// The stages of all peers. Peers of one name and query share theirs, so that instances are prepared once.
pub(super) struct Resolves {
    sources: Sources,
    known: Mutex<Known>,
}

impl Resolves {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, known: Mutex::default() }
    }

    pub(super) fn of(&self, name: Arc<str>, query: Query) -> Arc<Resolve> {
        let key = (name, query);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolve) = known.get(&key) {
            return Arc::clone(resolve);
        }
        if known.len() >= MAX_QUERIES {
            // Under the lock nobody can begin to hold one that only the map holds.
            known.retain(|_, resolve| Arc::strong_count(resolve) > 1);
        }
        let resolve = Arc::new(Resolve {
            name: Arc::clone(&key.0),
            query: key.1.clone(),
            sources: self.sources.clone(),
            ready: RwLock::default(),
            several: AtomicBool::new(true),
        });
        if known.len() < MAX_QUERIES {
            known.insert(key, Arc::clone(&resolve));
        }
        resolve
    }

    pub(super) fn balancer(&self) -> &Balancer {
        &self.sources.balancer
    }

    pub(super) fn directory(&self) -> &CachedDirectory {
        &self.sources.directory
    }
}

/// The stage that finds the instance for each attempt of the calls to one peer.
pub(super) struct Resolve {
    name: Arc<str>,
    query: Query,
    sources: Sources,
    ready: RwLock<Option<Ready>>,
    several: AtomicBool,
}

/// An answer of the directory, prepared.
struct Ready {
    /// Where the directory's answer is remembered.
    place: Place,
    found: Arc<[Entry]>,
    instances: Instances,
}

impl Resolve {
    pub(super) async fn entries(&self) -> Result<Arc<[Entry]>> {
        let directory = &self.sources.directory;
        let found = match directory.peek(&self.query) {
            Some(found) => found,
            None => directory.lookup(&self.query).await.map_err(|error| {
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

    /// Whether there may be more than one instance to choose from.
    pub(super) fn several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    /// An instance of whom is known already; `None` where the directory must be asked.
    fn pick_known(&self, now: Instant, call: &CallInfo) -> Option<Result<Picked>> {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        let known = ready.as_ref()?;
        let found = self.sources.directory.peek_at(&known.place, now).filter(|found| !found.is_empty())?;
        if Arc::ptr_eq(&found, &known.found) && known.instances.is_current() {
            return Some(pick(&known.instances, now, call));
        }
        drop(ready);
        Some(self.prepare(found).and_then(|instances| pick(&instances, now, call)))
    }

    /// Sorts an answer of the directory for the calls to come.
    fn prepare(&self, found: Arc<[Entry]>) -> Result<Instances> {
        let groups = self.query.alike(&found);
        let instances =
            self.sources.balancer.grouped(&self.name, &groups).map_err(|error| error.with_sent(Sent::No))?;
        self.several.store(instances.several(), Ordering::Relaxed);
        let place = self.sources.directory.place(&self.query);
        let ready = Ready { place, found, instances: instances.clone() };
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = Some(ready);
        Ok(instances)
    }

    fn attempt<'a>(&'a self, picked: Picked, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let picked = picked.within(&request.call);
        request.endpoint = Some(picked.endpoint().clone());
        let attempt = next.run(request);
        Box::pin(async move {
            let mut outcome = attempt.await;
            let verdict = judge(&*self.sources.classify, &mut outcome);
            let now = self.sources.clock.now();
            let mut reached = true;
            match &mut outcome {
                Ok(response) => response.ended = Some(now),
                // What the callee could not reach is its own affair.
                Err(error) if error.kind() == ErrorKind::Connect && error.remote().is_none() => {
                    reached = false;
                    self.sources.directory.doubt(&self.query);
                }
                Err(_) => {}
            }
            picked.settle_at(verdict, reached, now);
            outcome
        })
    }
}

fn pick(instances: &Instances, now: Instant, call: &CallInfo) -> Result<Picked> {
    let sticky = call.extensions.get::<StickyKey>().copied();
    let picked = instances.pick_at(now, sticky, call.tried.as_ref());
    picked.ok_or_else(|| Error::not_found("no instance is left").with_sent(Sent::No))
}

impl Policy for Resolve {
    fn name(&self) -> &'static str {
        "resolve"
    }

    fn handle<'a>(&'a self, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let now = request.call.began.unwrap_or_else(|| self.sources.clock.now());
        // Who is known already is called without a future that waits for the directory.
        match self.pick_known(now, &request.call) {
            Some(Ok(picked)) => self.attempt(picked, request, next),
            Some(Err(error)) => Box::pin(future::ready(Err(error))),
            None => Box::pin(async move {
                let found = self.entries().await?;
                request.call.waited();
                let instances = self.prepare(found)?;
                let picked = pick(&instances, self.sources.clock.now(), &request.call)?;
                self.attempt(picked, request, next).await
            }),
        }
    }
}

impl fmt::Debug for Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolve").field("name", &self.name).field("query", &self.query).finish_non_exhaustive()
    }
}
