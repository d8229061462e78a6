//! What is to be written on a connection, in its order.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// While more than this waits to be written, no call and no piece of a stream is added.
const FULL_BYTES: usize = 256 << 10;

/// The queue between whoever has something to say and the one task that writes.
///
/// Calls and pieces wait for [`room`](Self::room). What must not wait, as answers, credits and cancels, is added at once: there is
/// a bounded number of them for each call that is under way.
#[derive(Debug, Default)]
pub(crate) struct Out {
    queue: Mutex<Queue>,
    writer: AtomicWaker,
    emptier: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    texts: VecDeque<Outgoing>,
    bytes: usize,
    closed: bool,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: String,
    /// The call that it begins.
    pub(crate) begins: Option<u64>,
}

impl Out {
    /// Adds a message; false if nothing is written any more.
    pub(crate) fn push(&self, text: String, begins: Option<u64>) -> bool {
        {
            let mut queue = self.lock();
            if queue.closed {
                return false;
            }
            queue.bytes += text.len();
            queue.texts.push_back(Outgoing { text, begins });
        }
        self.writer.wake();
        true
    }

    /// Waits until a call or a piece may be added, or nothing is written any more.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            let emptier = self.emptier.notified();
            if !self.is_full() {
                return;
            }
            emptier.await;
        }
    }

    /// Whether so much waits that nothing is to be added which can wait.
    pub(crate) fn is_full(&self) -> bool {
        let queue = self.lock();
        queue.bytes > FULL_BYTES && !queue.closed
    }

    /// How much waits.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The next message to write.
    pub(crate) fn pop(&self) -> Option<Outgoing> {
        let mut queue = self.lock();
        let next = queue.texts.pop_front()?;
        let before = queue.bytes;
        queue.bytes -= next.text.len();
        let has_room = before > FULL_BYTES && queue.bytes <= FULL_BYTES;
        drop(queue);
        if has_room {
            self.emptier.notify_waiters();
        }
        Some(next)
    }

    /// Whom to wake when there is something to write.
    pub(crate) fn register(&self, writer: &Waker) {
        self.writer.register(writer);
    }

    /// Nobody needs to be woken.
    pub(crate) fn unregister(&self) {
        self.writer.take();
    }

    /// Nothing is written any more. What was not, is given back.
    pub(crate) fn close(&self) -> VecDeque<Outgoing> {
        let left = {
            let mut queue = self.lock();
            queue.closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.texts)
        };
        self.emptier.notify_waiters();
        left
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_much_to_say_waits_until_it_is_written_or_never_will_be() {
        let out = Out::default();
        assert!(out.push("a".repeat(FULL_BYTES), Some(1)));
        out.room().await;
        assert!(out.push("b".to_owned(), None), "what must not wait is added all the same");
        let mut waiting = Box::pin(out.room());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(out.pop().unwrap().begins, Some(1));
        waiting.await;
        assert_eq!((out.bytes(), out.pop().unwrap().text), (1, "b".to_owned()));
        assert!(out.pop().is_none());

        out.push("c".repeat(FULL_BYTES + 1), Some(2));
        let mut waiting = Box::pin(out.room());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let left = out.close();
        waiting.await;
        assert_eq!(left.iter().map(|left| left.begins).collect::<Vec<_>>(), [Some(2)]);
        assert!(!out.push("d".to_owned(), None) && out.is_closed());
    }
}
