//! Answers that are kept, in bounded memory.

use std::{
    collections::HashMap,
    fmt,
    hash::RandomState,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::AGE};
use serde_json::{Value, json};

use super::{
    fresh::Keeping,
    key::{Hashed, Key},
};
use crate::{
    telemetry::{Gauge, Introspect},
    transport::{Origin, Request, Response},
};

/// How many targets are told apart when their answers are to be forgotten.
const MAX_TARGETS: usize = 1024;
/// What an entry takes beside its key, its headers and its body.
const ENTRY_BYTES: usize = 256;
/// The part of the whole that one answer may take.
const LARGEST: usize = 16;

/// Good answers to reads, for equal reads that come later. Clones share them.
///
/// It keeps at most so many answers and bytes, 10,000 and 64 MiB unless told otherwise; an answer that would take more than a
/// sixteenth of the bytes is not kept. When there is no room, those that were not asked for lately go first.
#[derive(Clone)]
pub struct ReplyCache(Arc<Inner>);

struct Inner {
    max_entries: usize,
    max_bytes: usize,
    hasher: RandomState,
    /// Whether anything was ever read through it: until then no write has anything to outdate.
    used: AtomicBool,
    shelf: Mutex<Shelf>,
    targets: RwLock<HashMap<Arc<str>, Arc<Turn>>>,
    /// What the targets share that came too late for a turn of their own.
    rest: Arc<Turn>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often what is known of a target was outdated.
#[derive(Debug, Default)]
struct Turn(AtomicU64);

/// What was known of a target at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    turn: Arc<Turn>,
    was: u64,
}

impl Moment {
    /// Whether nothing has outdated it since.
    pub(super) fn is_now(&self) -> bool {
        self.turn.0.load(Ordering::Acquire) == self.was
    }
}

/// A kept answer.
#[derive(Debug)]
pub(super) struct Kept {
    target: Arc<str>,
    headers: HeaderMap,
    body: Bytes,
    at: Instant,
    moment: Moment,
    keeping: Keeping,
}

#[derive(Default)]
struct Shelf {
    places: HashMap<Arc<Key>, usize, Hashed>,
    entries: Vec<Entry>,
    hand: usize,
    bytes: usize,
}

struct Entry {
    key: Arc<Key>,
    kept: Arc<Kept>,
    bytes: usize,
    /// Asked for since the hand last passed.
    used: bool,
}

impl Default for ReplyCache {
    fn default() -> Self {
        Self::new(10_000, 64 << 20)
    }
}

