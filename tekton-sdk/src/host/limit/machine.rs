//! Who gets the next place, and who is given up: no clock, no waiting.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::contract::Priority;

/// Every so many places that come free while somebody waits, one goes to whoever has waited longest, whatever its priority.
pub(super) const OLDEST_EVERY: u64 = 8;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many run at once, at least 1.
    pub(super) most: usize,
    /// How many wait at once.
    pub(super) max_waiting: usize,
    /// After how long without a break a line is a standing one.
    pub(super) interval: Duration,
    /// The longest wait in a standing line; `None` gives up nobody.
    pub(super) target: Option<Duration>,
}

/// Why somebody who waited was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    /// All waiting places were taken, and somebody came that matters more.
    Displaced,
    /// It waited longer than the target, in a line that has not been empty for an interval.
    Overload,
    /// When its turn came, too little time was left for it.
    Late,
    /// The host is shutting down.
    Closed,
}

/// Somebody who waits.
#[derive(Debug)]
struct Waiter<T> {
    id: u64,
    since: Instant,
    /// Beginning later than this is of no use.
    latest: Option<Instant>,
    ticket: T,
}

/// Those of one priority, in the order of coming.
#[derive(Debug)]
struct Line<T> {
    waiters: VecDeque<Waiter<T>>,
    /// Since when it has not been empty.
    standing_since: Option<Instant>,
}

/// Places, and one line before them for each priority. Tickets are what the shell tells its waiters by.
///
/// - A place that comes free goes to the highest priority, within one to who came first; each [`OLDEST_EVERY`]th goes to
///   whoever has waited longest. So nobody waits for ever while places come free.
/// - While somebody waits, all places are taken.
/// - If all waiting places are taken, the newest of the lowest priority is given up for somebody who matters more.
/// - A line that has not been empty for the interval shows that more comes than can be served. Then whoever in it, or in a
///   lower one, has waited longer than the target is given up before the next turn, the lower and the older first, but never
///   the last one. The rule is that of B. Maurer, "Fail at Scale" (ACM Queue 13(8), 2015), after CoDel (RFC 8289): a line
///   that empties again and again is a burst and may wait; one that stands only adds its length to every wait.
#[derive(Debug)]
pub(super) struct Machine<T> {
    bounds: Bounds,
    running: usize,
    waiting: usize,
    lines: [Line<T>; Priority::ALL.len()],
    turns: u64,
    next_id: u64,
    closed: bool,
}

impl<T> Machine<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let line = || Line { waiters: VecDeque::new(), standing_since: None };
        Self { bounds, running: 0, waiting: 0, lines: [line(), line(), line()], turns: 0, next_id: 0, closed: false }
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// From here on nobody waits. Answers with the tickets of those who did.
    pub(super) fn close(&mut self) -> Vec<T> {
        self.closed = true;
        self.waiting = 0;
        let tickets = self.lines.iter_mut().flat_map(|line| {
            line.standing_since = None;
            line.waiters.drain(..).map(|waiter| waiter.ticket)
        });
        tickets.collect()
    }

    /// Takes a free place, if there is one.
    pub(super) const fn runs(&mut self) -> bool {
        let free = self.running < self.bounds.most;
        if free {
            self.running += 1;
        }
        free
    }

    /// Somebody who ran has ended, and nobody waits.
    pub(super) const fn free(&mut self) {
        self.running -= 1;
    }

    /// Waits in the line of this priority. Answers with the number of the waiter, and who was displaced by it.
    ///
    /// # Errors
    /// The ticket, if there is no waiting place and nobody who matters less, or if nobody waits any more.
    pub(super) fn waits(
        &mut self,
        now: Instant,
        priority: Priority,
        latest: Option<Instant>,
        ticket: T,
    ) -> Result<(u64, Option<T>), T> {
        if self.closed {
            return Err(ticket);
        }
        let mut displaced = None;
        if self.waiting >= self.bounds.max_waiting {
            let lower = self.lines.iter_mut().take(priority as usize).find(|line| !line.waiters.is_empty());
            let Some(newest) = lower.and_then(Line::pop_newest) else { return Err(ticket) };
            self.waiting -= 1;
            displaced = Some(newest.ticket);
        }
        let id = self.next_id;
        self.next_id += 1;
        let line = &mut self.lines[priority as usize];
        line.standing_since.get_or_insert(now);
        line.waiters.push_back(Waiter { id, since: now, latest, ticket });
        self.waiting += 1;
        Ok((id, displaced))
    }

    /// A waiter leaves its line by itself. Answers with its ticket, if it still stood there.
    pub(super) fn leaves(&mut self, priority: Priority, id: u64) -> Option<T> {
        let line = &mut self.lines[priority as usize];
        let at = line.waiters.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        let waiter = line.waiters.remove(at)?;
        line.settle();
        self.waiting -= 1;
        Some(waiter.ticket)
    }

    /// Somebody who ran has ended. Answers with the ticket of who runs now; the place is free if nobody does. Who was given up
    /// meanwhile is added to `shed`.
    pub(super) fn ends(&mut self, now: Instant, shed: &mut Vec<(T, Shed)>) -> Option<T> {
        self.give_up_standing(now, shed);
        while let Some(line) = self.next_line() {
            let Some(waiter) = line.pop_oldest() else { break };
            self.waiting -= 1;
            if waiter.latest.is_some_and(|latest| now > latest) {
                shed.push((waiter.ticket, Shed::Late));
                continue;
            }
            self.turns += 1;
            return Some(waiter.ticket);
        }
        self.running -= 1;
        None
    }

    fn give_up_standing(&mut self, now: Instant, shed: &mut Vec<(T, Shed)>) {
        let Bounds { interval, target: Some(target), .. } = self.bounds else { return };
        let stands =
            |line: &Line<T>| line.standing_since.is_some_and(|since| now.saturating_duration_since(since) >= interval);
        let Some(highest) = self.lines.iter().rposition(stands) else { return };
        for line in self.lines.iter_mut().take(highest + 1) {
            let waited = |waiter: &Waiter<T>| now.saturating_duration_since(waiter.since);
            while self.waiting > 1 && line.waiters.front().is_some_and(|oldest| waited(oldest) > target) {
                let Some(oldest) = line.pop_oldest() else { break };
                self.waiting -= 1;
                shed.push((oldest.ticket, Shed::Overload));
            }
        }
    }

    /// The line whose first has the next turn.
    fn next_line(&mut self) -> Option<&mut Line<T>> {
        let taken = self.lines.iter_mut().filter(|line| !line.waiters.is_empty());
        if (self.turns + 1).is_multiple_of(OLDEST_EVERY) {
            // Numbers are given in the order of coming, over all lines.
            taken.min_by_key(|line| line.waiters.front().map(|waiter| waiter.id))
        } else {
            { taken }.next_back()
        }
    }
}

impl<T> Line<T> {
    fn pop_oldest(&mut self) -> Option<Waiter<T>> {
        let oldest = self.waiters.pop_front();
        self.settle();
        oldest
    }

    fn pop_newest(&mut self) -> Option<Waiter<T>> {
        let newest = self.waiters.pop_back();
        self.settle();
        newest
    }

    fn settle(&mut self) {
        if self.waiters.is_empty() {
            self.standing_since = None;
        }
    }
}

#[cfg(test)]
mod tests;
