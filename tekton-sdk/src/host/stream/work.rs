//! The work behind a stream: its items one by one, and all that is held until their end.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{self, Poll, ready},
};

use futures_core::Stream;
use tracing::Span;

use super::{
    super::{
        router::Admission,
        run::{panicked, refused},
        spend::Charge,
        watch::Counted,
    },
    ends::Ends,
    format::Event,
    registry::Streams,
};
use crate::{
    context::{Budget, Context},
    contract::Operation,
    error::{Error, ErrorKind, Result},
    time::{BoxFuture, Deadline, SharedClock},
};

/// The items of a stream, each as JSON without line breaks.
pub(in crate::host) type Items = Pin<Box<dyn Stream<Item = Result<String>> + Send>>;

/// What is held while a stream runs, and let go at its end.
pub(super) struct Held {
    pub(super) counted: Counted,
    pub(super) _admission: Admission,
    pub(super) charge: Option<Charge>,
    pub(super) budget: Option<Budget>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The component's price first: nothing can be charged after the budget is closed.
        self.charge = None;
        if let Some(budget) = &self.budget {
            budget.close();
        }
    }
}

/// A stream that runs. Dropping it stops the work at once.
pub(super) struct Work {
    operation: Operation,
    context: Context,
    span: Span,
    clock: SharedClock,
    deadline: Option<Deadline>,
    timer: Option<BoxFuture<'static, ()>>,
    ends: Ends,
    ending: BoxFuture<'static, ()>,
    sent: u64,
    /// `None` once it has ended.
    running: Option<(Items, Held)>,
}

impl Work {
    pub(super) fn new(
        streams: &Streams,
        operation: Operation,
        context: Context,
        span: Span,
        items: Items,
        held: Held,
    ) -> Self {
        Self {
            operation,
            deadline: context.deadline(),
            context,
            span,
            clock: streams.clock.clone(),
            timer: None,
            ends: streams.ends.clone(),
            ending: streams.ends.ending(),
            sent: 0,
            running: Some((items, held)),
        }
    }

    /// When it must have ended.
    pub(super) const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.running.is_none()
    }

    /// How it is ended from outside: its time has run out, or the component shuts down.
    pub(super) fn poll_end(&mut self, cx: &mut task::Context<'_>) -> Poll<Event> {
        if let Some(deadline) = self.deadline {
            let timer = self.timer.get_or_insert_with(|| self.clock.sleep(deadline.remaining(self.clock.now())));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(self.late());
            }
        }
        ready!(self.ending.as_mut().poll(cx));
        let closed = "the component is shutting down; ask another one, or later";
        Poll::Ready(self.fail(Error::new(ErrorKind::Closed, closed)))
    }

    /// Ends it because its time has run out.
    pub(super) fn late(&mut self) -> Event {
        let (name, limit) = (self.operation.name, self.operation.timeout.unwrap_or_default());
        self.fail(Error::new(ErrorKind::Timeout, format!("{name} did not end within {limit:?}")))
    }

    /// Ends it with this failure.
    pub(super) fn fail(&mut self, error: Error) -> Event {
        let problem = refused(&self.operation, error).into_problem();
        self.finish(problem.status);
        Event::Error(Box::new(problem))
    }

    /// The next event; whatever panics inside is contained.
    ///
    /// After the end there is none: it must not be polled then.
    pub(super) fn poll_event(&mut self, cx: &mut task::Context<'_>) -> Poll<Event> {
        let Some((items, _)) = &mut self.running else { return Poll::Pending };
        let context = self.context.clone();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            self.span.in_scope(|| context.sync_scope(|| items.as_mut().poll_next(cx)))
        }));
        let item = match polled {
            Ok(polled) => ready!(polled),
            Err(panic) => Some(Err(panicked(&self.operation, &*panic))),
        };
        Poll::Ready(match item {
            Some(Ok(json)) => {
                self.sent += 1;
                Event::Item(json)
            }
            Some(Err(error)) if error.is_recoverable() => {
                Event::ItemError(Box::new(refused(&self.operation, error).into_problem()))
            }
            Some(Err(error)) => self.fail(error),
            None => {
                self.finish(200);
                Event::End(self.sent)
            }
        })
    }

    /// Whether the component was ended without a word.
    pub(super) fn is_cut_off(&self) -> bool {
        self.ends.is_cut_off()
    }

    fn finish(&mut self, status: u16) {
        if let Some((items, mut held)) = self.running.take() {
            self.span.in_scope(|| drop(items));
            held.counted.status = status;
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("operation", &self.operation.name)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
