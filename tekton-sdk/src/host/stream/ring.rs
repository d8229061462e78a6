//! The last events of a stream, kept for a reader that lags or comes back: pure, bounded in events and in bytes.

use std::collections::VecDeque;

use bytes::Bytes;

/// Events by their numbers, which begin with 1 and leave none out, and how far they were read.
///
/// The event that ends the stream has a place of its own: there is always room for it.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Bytes>,
    last: Option<Bytes>,
    /// What all of `events` have.
    bytes: usize,
    /// The number of the first one that is kept.
    first: u64,
    /// The number of the last one that was read.
    read: u64,
    /// What those after it have that are kept.
    unread_bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Event(Bytes),
    /// These have fallen out, both included.
    Gap {
        from: u64,
        to: u64,
    },
    /// There is nothing yet.
    Nothing,
    /// There is nothing any more.
    End,
}

impl Ring {
    /// A limit of no event counts as one.
    pub(super) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            last: None,
            bytes: 0,
            first: 1,
            read: 0,
            unread_bytes: 0,
            max_events: max_events.max(1),
            max_bytes,
        }
    }

    pub(super) const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The number that the next event will have.
    pub(super) fn upcoming(&self) -> u64 {
        self.first + self.events.len() as u64 + u64::from(self.last.is_some())
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.last.is_some()
    }

    /// Whether an event of so many bytes finds room without another one falling out that was not read.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.unread() < self.max_events && bytes <= self.max_bytes.saturating_sub(self.unread_bytes)
    }

    /// Adds an event; the oldest ones fall out if they must. Tells whether it was added: one that is larger than all of them
    /// may be is not, nor is one after the end.
    pub(super) fn push(&mut self, event: Bytes) -> bool {
        if event.len() > self.max_bytes || self.has_ended() {
            return false;
        }
        while self.events.len() >= self.max_events || self.bytes > self.max_bytes - event.len() {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.len();
            if self.first > self.read {
                self.unread_bytes -= oldest.len();
            }
            self.first += 1;
        }
        self.bytes += event.len();
        self.unread_bytes += event.len();
        self.events.push_back(event);
        true
    }

    /// Adds the event after which none comes. The first one counts.
    pub(super) fn end(&mut self, event: Bytes) {
        self.last.get_or_insert(event);
    }

    /// Reads on after the event of this number. Tells whether there was such an event.
    pub(super) fn seek(&mut self, read: u64) -> bool {
        if read >= self.upcoming() {
            return false;
        }
        self.read = read;
        self.unread_bytes = self.events.iter().skip(self.events.len() - self.unread()).map(Bytes::len).sum();
        true
    }

    /// Reads what comes next, and counts it as read.
    pub(super) fn next(&mut self) -> Next {
        if self.read + 1 < self.first {
            let from = self.read + 1;
            self.read = self.first - 1;
            return Next::Gap { from, to: self.read };
        }
        let at = usize::try_from(self.read + 1 - self.first).unwrap_or(usize::MAX);
        let event = match (self.events.get(at), &self.last) {
            (Some(event), _) => {
                self.unread_bytes -= event.len();
                event
            }
            (None, Some(last)) if at == self.events.len() => last,
            (None, Some(_)) => return Next::End,
            (None, None) => return Next::Nothing,
        };
        self.read += 1;
        Next::Event(event.clone())
    }

    /// How many of those that are kept were not read; the one that ends the stream does not count.
    fn unread(&self) -> usize {
        let newest = self.first + self.events.len() as u64 - 1;
        let unread = newest.saturating_sub(self.read);
        usize::try_from(unread).map_or(self.events.len(), |unread| unread.min(self.events.len()))
    }
}

#[cfg(test)]
mod tests;
