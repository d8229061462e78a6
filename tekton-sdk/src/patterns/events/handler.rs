//! A function that is called with each event, and may fail, panic or hang.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use super::{Heard, Outcome, Subscription};
use crate::{
    error::{Error, Result},
    telemetry::{Event, Observers},
    time::SharedClock,
};

/// How a handler is called.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerConfig {
    /// How many calls run at once. Default: 1, which keeps the events in order.
    pub concurrency: usize,
    /// How long a call may take. Default: 30 s.
    pub timeout: Duration,
}

impl HandlerConfig {
    /// Sets how many calls run at once.
    #[must_use]
    pub const fn with_concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Sets how long a call may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for HandlerConfig {
    fn default() -> Self {
        Self { concurrency: 1, timeout: Duration::from_secs(30) }
    }
}

/// How the calls of a handler stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    /// How many began so far.
    #[cfg_attr(not(feature = "host"), expect(dead_code, reason = "only a host steers"))]
    pub(crate) began: u64,
    #[cfg_attr(not(feature = "host"), expect(dead_code, reason = "only a host steers"))]
    pub(crate) running: usize,
}

/// How a handler that is about to wait goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steer {
    GoOn,
    /// The subscription takes in nothing more, and the handler ends with it.
    #[cfg_attr(not(feature = "host"), expect(dead_code, reason = "only a host steers"))]
    Drain,
    /// The handler ends here, with whatever still runs.
    #[cfg_attr(not(feature = "host"), expect(dead_code, reason = "only a host steers"))]
    End,
}

impl<T: 'static> Subscription<T> {
    /// Calls a function with all that is heard, until the subscription ends.
    ///
    /// An event whose call gives `Ok` is acknowledged. One whose call fails, panics or takes too long is not: it comes again, where
    /// the subscription has acknowledgements, and goes to the dead letters where it has these. Observers are told either way.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if no call may run; else that of the subscription, once the calls under way have ended.
    ///
    /// # Cancel safety
    /// Dropping the future drops the calls under way and ends the subscription.
    pub async fn handle<F, W>(mut self, config: HandlerConfig, clock: SharedClock, handler: F) -> Result<()>
    where
        F: Fn(Heard<T>) -> W + Send + Sync,
        W: Future<Output = Result<()>> + Send,
    {
        self.steered(config, clock, handler, |_, _| Steer::GoOn).await
    }

    /// The same, and whenever it is about to wait `steer` says how to go on: told how many calls began so far and how many of
    /// them run, it sees to it that the task is woken when its answer changes.
    pub(crate) async fn steered<F, W, S>(
        &mut self,
        config: HandlerConfig,
        clock: SharedClock,
        handler: F,
        mut steer: S,
    ) -> Result<()>
    where
        F: Fn(Heard<T>) -> W + Send + Sync,
        W: Future<Output = Result<()>> + Send,
        S: FnMut(&mut Context<'_>, Calls) -> Steer + Send,
    {
        if config.concurrency == 0 {
            return Err(Error::config("the `concurrency` of a handler must be at least 1"));
        }
        let told = Arc::new((self.observers().clone(), Arc::clone(self.shared_filters())));
        let mut calls = FuturesUnordered::new();
        let mut ended = None;
        let mut began = 0;
        let mut draining = false;
        let handler = &handler;
        std::future::poll_fn(|cx: &mut Context<'_>| {
            loop {
                while let Poll::Ready(Some(())) = calls.poll_next_unpin(cx) {}
                if let Some(end) = &mut ended
                    && calls.is_empty()
                {
                    return Poll::Ready(std::mem::replace(end, Ok(())));
                }
                // Its acknowledgements go on while calls run, and what waits for a place is not taken out.
                let heard = match ended.is_some() || calls.len() >= config.concurrency {
                    true => Poll::Pending,
                    false => Pin::new(&mut *self).poll_next(cx),
                };
                let heard = match heard {
                    Poll::Pending => match steer(cx, Calls { began, running: calls.len() }) {
                        Steer::End => return Poll::Ready(Ok(())),
                        Steer::Drain if !draining => {
                            draining = true;
                            self.drain();
                            continue;
                        }
                        Steer::Drain | Steer::GoOn => return Poll::Pending,
                    },
                    Poll::Ready(Some(Ok(heard))) => heard,
                    Poll::Ready(Some(Err(error))) => {
                        ended = Some(Err(error));
                        continue;
                    }
                    Poll::Ready(None) => {
                        ended = Some(Ok(()));
                        continue;
                    }
                };
                let number = if let Heard::Event(event) = &heard { event.number() } else { 1 };
                let (told, again_after) = (Arc::clone(&told), self.again_after(number));
                began += 1;
                calls.push(call(handler, heard, config.timeout, clock.clone(), told, again_after));
            }
        })
        .await
    }
}

async fn call<T, F, W>(
    handler: &F,
    mut heard: Heard<T>,
    timeout: Duration,
    clock: SharedClock,
    told: Arc<(Observers, Arc<str>)>,
    again_after: Duration,
) where
    F: Fn(Heard<T>) -> W + Send + Sync,
    W: Future<Output = Result<()>> + Send,
{
    let (guard, number) = match &mut heard {
        Heard::Event(event) => (event.take_guard(), event.number()),
        Heard::Gap(_) => (None, 0),
    };
    // What a handler leaves broken behind a panic is its own: nothing of it is looked at here.
    let work = AssertUnwindSafe(async { handler(heard).await }).catch_unwind();
    let reason = match clock.timeout(timeout, work).await {
        Some(Ok(Ok(()))) => None,
        Some(Ok(Err(_))) => Some("failed"),
        Some(Err(_)) => Some("panicked"),
        None => Some("timed_out"),
    };
    if let Some(reason) = reason {
        let (observers, filters) = &*told;
        if observers.any() {
            observers.tell(&Event::HandlerFailed { subscription: filters, delivery: number, reason });
        }
    }
    if let Some(guard) = guard {
        let outcome = if reason.is_none() { Outcome::Ack } else { Outcome::Nack(again_after) };
        // If this fails, the guard is dropped, and the event comes again.
        let _ = guard.settle(outcome).await;
    }
}
