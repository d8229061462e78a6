//! Time as something that is passed in: monotonic for waiting, wall for what others read.

mod deadline;
mod manual;

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

pub use deadline::Deadline;
pub use manual::ManualClock;

/// A boxed future that may be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where time comes from. Everything in the crate that waits or dates asks a clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The monotonic time, for durations and deadlines.
    fn now(&self) -> Instant;

    /// The wall time, for what is written down or sent. It may jump in both directions.
    fn wall(&self) -> SystemTime;

    /// A future that is ready when this much time has passed. Dropping it ends the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// A shared [`Clock`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedClock(Arc<dyn Clock>);

impl SharedClock {
    /// Shares a clock.
    pub fn new(clock: impl Clock) -> Self {
        Self(Arc::new(clock))
    }

    /// Waits for `work`, at most this long; `None` when the time ran out first.
    ///
    /// # Cancel safety
    /// Dropping the future drops `work`.
    pub async fn timeout<T, F: Future<Output = T> + Send>(&self, limit: Duration, work: F) -> Option<T> {
        let mut work = pin!(work);
        let mut sleep = None;
        std::future::poll_fn(move |cx| {
            if let Poll::Ready(value) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
            // The timer is made only once the work has to wait: what is ready at once costs none.
            let sleep = sleep.get_or_insert_with(|| self.sleep(limit));
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        Self::new(TokioClock)
    }
}

impl std::ops::Deref for SharedClock {
    type Target = dyn Clock;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// The runtime's clock: what production uses, and what `tokio::time::pause` moves in tests.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TokioClock;

#[expect(clippy::disallowed_methods, reason = "the one place where ambient time is read")]
impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timeout_gives_the_value_or_none() {
        let clock = SharedClock::default();
        assert_eq!(clock.timeout(Duration::ZERO, async { 7 }).await, Some(7));
        let never = std::future::pending::<()>();
        assert_eq!(clock.timeout(Duration::from_secs(3600), never).await, None);
    }
}