impl ReplyCache {
    /// A cache of at most so many answers and bytes, at least one answer.
    #[must_use]
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            max_entries: max_entries.max(1),
            max_bytes,
            hasher: RandomState::new(),
            used: AtomicBool::new(false),
            shelf: Mutex::default(),
            targets: RwLock::default(),
            rest: Arc::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }))
    }

    /// Drops all answers of this target, also those that are under way.
    pub fn forget(&self, target: &str) {
        self.outdate(target);
        self.shelf().retain(|kept| &*kept.target != target);
    }

    /// Drops all answers.
    pub fn clear(&self) {
        self.0.rest.0.fetch_add(1, Ordering::AcqRel);
        for turn in self.0.targets.read().unwrap_or_else(PoisonError::into_inner).values() {
            turn.0.fetch_add(1, Ordering::AcqRel);
        }
        self.shelf().retain(|_| false);
    }

    /// How many answers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf().entries.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes they take, keys and headers included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shelf().bytes
    }

    /// The key of a request, if it is one whose answer can be kept or shared.
    pub(crate) fn key(&self, request: &Request) -> Option<Key> {
        let key = Key::of(request, &self.0.hasher)?;
        if !self.0.used.load(Ordering::Relaxed) {
            self.0.used.store(true, Ordering::Release);
        }
        Some(key)
    }

    /// Whether anything may be known that a write outdates.
    pub(super) fn is_used(&self) -> bool {
        self.0.used.load(Ordering::Acquire)
    }

    /// What is known of a target from here on.
    pub(crate) fn moment(&self, target: &Arc<str>) -> Moment {
        let turn = self.turn(target).unwrap_or_else(|| {
            let mut targets = self.0.targets.write().unwrap_or_else(PoisonError::into_inner);
            if targets.len() >= MAX_TARGETS && !targets.contains_key(target) {
                return Arc::clone(&self.0.rest);
            }
            Arc::clone(targets.entry(Arc::clone(target)).or_default())
        });
        let was = turn.0.load(Ordering::Acquire);
        Moment { turn, was }
    }

    /// Says that what is known of a target does not hold any more. It stays where only its age matters.
    pub(super) fn outdate(&self, target: &str) {
        // A target that nothing was read from has no turn, or shares that of the rest.
        self.turn(target).as_ref().unwrap_or(&self.0.rest).0.fetch_add(1, Ordering::AcqRel);
    }

    fn turn(&self, target: &str) -> Option<Arc<Turn>> {
        self.0.targets.read().unwrap_or_else(PoisonError::into_inner).get(target).cloned()
    }

    /// A kept answer younger than `ttl`, fresh by its own word, and not outdated.
    pub(super) fn fresh(&self, key: &Key, now: Instant, ttl: Duration) -> Option<Response> {
        let found = self.find(key).filter(|kept| {
            let fresh_for = kept.keeping.fresh_for.unwrap_or(Duration::MAX);
            kept.moment.is_now() && kept.stood(now) < fresh_for && kept.age(now) < ttl
        });
        let count = if found.is_some() { &self.0.hits } else { &self.0.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found.map(|kept| kept.response(now, Origin::Cached))
    }

    /// A kept answer no older than `max_age`, though the callee may say another thing by now.
    pub(crate) fn stale(&self, key: &Key, now: Instant, max_age: Duration) -> Option<Response> {
        let kept = self.find(key).filter(|kept| kept.keeping.stale && kept.age(now) <= max_age)?;
        Some(kept.response(now, Origin::Stale))
    }

    fn find(&self, key: &Key) -> Option<Arc<Kept>> {
        let mut shelf = self.shelf();
        let place = *shelf.places.get(key)?;
        let entry = shelf.entries.get_mut(place)?;
        entry.used = true;
        Some(Arc::clone(&entry.kept))
    }

    /// Keeps an answer, unless it says otherwise, is no 200, or is outdated already. A 200 that is not kept takes the place of an
    /// older one all the same.
    pub(crate) fn keep(
        &self,
        key: &Arc<Key>,
        moment: Moment,
        target: &Arc<str>,
        response: &Response,
        now: Instant,
        wall: SystemTime,
    ) {
        if response.status != StatusCode::OK || response.body.is_stream() || !moment.is_now() {
            return;
        }
        let headers: usize = response.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        let body = response.body.as_bytes();
        let bytes = ENTRY_BYTES + key.len() + headers + body.map_or(0, Bytes::len);
        let fits = bytes <= self.0.max_bytes / LARGEST;
        let Some(keeping) = Keeping::of(&response.headers, wall).filter(|_| fits) else {
            let dropped = self.shelf().remove(key);
            return drop(dropped);
        };
        // Copied: a slice would keep the whole buffer alive that it was read into.
        let body = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body));
        let (target, mut headers) = (Arc::clone(target), response.headers.clone());
        // So that it has its place in every copy.
        headers.insert(AGE, keeping.age.as_secs().into());
        let kept = Arc::new(Kept { target, headers, body, at: now, moment, keeping });
        let entry = Entry { key: Arc::clone(key), kept, bytes, used: false };
        let dropped = self.shelf().put(entry, self.0.max_entries, self.0.max_bytes);
        drop(dropped);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// How long it has been kept.
    fn stood(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    /// How long ago the callee wrote it (RFC 9111 §4.2.3).
    fn age(&self, now: Instant) -> Duration {
        self.stood(now) + self.keeping.age
    }

    fn response(&self, now: Instant, origin: impl FnOnce(Duration) -> Origin) -> Response {
        let age = self.age(now);
        let mut response = Response::with_headers(StatusCode::OK, self.headers.clone(), self.body.clone());
        response.headers.insert(AGE, age.as_secs().into());
        response.origin = origin(age);
        (response.attempt, response.went_out) = (0, false);
        response
    }
}

impl Shelf {
    /// Puts an entry in, in place of one of its key, and gives back those that had to go.
    fn put(&mut self, entry: Entry, max_entries: usize, max_bytes: usize) -> Vec<Entry> {
        let mut dropped = Vec::new();
        dropped.extend(self.remove(&entry.key));
        while self.entries.len() >= max_entries || self.bytes + entry.bytes > max_bytes {
            let Some(place) = self.victim() else { break };
            dropped.push(self.take(place));
        }
        self.bytes += entry.bytes;
        self.places.insert(Arc::clone(&entry.key), self.entries.len());
        self.entries.push(entry);
        dropped
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let place = self.places.get(key).copied()?;
        Some(self.take(place))
    }

    /// The first one behind the hand that was not asked for since the hand last passed.
    fn victim(&mut self) -> Option<usize> {
        // Whoever was asked for is spared once, so that the second round at the latest finds one.
        for _ in 0..2 * self.entries.len() {
            self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
            let entry = self.entries.get_mut(self.hand)?;
            if !std::mem::take(&mut entry.used) {
                return Some(self.hand);
            }
        }
        None
    }

    fn take(&mut self, place: usize) -> Entry {
        let entry = self.entries.swap_remove(place);
        self.bytes -= entry.bytes;
        self.places.remove(&entry.key);
        if let Some(moved) = self.entries.get(place)
            && let Some(at) = self.places.get_mut(&moved.key)
        {
            *at = place;
        }
        entry
    }

    fn retain(&mut self, stays: impl Fn(&Kept) -> bool) {
        for place in (0..self.entries.len()).rev() {
            if self.entries.get(place).is_some_and(|entry| !stays(&entry.kept)) {
                self.take(place);
            }
        }
    }
}

impl Introspect for ReplyCache {
    fn section(&self) -> &'static str {
        "replies"
    }

    fn introspect(&self) -> Value {
        json!({
            "entries": self.len(),
            "bytes": self.bytes(),
            "max_entries": self.0.max_entries,
            "max_bytes": self.0.max_bytes,
            "hits": self.0.hits.load(Ordering::Relaxed),
            "misses": self.0.misses.load(Ordering::Relaxed),
        })
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

impl fmt::Debug for ReplyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyCache").field("entries", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
