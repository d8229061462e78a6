//! A resumable stream: what its work, its reader and those who come back share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use super::{
    batch::Batch,
    bound::Bound,
    format::{Event, Format},
    id::{EventId, StreamId},
    ring::{Next, Ring},
};

/// One resumable stream.
pub(super) struct Running {
    pub(super) id: StreamId,
    pub(super) bound: Bound,
    /// Cancelled when the work has ended and is dropped.
    pub(super) over: CancellationToken,
    state: Mutex<State>,
}

struct State {
    ring: Ring,
    /// How many readers there were; the last one is the one that counts.
    readers: u64,
    /// Since when nobody reads.
    left: Option<Instant>,
    is_cancelled: bool,
    /// Nothing will be added any more.
    is_over: bool,
    driver: Option<Waker>,
    reader: Option<Waker>,
}

/// Which reader of a stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader(u64);

/// How a stream stands, as its driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Somebody reads; whether there is room for anything more.
    Read { has_room: bool },
    /// Nobody has since then.
    Left(Instant),
    /// It is to end at once.
    Cancelled,
}

/// What becomes of an event that is to be added.
#[derive(Debug)]
pub(super) enum Offered {
    Taken,
    /// There is room for it when more was read.
    NoRoom(Bytes),
    /// There never is: all of them may have so many bytes.
    TooLarge(usize),
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All that there is, for now.
    Everything,
    /// More than it takes at once.
    More,
    /// The event that ends the stream, some time ago.
    End,
    /// Another reader has come.
    TakenOver,
    /// The work was ended without such an event.
    Cancelled,
}

impl Running {
    /// A stream with its first reader.
    pub(super) fn new(id: StreamId, bound: Bound, ring: Ring) -> (Self, Reader) {
        let state =
            State { ring, readers: 1, left: None, is_cancelled: false, is_over: false, driver: None, reader: None };
        (Self { id, bound, over: CancellationToken::new(), state: Mutex::new(state) }, Reader(1))
    }

    /// Attaches a reader that has read up to the event of this number; whoever read before loses it. `None` if there is no such
    /// event, or no such stream any more.
    pub(super) fn attach(&self, read: u64) -> Option<Reader> {
        let (reader, wakers) = {
            let mut state = self.lock();
            if state.is_cancelled || !state.ring.seek(read) {
                return None;
            }
            state.readers += 1;
            state.left = None;
            (Reader(state.readers), state.wakers())
        };
        wake(wakers);
        Some(reader)
    }

    /// The reader goes away.
    pub(super) fn leave(&self, reader: Reader, now: Instant) {
        let wakers = {
            let mut state = self.lock();
            if state.readers != reader.0 {
                return;
            }
            state.left = Some(now);
            state.wakers()
        };
        wake(wakers);
    }

    /// Ends the work at once, whoever reads.
    pub(super) fn cancel(&self) {
        let wakers = {
            let mut state = self.lock();
            state.is_cancelled = true;
            state.wakers()
        };
        wake(wakers);
    }

    /// Wakes the driver, to look at what has changed around it.
    pub(super) fn nudge(&self) {
        let waker = self.lock().driver.take();
        wake([waker, None]);
    }

    /// Since when nobody has read of an ended stream: it may have to make room for others.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.left.filter(|_| state.ring.has_ended())
    }

    /// How it stands; the driver is woken when that changes.
    pub(super) fn stand(&self, cx: &mut Context<'_>) -> Stand {
        let mut state = self.lock();
        state.driver = Some(cx.waker().clone());
        match (state.is_cancelled, state.left) {
            (true, _) => Stand::Cancelled,
            (false, Some(since)) => Stand::Left(since),
            (false, None) => Stand::Read { has_room: state.ring.has_room(1) },
        }
    }

    /// The event as it is read, with the number that it gets if it is added next.
    pub(super) fn bytes_of(&self, event: &Event) -> Bytes {
        let number = self.lock().ring.upcoming();
        self.write(event, number)
    }

    /// Adds an event, unless one that was not read would fall out while somebody reads.
    pub(super) fn offer(&self, event: Bytes) -> Offered {
        let waker = {
            let mut state = self.lock();
            if event.len() > state.ring.max_bytes() {
                return Offered::TooLarge(state.ring.max_bytes());
            }
            if state.left.is_none() && !state.ring.has_room(event.len()) {
                return Offered::NoRoom(event);
            }
            state.ring.push(event);
            state.reader.take()
        };
        wake([waker, None]);
        Offered::Taken
    }

    /// Adds the event that ends the stream.
    pub(super) fn finish(&self, event: Bytes) {
        let waker = {
            let mut state = self.lock();
            state.ring.end(event);
            state.reader.take()
        };
        wake([waker, None]);
    }

    /// Says that nothing will be added any more.
    pub(super) fn end(&self) {
        let wakers = {
            let mut state = self.lock();
            state.is_over = true;
            state.wakers()
        };
        wake(wakers);
        self.over.cancel();
    }

    /// Reads what there is, up to a batch; the reader is woken when there is more.
    pub(super) fn read(&self, reader: Reader, batch: &mut Batch, cx: &mut Context<'_>) -> Found {
        let (found, waker) = {
            let mut state = self.lock();
            if state.readers != reader.0 {
                return Found::TakenOver;
            }
            let before = batch.out.len();
            let found = loop {
                match state.ring.next() {
                    Next::Event(event) => batch.out.extend_from_slice(&event),
                    Next::Gap { from, to } => batch.out.extend_from_slice(&self.write(&Event::Gap { from, to }, to)),
                    Next::End => break Found::End,
                    Next::Nothing if state.is_over => break Found::Cancelled,
                    Next::Nothing => {
                        state.reader = Some(cx.waker().clone());
                        break Found::Everything;
                    }
                }
                if batch.is_full() {
                    break Found::More;
                }
            };
            let waker = if batch.out.len() > before { state.driver.take() } else { None };
            (found, waker)
        };
        wake([waker, None]);
        found
    }

    fn write(&self, event: &Event, number: u64) -> Bytes {
        let mut out = BytesMut::new();
        Format::Events.write(event, Some(EventId { stream: self.id, number }), &mut out);
        out.freeze()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn wakers(&mut self) -> [Option<Waker>; 2] {
        [self.driver.take(), self.reader.take()]
    }
}

/// After the lock: whoever is woken may want it.
fn wake(wakers: [Option<Waker>; 2]) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}
