//! Signs of life while there is nothing to say.

use std::{
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use crate::time::{BoxFuture, SharedClock};

/// Says when a stream has been silent for too long.
///
/// Its timer runs on while events are sent, and is asked only where there are none: a busy stream sets none.
pub(in crate::host) struct KeepAlive {
    clock: SharedClock,
    interval: Duration,
    last: Instant,
    timer: Option<BoxFuture<'static, ()>>,
}

impl KeepAlive {
    pub(in crate::host) fn new(clock: SharedClock, interval: Duration) -> Self {
        Self { last: clock.now(), clock, interval, timer: None }
    }

    /// Something was sent.
    pub(in crate::host) fn sent(&mut self) {
        self.last = self.clock.now();
    }

    /// Ready when nothing was sent for the whole interval; that counts as sent then.
    pub(in crate::host) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let (clock, interval) = (&self.clock, self.interval);
            let timer = self.timer.get_or_insert_with(|| {
                clock.sleep(interval.saturating_sub(clock.now().saturating_duration_since(self.last)))
            });
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
            let now = self.clock.now();
            if now.saturating_duration_since(self.last) >= self.interval {
                self.last = now;
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::time::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn silence_is_measured_from_what_was_sent_last() {
        let clock = ManualClock::new();
        let mut alive = KeepAlive::new(SharedClock::new(clock.clone()), 3 * SECOND);
        let is_due = async |alive: &mut KeepAlive| poll!(std::future::poll_fn(|cx| alive.poll(cx))).is_ready();
        assert!(!is_due(&mut alive).await);
        clock.advance(2 * SECOND);
        alive.sent();
        clock.advance(2 * SECOND);
        assert!(!is_due(&mut alive).await);
        assert_eq!(clock.sleepers(), 1);
        clock.advance(SECOND);
        assert!(is_due(&mut alive).await);
        assert!(!is_due(&mut alive).await);
        clock.advance(3 * SECOND);
        assert!(is_due(&mut alive).await);
    }
}
