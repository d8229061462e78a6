//! Connections that wait for the next call.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

#[cfg(feature = "http2")]
use super::shared::{Carriers, Fit};
use super::{
    MeshTransportConfig,
    line::{Count, Line},
};
use crate::{time::SharedClock, transport::Endpoint};

/// A connection that has been idle for longer is asked of the system before it is used: the runtime may not have heard yet that
/// the callee closed it.
const UNSEEN: Duration = Duration::from_millis(1);

type Slots = HashMap<Endpoint, Arc<Slot>, BuildHasherDefault<Hashed>>;

/// Takes the hash that an endpoint brings along.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The connections of all endpoints.
pub(super) struct Pool {
    slots: RwLock<Slots>,
    limits: Limits,
    clock: SharedClock,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    max_idle: usize,
    idle_timeout: Duration,
    max_age: Duration,
    max_endpoints: usize,
    #[cfg(feature = "http2")]
    max_streams: usize,
}

/// The connections of one endpoint.
pub(super) struct Slot {
    limits: Limits,
    clock: SharedClock,
    /// The one that was used last stands last: it is taken first, so that the rest may grow old and go.
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicUsize>,
    #[cfg(feature = "http2")]
    pub(super) carriers: Carriers,
}

struct Idle {
    line: Box<Line>,
    since: Instant,
}

/// A connection in use. Dropped, it is closed; only [`give_back`](Self::give_back) keeps it.
pub(super) struct Lease {
    pub(super) line: Box<Line>,
    slot: Arc<Slot>,
}

impl Pool {
    pub(super) fn new(config: &MeshTransportConfig, clock: SharedClock) -> Arc<Self> {
        let limits = Limits {
            max_idle: config.max_idle_per_endpoint,
            idle_timeout: config.idle_timeout,
            max_age: config.max_age,
            max_endpoints: config.max_endpoints,
            #[cfg(feature = "http2")]
            max_streams: config.max_streams_per_connection,
        };
        Arc::new(Self { slots: RwLock::default(), limits, clock, sweeper: Mutex::new(None) })
    }

    /// The connections of an endpoint.
    pub(super) fn slot(&self, endpoint: &Endpoint) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(endpoint) {
            return Arc::clone(slot);
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let evicted = match slots.len() >= self.limits.max_endpoints && !slots.contains_key(endpoint) {
            // Whoever still uses one of its connections keeps it; it is only not given back to anybody.
            true => oldest(&slots).and_then(|oldest| slots.remove(&oldest)),
            false => None,
        };
        let slot = slots.entry(endpoint.clone()).or_insert_with(|| Arc::new(Slot::new(self)));
        let slot = Arc::clone(slot);
        drop(slots);
        // Closing connections is work for the system, and nobody waits for the lock meanwhile.
        drop(evicted);
        slot
    }

    /// What a shared connection must still be good for now.
    #[cfg(feature = "http2")]
    pub(super) fn fit(&self) -> Fit {
        let Limits { idle_timeout, max_age, max_streams, .. } = self.limits;
        Fit { now: self.clock.now(), idle_timeout, max_age, max_streams }
    }

