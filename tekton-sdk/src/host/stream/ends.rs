//! How all streams of a host are ended.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

use crate::time::BoxFuture;

/// Tells every stream to end. Clones tell the same ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ending: CancellationToken,
    draining: AtomicBool,
    cut_off: AtomicBool,
}

impl Ends {
    /// From here on nobody comes back to a stream whose connection broke.
    pub(super) fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Ends every stream with an error that says that the component shuts down.
    pub(super) fn end(&self) {
        self.drain();
        self.0.ending.cancel();
    }

    /// Ends every stream without a word, as a crash does, unless they were told to end already.
    pub(super) fn cut_off(&self) {
        if !self.is_ending() {
            self.0.cut_off.store(true, Ordering::Release);
            self.end();
        }
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.0.cut_off.load(Ordering::Acquire)
    }

    pub(super) fn is_ending(&self) -> bool {
        self.0.ending.is_cancelled()
    }

    /// Waits until the streams are to end.
    pub(super) fn ending(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.0.ending.clone().cancelled_owned())
    }
}
