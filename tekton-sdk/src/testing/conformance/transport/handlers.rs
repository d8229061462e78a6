//! The far ends of the laws.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::transport::{Handler, Inbound, Response};

/// A handler that is a function.
pub(super) struct Answers<F>(F);

impl<F, Fut> Answers<F>
where
    F: Fn(Inbound) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    pub(super) fn with(answer: F) -> Arc<dyn Handler> {
        Arc::new(Self(answer))
    }
}

#[async_trait]
impl<F, Fut> Handler for Answers<F>
where
    F: Fn(Inbound) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    async fn handle(&self, request: Inbound) -> Response {
        (self.0)(request).await
    }
}

impl<F> fmt::Debug for Answers<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

/// A count that others wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(Arc<(AtomicUsize, Notify)>);

impl Count {
    pub(super) fn add(&self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    pub(super) fn get(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(super) async fn until(&self, count: usize) {
        loop {
            let changed = self.0.1.notified();
            if self.get() >= count {
                return;
            }
            changed.await;
        }
    }

    /// Counts when it is dropped.
    pub(super) fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }
}

pub(super) struct OnDrop(Count);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}
