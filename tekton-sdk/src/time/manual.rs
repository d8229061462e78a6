//! A clock that stands still until the test moves it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use super::{BoxFuture, Clock, TokioClock};

/// A clock moved by hand. Clones share their time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Instant,
    passed: Duration,
    wall: SystemTime,
    next_id: u64,
    /// By due time, then in the order of going to sleep.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    watchers: Vec<Waker>,
}

impl ManualClock {
    /// A clock whose wall time begins at 2026-01-01 00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            start: TokioClock.now(),
            passed: Duration::ZERO,
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            next_id: 0,
            sleepers: BTreeMap::new(),
            watchers: Vec::new(),
        })))
    }

    /// Moves both times forward and wakes the sleepers that are due, earliest first.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut state = self.state();
            state.passed = state.passed.saturating_add(by);
            state.wall = state.wall.checked_add(by).unwrap_or(state.wall);
            let passed = state.passed;
            let later = state.sleepers.split_off(&(passed, u64::MAX));
            std::mem::replace(&mut state.sleepers, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the wall time alone, as an operator or a time server does.
    pub fn set_wall(&self, wall: SystemTime) {
        self.state().wall = wall;
    }

    /// How many sleeps are pending.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    /// Waits until at least `count` sleeps are pending: the moment at which moving the clock has an effect.
    pub async fn until_sleeping(&self, count: usize) {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if state.sleepers.len() >= count {
                return Poll::Ready(());
            }
            state.watchers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        let state = self.state();
        state.start.checked_add(state.passed).unwrap_or(state.start)
    }

    fn wall(&self) -> SystemTime {
        self.state().wall
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let due = self.state().passed.saturating_add(duration);
        Box::pin(Sleep { clock: self.clone(), due, id: None })
    }
}

struct Sleep {
    clock: ManualClock,
    due: Duration,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.state();
        if state.passed >= self.due {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.next_id += 1;
            state.next_id
        });
        state.sleepers.insert((self.due, id), cx.waker().clone());
        let watchers = std::mem::take(&mut state.watchers);
        drop(state);
        watchers.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clock.state().sleepers.remove(&(self.due, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_in_order_and_leave_nothing_behind() {
        let clock = ManualClock::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for seconds in [3_u64, 1, 2] {
            let (clock, order) = (clock.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                order.lock().unwrap().push(seconds);
            }));
        }
        clock.until_sleeping(3).await;
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_dropped_sleep_is_forgotten() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(1));
        assert!(futures_util::poll!(&mut sleep).is_pending());
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }
}
