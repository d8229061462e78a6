//! How one listener stands: what it did, whether it hears, and who waits for it to be done.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use futures_util::task::AtomicWaker;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Listener;
use crate::patterns::events::Gap;

/// What is answered while nothing is heard: to every question at once.
const AT_ONCE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Standing {
    pub(super) listener: Listener,
    group: Option<String>,
    /// Why it hears nothing at this moment, if that is so.
    silent: Mutex<Option<String>>,
    handled: AtomicU64,
    failed: AtomicU64,
    /// Calls that ended, those with gaps too.
    ended: AtomicU64,
    gaps: AtomicU64,
    lost: AtomicU64,
    /// How often its subscription had to be made again.
    again: AtomicU64,
    /// The number of the last question whether it is done, and of the last that is answered.
    asked: AtomicU64,
    answered: watch::Sender<u64>,
    /// Wakes the task that listens.
    pub(super) waker: AtomicWaker,
}

impl Standing {
    pub(super) fn new(listener: Listener, group: Option<String>) -> Self {
        Self {
            listener,
            group,
            silent: Mutex::new(Some("it has not begun".to_owned())),
            handled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            again: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            answered: watch::Sender::new(AT_ONCE),
            waker: AtomicWaker::new(),
        }
    }

    /// It hears from now on.
    pub(super) fn begin(&self) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.answered.send_replace(self.asked.load(Ordering::Acquire));
    }

    /// It hears nothing any more, for this reason.
    pub(super) fn end(&self, reason: String) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        self.again.fetch_add(1, Ordering::Relaxed);
        self.answered.send_replace(AT_ONCE);
    }

    /// It is over: nobody waits for it.
    pub(super) fn leave(&self) {
        self.answered.send_replace(AT_ONCE);
    }

    pub(super) fn is_well(&self) -> bool {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn count(&self, is_event: bool, is_done: bool) {
        if is_event {
            let counter = if is_done { &self.handled } else { &self.failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.ended.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count_gap(&self, gap: Gap) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(gap.lost.unwrap_or_default(), Ordering::Relaxed);
    }

    /// How many calls have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits until it has nothing left to do, or hears nothing.
    #[cfg(feature = "testing")]
    pub(super) async fn idle(&self) {
        let mut answered = self.answered.subscribe();
        let question = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.waker.wake();
        // The sender lives as long as we do.
        let _ = answered.wait_for(|answer| *answer >= question).await;
    }

    /// The question that is open, if one is.
    pub(super) fn question(&self) -> Option<u64> {
        let asked = self.asked.load(Ordering::Acquire);
        (*self.answered.borrow() < asked).then_some(asked)
    }

    pub(super) fn answer(&self, question: u64) {
        self.answered.send_replace(question);
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "name": self.listener.name,
            "topics": self.listener.topics,
            "group": self.group,
            "acked": self.listener.acked,
            "handled": self.handled.load(Ordering::Relaxed),
            "failed": self.failed.load(Ordering::Relaxed),
            "gaps": self.gaps.load(Ordering::Relaxed),
            "lost": self.lost.load(Ordering::Relaxed),
            "again": self.again.load(Ordering::Relaxed),
        });
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        shown["listens"] = Value::Bool(silent.is_none());
        if let Some(reason) = &*silent {
            shown["reason"] = reason.as_str().into();
        }
        shown
    }
}
