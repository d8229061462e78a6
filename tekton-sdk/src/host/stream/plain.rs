//! The body of a stream that ends with its connection.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio_util::task::AbortOnDropHandle;

use super::{
    batch::Batch,
    cut_off,
    format::{Event, Format},
    keep_alive::KeepAlive,
    registry::Reading,
    work::Work,
};
use crate::error::Result;

/// Polls the work only when it is polled itself: whoever reads slowly slows the work down. Dropping it stops the work at once.
pub(super) struct Plain {
    shared: Shared,
    format: Format,
    streams: Reading,
    keep_alive: KeepAlive,
    /// Ends the work in time also where nobody reads.
    _guard: Option<AbortOnDropHandle<()>>,
}

type Shared = Arc<Mutex<State>>;

enum State {
    Works(Box<Work>),
    /// How it ended while nobody looked.
    Ended(Event),
    Told,
}

impl Plain {
    pub(super) fn new(work: Work, format: Format, streams: Reading) -> Self {
        let clock = &streams.clock;
        let end = work.deadline().map(|deadline| clock.sleep(deadline.remaining(clock.now())));
        let shared = Arc::new(Mutex::new(State::Works(Box::new(work))));
        let guard = end.map(|end| {
            let shared = Arc::clone(&shared);
            AbortOnDropHandle::new(streams.runtime.spawn(async move {
                end.await;
                let mut state = lock(&shared);
                if let State::Works(work) = &mut *state {
                    *state = State::Ended(work.late());
                }
            }))
        });
        let keep_alive = KeepAlive::new(clock.clone(), streams.keep_alive);
        Self { shared, format, streams, keep_alive, _guard: guard }
    }

    /// The next event; `None` after the last one. Whether it is ended from outside is asked once for several.
    fn poll_event(&self, cx: &mut Context<'_>, is_first: bool) -> Poll<Option<Result<Event>>> {
        let mut state = lock(&self.shared);
        let work = match &mut *state {
            State::Works(work) => work,
            ended => {
                return Poll::Ready(match std::mem::replace(ended, State::Told) {
                    State::Ended(event) => Some(Ok(event)),
                    State::Works(_) | State::Told => None,
                });
            }
        };
        let ended = if is_first { work.poll_end(cx) } else { Poll::Pending };
        let event = match ended {
            Poll::Ready(_) if work.is_cut_off() => Err(cut_off()),
            Poll::Ready(event) => Ok(event),
            Poll::Pending => Ok(ready!(work.poll_event(cx))),
        };
        if work.has_ended() {
            *state = State::Told;
        }
        Poll::Ready(Some(event))
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Plain {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        let mut batch = Batch::new(&this.streams.clock);
        let mut is_first = true;
        let has_ended = loop {
            match this.poll_event(cx, std::mem::take(&mut is_first)) {
                Poll::Ready(Some(Ok(event))) => {
                    this.format.write(&event, None, &mut batch.out);
                    if batch.is_full() {
                        break false;
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        match batch.take() {
            Some(bytes) => {
                this.keep_alive.sent();
                Poll::Ready(Some(Ok(bytes)))
            }
            None if has_ended => Poll::Ready(None),
            None => this.keep_alive.poll(cx).map(|()| Some(Ok(this.format.keep_alive()))),
        }
    }
}
