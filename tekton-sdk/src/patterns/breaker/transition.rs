//! Changes of state: what they are, and how one hears of them.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use futures_core::Stream;

use super::atomic::{Mode, Tripped};

/// How many changes a listener that does not listen can miss none of.
const QUEUE: usize = 64;

/// The state of a breaker.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls go through and are counted.
    Closed,
    /// A few calls go through, to see whether the callee is well again.
    HalfOpen,
    /// Calls are refused until the wait is over and somebody asks.
    Open,
    /// Calls are refused until somebody decides otherwise.
    ForcedOpen,
    /// Calls go through and are not counted.
    Disabled,
    /// Calls go through and are counted; the breaker says when it would have opened, and does not.
    MetricsOnly,
}

impl BreakerState {
    /// The name in metrics, events and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }

    /// The number in the gauge of the breakers' states.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
            Self::ForcedOpen => 3,
            Self::Disabled => 4,
            Self::MetricsOnly => 5,
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Mode> for BreakerState {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Closed => Self::Closed,
            Mode::HalfOpen => Self::HalfOpen,
            Mode::Open => Self::Open,
            Mode::ForcedOpen => Self::ForcedOpen,
            Mode::Disabled => Self::Disabled,
            Mode::MetricsOnly => Self::MetricsOnly,
        }
    }
}

/// Why a breaker changed its state.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The failure rate reached its threshold.
    FailureRate,
    /// The rate of slow calls reached its threshold.
    SlowRate,
    /// So many calls failed in a row.
    FailuresInARow,
    /// All rules held, where all must.
    AllRules,
    /// The probes of the half-open state failed.
    ProbesFailed,
    /// The probes of the half-open state were slow.
    ProbesSlow,
    /// The probes of the half-open state did not end in time.
    ProbesHung,
    /// The probes of the half-open state lie too far back to say anything: new ones are counted.
    ProbesStale,
    /// The wait of the open state was over, and somebody asked.
    WaitOver,
    /// The probes of the half-open state went well.
    ProbesSucceeded,
    /// Somebody decided it.
    ByHand,
}

impl Reason {
    /// The name in metrics, events and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowRate => "slow_rate",
            Self::FailuresInARow => "failures_in_a_row",
            Self::AllRules => "all_rules",
            Self::ProbesFailed => "probes_failed",
            Self::ProbesSlow => "probes_slow",
            Self::ProbesHung => "probes_hung",
            Self::ProbesStale => "probes_stale",
            Self::WaitOver => "wait_over",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ByHand => "by_hand",
        }
    }
}

impl From<Tripped> for Reason {
    fn from(rule: Tripped) -> Self {
        match rule {
            Tripped::FailureRate => Self::FailureRate,
            Tripped::SlowRate => Self::SlowRate,
            Tripped::InARow => Self::FailuresInARow,
            Tripped::All => Self::AllRules,
        }
    }
}

/// One change of state. From [`BreakerState::MetricsOnly`] to itself: the breaker would have opened. From
/// [`BreakerState::HalfOpen`] to itself: the probes begin anew.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that was left.
    pub from: BreakerState,
    /// The state that was entered.
    pub to: BreakerState,
    /// Why.
    pub reason: Reason,
    /// When, by the wall clock.
    pub at: SystemTime,
}

impl Transition {
    pub(super) const fn new(from: BreakerState, to: BreakerState, reason: Reason, at: SystemTime) -> Self {
        Self { from, to, reason, at }
    }
}

/// What a listener hears.
#[expect(clippy::exhaustive_enums, reason = "a listener must decide for each")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The breaker changed its state.
    Changed(Transition),
    /// So many changes came while nobody listened; the older ones are lost.
    Missed(u64),
}

/// The changes of one breaker from now on; it ends when the breaker is gone.
///
/// It holds 64 changes for a listener that does not listen, and then counts what it loses.
#[must_use = "a stream does nothing unless polled"]
#[derive(Debug)]
pub struct Transitions(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    changes: VecDeque<Transition>,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transitions {
    /// The next change; `None` once the breaker is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Transitions {
    type Item = Heard;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let mut waiting = self.0.lock();
        if waiting.missed > 0 {
            return Poll::Ready(Some(Heard::Missed(std::mem::take(&mut waiting.missed))));
        }
        match waiting.changes.pop_front() {
            Some(change) => Poll::Ready(Some(Heard::Changed(change))),
            None if waiting.closed => Poll::Ready(None),
            None => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The listeners of one breaker, forgotten once they are dropped.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<Weak<Queue>>);

impl Listeners {
    pub(super) fn add(&mut self) -> Transitions {
        let queue = Arc::<Queue>::default();
        self.0.retain(|listener| listener.strong_count() > 0);
        self.0.push(Arc::downgrade(&queue));
        Transitions(queue)
    }

    pub(super) fn tell(&mut self, change: Transition) {
        self.each(|waiting| {
            if waiting.changes.len() == QUEUE {
                waiting.changes.pop_front();
                waiting.missed += 1;
            }
            waiting.changes.push_back(change);
        });
    }

    fn each(&mut self, change: impl Fn(&mut Waiting)) {
        self.0.retain(|listener| {
            let Some(queue) = listener.upgrade() else { return false };
            let waker = {
                let mut waiting = queue.lock();
                change(&mut waiting);
                waiting.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
            true
        });
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.each(|waiting| waiting.closed = true);
    }
}
