//! Whom a connection wakes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Somebody looks after the connection, or it lies in the pool: whatever wakes it is seen there.
const HELD: u8 = 1;
/// It was woken meanwhile.
const WOKEN: u8 = 2;

/// Stands between a connection and the task that waits for it.
///
/// A connection that is polled by its own caller wakes that caller with whatever the caller itself does to it: every request
/// handed over, every piece of the body taken out. Each such wake would cost the caller's task a turn with nothing to do. While
/// the gate is held they are only remembered.
#[derive(Debug)]
pub(super) struct Gate {
    state: AtomicU8,
    waiting: AtomicWaker,
    doubted: AtomicBool,
}

impl Gate {
    /// A gate that remembers wakes.
    pub(super) const fn held() -> Self {
        Self { state: AtomicU8::new(HELD), waiting: AtomicWaker::new(), doubted: AtomicBool::new(false) }
    }

    /// Remembers wakes from here on, and forgets those before.
    pub(super) fn hold(&self) {
        self.state.swap(HELD, Ordering::AcqRel);
    }

    /// Passes wakes on to this task, unless there was one since [`hold`](Self::hold): then it says no, and goes on holding.
    #[must_use = "if it says no, nobody will be woken"]
    pub(super) fn release(&self, waiting: &Waker) -> bool {
        self.waiting.register(waiting);
        self.state.compare_exchange(HELD, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Gate {
    /// Has the stream ask the system itself before the next reading: the runtime may not have heard of an end yet.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// Whether it was doubted since the last time that this was asked.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed) && self.doubted.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & HELD == 0 {
            self.waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::{ArcWake, waker};
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl ArcWake for Woken {
        fn wake_by_ref(woken: &Arc<Self>) {
            woken.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_is_passed_on_only_while_nobody_holds_the_gate() {
        let (gate, woken) = (Arc::new(Gate::held()), Arc::new(Woken::default()));
        let (connection, task) = (Waker::from(Arc::clone(&gate)), waker(Arc::clone(&woken)));
        gate.hold();
        assert!(gate.release(&task), "nothing woke it");
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        connection.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        gate.hold();
        connection.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the holder sees for itself");
        assert!(!gate.release(&task), "and is told so");
        gate.hold();
        assert!(gate.release(&task), "what it has seen to is forgotten");
    }
}
