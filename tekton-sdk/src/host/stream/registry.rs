//! The resumable streams of a host, bounded in number.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{
    bound::{Bound, Hash},
    driver::Driver,
    ends::Ends,
    id::{Ids, StreamId},
    ring::Ring,
    running::{Reader, Running},
    work::Work,
};
use crate::{config::HostConfig, random::Random, time::SharedClock};

/// What all streams of a host share, and those of them that can be resumed.
pub(in crate::host) struct Streams {
    pub(super) clock: SharedClock,
    pub(super) runtime: Handle,
    pub(super) ends: Ends,
    pub(super) keep_alive: Duration,
    pub(super) grace: Duration,
    ring_items: usize,
    ring_bytes: usize,
    most: usize,
    ids: Ids,
    tasks: TaskTracker,
    known: Mutex<Known>,
    readings: AtomicUsize,
}

#[derive(Default)]
struct Known {
    running: HashMap<StreamId, Arc<Running>>,
    /// How many are about to begin.
    reserved: usize,
}

/// Room for one stream, given back when it is dropped.
pub(super) struct Room(Arc<Streams>);

/// A stream that is being read, until it is dropped. It dereferences to what all of them share.
pub(super) struct Reading(Arc<Streams>);

impl Streams {
    /// The tasks of the streams run where this is called: within a runtime.
    pub(in crate::host) fn new(config: &HostConfig, clock: SharedClock, random: Random) -> Self {
        Self {
            clock,
            runtime: Handle::current(),
            ends: Ends::default(),
            keep_alive: config.stream_keep_alive,
            grace: config.stream_grace,
            ring_items: config.stream_ring_items,
            ring_bytes: config.stream_ring_bytes,
            most: config.max_streams,
            ids: Ids::new(random),
            tasks: TaskTracker::new(),
            known: Mutex::default(),
            readings: AtomicUsize::new(0),
        }
    }

    /// Counts a stream that is being read.
    pub(super) fn reading(self: &Arc<Self>) -> Reading {
        self.readings.fetch_add(1, Ordering::Relaxed);
        Reading(Arc::clone(self))
    }

    /// Whether any stream is being read.
    pub(in crate::host) fn are_read(&self) -> bool {
        self.readings.load(Ordering::Relaxed) > 0
    }

    /// How many resumable streams there may be.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    pub(in crate::host) fn count(&self) -> usize {
        self.lock().running.len()
    }

    /// Room for one more. Of those that have ended and that nobody reads, the one that has waited longest makes way.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Room> {
        let mut makes_way = None;
        {
            let mut known = self.lock();
            if known.running.len() + known.reserved >= self.most {
                let idle = known.running.values().filter_map(|running| Some((running.idle_since()?, running.id)));
                let (_, oldest) = idle.min_by_key(|(since, _)| *since)?;
                makes_way = known.running.remove(&oldest);
            }
            known.reserved += 1;
        }
        if let Some(running) = makes_way {
            running.cancel();
        }
        Some(Room(Arc::clone(self)))
    }

    /// Ends the work of a stream at once, if it is this caller's, and waits until it is gone. Tells whether there was one.
    pub(super) async fn cancel(&self, id: Option<StreamId>, caller: &Hash) -> bool {
        let Some(running) = self.find(id, caller) else { return false };
        running.cancel();
        running.over.cancelled().await;
        true
    }

    /// The stream of this id, if it is this caller's. It takes as long where there is none.
    pub(super) fn find(&self, id: Option<StreamId>, caller: &Hash) -> Option<Arc<Running>> {
        let running = id.and_then(|id| self.lock().running.get(&id).cloned());
        let of = running.as_ref().map_or(*caller, |running| running.bound.caller);
        let is_same = bool::from(of.is(caller));
        running.filter(|_| is_same)
    }

    pub(super) fn forget(&self, id: StreamId) {
        self.lock().running.remove(&id);
    }

    /// From here on nobody comes back to a stream whose connection broke.
    pub(in crate::host) fn drain(&self) {
        self.ends.drain();
        self.nudge();
    }

    /// Ends every stream with an error that says that the component shuts down.
    pub(in crate::host) fn end(&self) {
        self.ends.end();
        self.nudge();
    }

    /// Ends every stream without a word, as a crash does.
    pub(in crate::host) fn cut_off(&self) {
        self.ends.cut_off();
        self.nudge();
    }

    /// Waits until the work of every resumable stream is gone; they are to end.
    pub(in crate::host) async fn gone(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn nudge(&self) {
        let all: Vec<_> = self.lock().running.values().cloned().collect();
        all.iter().for_each(|running| running.nudge());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Begins a stream in it.
    pub(super) fn begin(self, bound: Bound, work: Work) -> (Arc<Running>, Reader) {
        let streams = &self.0;
        let ring = Ring::new(streams.ring_items, streams.ring_bytes);
        let (running, reader) = Running::new(streams.ids.next(), bound, ring);
        let running = Arc::new(running);
        streams.lock().running.insert(running.id, Arc::clone(&running));
        let driver = Driver::new(Arc::clone(streams), Arc::clone(&running), work);
        streams.tasks.spawn_on(driver, &streams.runtime);
        (running, reader)
    }
}

impl Deref for Reading {
    type Target = Streams;

    fn deref(&self) -> &Streams {
        &self.0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.readings.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.lock().reserved -= 1;
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("known", &self.count()).field("most", &self.most).finish_non_exhaustive()
    }
}
