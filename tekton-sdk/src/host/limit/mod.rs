//! How many operations run at once, who waits for a place, and who is refused.

mod fastest;
mod machine;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub(super) use self::fastest::Fastest;
use self::machine::{Bounds, Machine, Shed};
use super::refusal::Refusal;
use crate::{config::HostConfig, contract::Priority, telemetry::HostLimit, time::SharedClock};

/// Which part of the longest wait a place in a standing line is worth, unless the settings say otherwise.
const TARGET_PART: u32 = 10;

/// After how long a refused caller may come again.
pub(super) const COME_AGAIN: Duration = Duration::from_secs(1);

/// The places for operations, and the lines before them; [`Machine`] says who is next.
#[derive(Debug)]
pub(super) struct Places {
    machine: Mutex<Machine<Ticket>>,
    most: usize,
    max_waiting: usize,
    queue_timeout: Duration,
    clock: SharedClock,
}

/// Tells a waiter that it is its turn, or that there will be none.
type Ticket = oneshot::Sender<Result<Place, Shed>>;

impl Places {
    pub(super) fn new(config: &HostConfig, clock: SharedClock) -> Self {
        let target = config.shed_target.unwrap_or(config.queue_timeout / TARGET_PART);
        let bounds = Bounds {
            most: config.max_concurrency.max(1),
            max_waiting: if config.queue_timeout.is_zero() { 0 } else { config.max_waiting },
            interval: config.queue_timeout,
            target: (!target.is_zero()).then_some(target),
        };
        Self {
            machine: Mutex::new(Machine::new(bounds)),
            most: bounds.most,
            max_waiting: bounds.max_waiting,
            queue_timeout: config.queue_timeout,
            clock,
        }
    }

    /// How many run, and how many wait.
    pub(super) fn taken(&self) -> (usize, usize) {
        let machine = self.lock();
        (machine.running(), machine.waiting())
    }

    /// A free place, if there is one and nobody waits for it.
    pub(super) fn free(self: &Arc<Self>) -> Option<Place> {
        self.lock().runs().then(|| Place(Some(Arc::clone(self))))
    }

    /// A place after a wait in the line of this priority. Beginning later than `latest` is of no use.
    ///
    /// # Errors
    /// A refusal by the name of the limit: `concurrency` or `shed`.
    ///
    /// # Cancel safety
    /// Whoever is dropped leaves the line; a place that was given meanwhile goes to the next.
    pub(super) async fn wait(
        self: &Arc<Self>,
        priority: Priority,
        latest: Option<Instant>,
    ) -> Result<Place, (HostLimit, Box<Refusal>)> {
        let (ticket, turn) = oneshot::channel();
        let now = self.clock.now();
        let waits = {
            let mut machine = self.lock();
            if machine.runs() {
                drop(machine);
                return Ok(Place(Some(Arc::clone(self))));
            }
            if machine.is_closed() {
                drop(machine);
                return Err(self.shed(Shed::Closed));
            }
            machine.waits(now, priority, latest, ticket)
        };
        let Ok((id, displaced)) = waits else { return Err(self.no_place()) };
        if let Some(displaced) = displaced {
            // An error says that it has gone by itself.
            let _ = displaced.send(Err(Shed::Displaced));
        }
        let _standing = Standing { places: self, priority, id };
        match self.clock.timeout(self.queue_timeout, turn).await {
            Some(Ok(Ok(place))) => Ok(place),
            Some(Ok(Err(why))) => Err(self.shed(why)),
            // The sender is never dropped before it has sent: whoever takes a ticket out of the line uses it.
            Some(Err(_)) | None => Err(self.no_turn()),
        }
    }

    /// Refuses everybody who waits, and who would have to. A free place is still given.
    pub(super) fn close(&self) {
        let waiting = self.lock().close();
        for ticket in waiting {
            let _ = ticket.send(Err(Shed::Closed));
        }
    }

    /// A place was given back: whoever is next gets it.
    fn give_back(self: Arc<Self>) {
        let mut place = Some(self);
        // Once more for each waiter that went away between its turn and being told.
        while let Some(places) = place.take() {
            let mut given_up = Vec::new();
            let next = {
                let mut machine = places.lock();
                // Only those who wait need to know the time.
                let now = if machine.waiting() > 0 { places.clock.now() } else { return machine.free() };
                machine.ends(now, &mut given_up)
            };
            for (ticket, why) in given_up {
                let _ = ticket.send(Err(why));
            }
            if let Some(ticket) = next
                && let Err(Ok(mut unused)) = ticket.send(Ok(Place(Some(places))))
            {
                place = unused.0.take();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Machine<Ticket>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_place(&self) -> (HostLimit, Box<Refusal>) {
        let detail = match self.max_waiting {
            0 => format!("concurrency: {} operations are running, which is the limit", self.most),
            waiting => format!(
                "concurrency: {} operations are running and {waiting} are waiting, which is the limit",
                self.most
            ),
        };
        refusal(HostLimit::Concurrency, detail)
    }

    fn no_turn(&self) -> (HostLimit, Box<Refusal>) {
        let detail = format!(
            "concurrency: {} operations are running, which is the limit; none ended in time within {:?}",
            self.most, self.queue_timeout
        );
        refusal(HostLimit::Concurrency, detail)
    }

    fn shed(&self, why: Shed) -> (HostLimit, Box<Refusal>) {
        let detail = match why {
            Shed::Displaced => "shed: more is waiting than may, and what matters more came",
            Shed::Overload => "shed: more comes than can be served, and this request has waited too long",
            Shed::Closed => "shed: the component is shutting down, and begins nothing that has to wait",
            Shed::Late => "shed: when its turn came, less time was left than the operation takes at best",
        };
        refusal(HostLimit::Shed, detail.to_owned())
    }
}

fn refusal(limit: HostLimit, detail: String) -> (HostLimit, Box<Refusal>) {
    (limit, Refusal::limit(limit, detail, COME_AGAIN))
}

/// A place for one operation, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Places>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.0.take() {
            places.give_back();
        }
    }
}

/// Somebody in a line, who leaves it when dropped.
struct Standing<'a> {
    places: &'a Places,
    priority: Priority,
    id: u64,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        // The ticket is dropped after the lock.
        let _ticket = self.places.lock().leaves(self.priority, self.id);
    }
}

#[cfg(test)]
mod tests;
