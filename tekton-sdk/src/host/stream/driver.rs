//! The task behind a resumable stream: it works on while the reader is away for a short time.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use super::{
    format::Event,
    registry::Streams,
    running::{Offered, Running, Stand},
    work::Work,
};
use crate::{
    error::{Error, ErrorKind},
    time::BoxFuture,
};

/// After so many events the other tasks of the thread have their turn.
const TURN: usize = 128;

/// Works until the stream ends, and keeps what was sent until nobody can come back for it. Dropping it ends the stream.
pub(super) struct Driver {
    streams: Arc<Streams>,
    running: Arc<Running>,
    /// `None` once it has ended.
    work: Option<Work>,
    /// An event that there is no room for.
    waiting: Option<Bytes>,
    /// Since when the reader is away, and when that is for too long.
    grace: Option<(Instant, BoxFuture<'static, ()>)>,
}

impl Driver {
    pub(super) const fn new(streams: Arc<Streams>, running: Arc<Running>, work: Work) -> Self {
        Self { streams, running, work: Some(work), waiting: None, grace: None }
    }

    /// Whether nobody comes back who has been away since then.
    fn is_given_up(&mut self, since: Instant, cx: &mut Context<'_>) -> bool {
        if self.streams.ends.is_draining() {
            return true;
        }
        if !matches!(&self.grace, Some((known, _)) if *known == since) {
            let away = self.streams.clock.now().saturating_duration_since(since);
            let timer = self.streams.clock.sleep(self.streams.grace.saturating_sub(away));
            self.grace = Some((since, timer));
        }
        self.grace.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready())
    }

    /// Takes one step. `Ready` is the end of the task.
    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        let has_room = match self.running.stand(cx) {
            Stand::Cancelled => return Step::End,
            Stand::Left(since) if self.is_given_up(since, cx) => return Step::End,
            Stand::Left(_) => true,
            Stand::Read { has_room } => {
                self.grace = None;
                has_room
            }
        };
        let Some(work) = &mut self.work else {
            return if self.streams.ends.is_ending() { Step::End } else { Step::Wait };
        };
        if let Poll::Ready(event) = work.poll_end(cx) {
            if work.is_cut_off() {
                return Step::End;
            }
            return self.finish(&event);
        }
        let event = match self.waiting.take() {
            Some(waiting) => waiting,
            None if !has_room => return Step::Wait,
            None => match work.poll_event(cx) {
                Poll::Pending => return Step::Wait,
                Poll::Ready(event @ (Event::End(_) | Event::Error(_))) => return self.finish(&event),
                Poll::Ready(event) => self.running.bytes_of(&event),
            },
        };
        match self.running.offer(event) {
            Offered::Taken => Step::GoOn,
            Offered::NoRoom(event) => {
                self.waiting = Some(event);
                Step::Wait
            }
            Offered::TooLarge(most) => {
                let what = format!("an event is larger than the {most} bytes of host.stream_ring_bytes");
                let event = work.fail(Error::new(ErrorKind::Internal, what));
                self.finish(&event)
            }
        }
    }

    fn finish(&mut self, event: &Event) -> Step {
        self.work = None;
        self.waiting = None;
        self.running.finish(self.running.bytes_of(event));
        Step::GoOn
    }
}

enum Step {
    GoOn,
    /// Something wakes the task.
    Wait,
    End,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..TURN {
            match this.step(cx) {
                Step::GoOn => {}
                Step::Wait => return Poll::Pending,
                Step::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.work = None;
        self.running.end();
        self.streams.forget(self.running.id);
    }
}