    /// Closes what nobody called for in time. The task ends once no connection is open.
    pub(super) fn sweep_from_now_on(self: &Arc<Self>) {
        let mut sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            let (pool, clock, every) = (Arc::downgrade(self), self.clock.clone(), self.limits.idle_timeout);
            *sweeper = Some(tokio::spawn(async move {
                while pool.upgrade().is_some_and(|pool| pool.sweep()) {
                    clock.sleep(every.max(Duration::from_millis(100))).await;
                }
            }));
        }
    }

    /// Tells whether any connection is open.
    fn sweep(&self) -> bool {
        let now = self.clock.now();
        let (mut closed, mut open) = (Vec::new(), 0);
        for slot in self.slots.read().unwrap_or_else(PoisonError::into_inner).values() {
            #[cfg(feature = "http2")]
            slot.carriers.sweep(self.fit());
            open += slot.open.load(Ordering::Relaxed);
            let mut idle = slot.idle();
            let old =
                idle.partition_point(|idle| now.saturating_duration_since(idle.since) >= self.limits.idle_timeout);
            closed.extend(idle.drain(..old));
        }
        open > closed.len()
    }

    /// Closes every idle connection, and ends the task that sweeps.
    pub(super) async fn shutdown(&self) {
        let slots = mem::take(&mut *self.slots.write().unwrap_or_else(PoisonError::into_inner));
        drop(slots);
        let sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sweeper) = sweeper {
            sweeper.abort();
            // It was told to end; whether it had ended before does not matter.
            let _ = sweeper.await;
        }
    }

    /// The open and the idle connections of the first endpoints by name, and how many endpoints were left out.
    pub(super) fn numbers(&self, most: usize) -> (Vec<(Endpoint, usize, usize)>, usize) {
        let mut numbers: Vec<_> = {
            let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
            let of = |(endpoint, slot): (&Endpoint, &Arc<Slot>)| (endpoint.clone(), Arc::clone(slot));
            slots.iter().map(of).collect()
        };
        numbers.sort_by_cached_key(|(endpoint, _)| endpoint.to_string());
        let left_out = numbers.len().saturating_sub(most);
        numbers.truncate(most);
        let of = |(endpoint, slot): (Endpoint, Arc<Slot>)| {
            let idle = slot.idle_count();
            (endpoint, slot.open.load(Ordering::Relaxed), idle)
        };
        (numbers.into_iter().map(of).collect(), left_out)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(sweeper) = self.sweeper.get_mut().unwrap_or_else(PoisonError::into_inner) {
            sweeper.abort();
        }
    }
}

impl Slot {
    fn new(pool: &Pool) -> Self {
        Self {
            limits: pool.limits,
            clock: pool.clock.clone(),
            idle: Mutex::default(),
            open: Arc::default(),
            #[cfg(feature = "http2")]
            carriers: Carriers::default(),
        }
    }

    /// A connection that is open, young enough, and was used not long ago.
    pub(super) fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut closed = Vec::new();
        let now = self.clock.now();
        loop {
            let Idle { line, since } = {
                let mut idle = self.idle();
                let last = idle.pop()?;
                if now.saturating_duration_since(last.since) >= self.limits.idle_timeout {
                    // Those before it have been idle for even longer.
                    closed = mem::take(&mut *idle);
                }
                last
            };
            let unused = now.saturating_duration_since(since);
            if unused < self.limits.idle_timeout && !self.is_old(&line, now) {
                if unused >= UNSEEN {
                    line.doubt();
                }
                return Some(Lease { line, slot: Arc::clone(self) });
            }
            drop((line, mem::take(&mut closed)));
        }
    }

    /// A connection that has just been opened, counted by [`count`](Self::count).
    pub(super) fn lease(self: &Arc<Self>, line: Line) -> Lease {
        Lease { line: Box::new(line), slot: Arc::clone(self) }
    }

    fn is_old(&self, line: &Line, now: Instant) -> bool {
        now.saturating_duration_since(line.opened) >= self.limits.max_age
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_count(&self) -> usize {
        #[cfg(feature = "http2")]
        let shared = self.carriers.idle();
        #[cfg(not(feature = "http2"))]
        let shared = 0;
        self.idle().len() + shared
    }

    /// Counts one more open connection for as long as what is returned lives.
    pub(super) fn count(&self) -> Count {
        Count::one_more(&self.open)
    }
}

impl Lease {
    /// Lets the next call use the connection, if it is not too old and not one too many.
    pub(super) fn give_back(self) {
        let Self { line, slot } = self;
        let now = slot.clock.now();
        if slot.is_old(&line, now) {
            return;
        }
        let mut idle = slot.idle();
        let one_too_many = match idle.len() < slot.limits.max_idle {
            true => {
                idle.push(Idle { line, since: now });
                None
            }
            false => Some(line),
        };
        // Closing a connection is work for the system, and nobody waits for the lock meanwhile.
        drop(idle);
        drop(one_too_many);
    }
}

/// The endpoint that was called longest ago.
fn oldest(slots: &Slots) -> Option<Endpoint> {
    let used = |slot: &Slot| slot.idle().last().map(|idle| idle.since);
    let busy = |slot: &Slot| slot.open.load(Ordering::Relaxed) > slot.idle_count();
    let oldest = slots.iter().min_by_key(|(_, slot)| (busy(slot), used(slot)))?;
    Some(oldest.0.clone())
}
