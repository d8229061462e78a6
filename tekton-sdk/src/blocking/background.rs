//! The thread behind a face.

use std::{
    error::Error as StdError,
    io,
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::place;
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result, Sent},
};

/// A thread that runs the async side. It owns its runtime and drops it itself, because a runtime must not be dropped inside
/// an async task; dropping this only says that it may end.
#[derive(Debug)]
pub(super) struct Background {
    runtime: Handle,
    end: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Background {
    pub(super) fn start() -> Result<Self> {
        Self::start_with(|| Builder::new_current_thread().enable_all().build())
    }

    fn start_with(runtime: impl FnOnce() -> io::Result<Runtime> + Send + 'static) -> Result<Self> {
        place::check()?;
        let end = CancellationToken::new();
        let (tell, told) = mpsc::sync_channel(1);
        let ended = end.clone();
        let work = move || {
            place::mark_background();
            // However this thread ends, later calls learn that it is gone.
            let _says_so = ended.clone().drop_guard();
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok(runtime.handle().clone())));
            runtime.block_on(ended.cancelled());
            // Waits for no lookup of a name that hangs; what still runs is dropped here.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("tekton-blocking".to_owned()).spawn(work).map_err(not_started)?;
        let runtime = told.recv().map_err(not_started)?.map_err(not_started)?;
        Ok(Self { runtime, end, thread: Mutex::new(Some(thread)) })
    }

    /// Runs this on the background thread, inside the caller's [`Context`] and span, and waits for it.
    ///
    /// The wait is as long as the work: calls end by their deadline.
    pub(super) fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        place::check()?;
        if self.end.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "the blocking face is shut down"));
        }
        let context = Context::current();
        let (tell, told) = mpsc::sync_channel(1);
        let task = async move {
            let work = async move {
                match context {
                    Some(context) => context.scope(work).await,
                    None => work.await,
                }
            };
            let done = AssertUnwindSafe(work).catch_unwind().await;
            // There is room for the one message, and the caller waits for it.
            drop(tell.send(done));
        };
        drop(self.runtime.spawn(task.in_current_span()));
        match told.recv() {
            Ok(Ok(done)) => done,
            Ok(Err(_panic)) => Err(Error::internal("the call panicked on the background thread")),
            // The task was dropped with its runtime.
            Err(_) => Err(Error::new(ErrorKind::Cancelled, "the blocking face was shut down during the call")),
        }
    }

    /// Ends the thread, and what runs on it, and waits until it has ended.
    pub(super) fn end(&self) -> Result<()> {
        place::check()?;
        self.end.cancel();
        match self.thread.lock().unwrap_or_else(PoisonError::into_inner).take().map(JoinHandle::join) {
            Some(Err(_panic)) => Err(Error::internal("the background thread of the blocking face panicked")),
            _ => Ok(()),
        }
    }

    /// The thread, for tests that wait for its end.
    #[cfg(test)]
    pub(super) fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

fn not_started(error: impl StdError + Send + Sync + 'static) -> Error {
    let what = "the background thread of the blocking face cannot be started";
    Error::internal(what).with_source(error).with_sent(Sent::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_cannot_be_made_is_an_error() {
        let error = Background::start_with(|| Err(io::Error::other("too many open files"))).unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Internal, Sent::No));
        assert!(error.report().ends_with("cannot be started: too many open files"), "{error:?}");

        let error = Background::start_with(|| panic!("this panic belongs to the test")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_panic_is_contained_and_the_thread_goes_on() {
        let background = Background::start().unwrap();
        let error = background.run::<()>(async { panic!("this panic belongs to the test") });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(background.run(async { Ok(7) }).unwrap(), 7);
    }

    #[test]
    fn it_ends_when_it_is_dropped() {
        let background = Background::start().unwrap();
        let thread = background.take_thread().unwrap();
        drop(background);
        thread.join().unwrap();
    }

    #[test]
    fn ended_it_says_so_and_what_was_running_is_cancelled() {
        let background = Background::start().unwrap();
        thread::scope(|scope| {
            let (tell, began) = mpsc::sync_channel(1);
            let running = scope.spawn(|| {
                background.run::<()>(async move {
                    tell.send(()).unwrap();
                    std::future::pending().await
                })
            });
            began.recv().unwrap();
            let endings: Vec<_> = (0..4).map(|_| scope.spawn(|| background.end())).collect();
            assert!(endings.into_iter().all(|end| end.join().unwrap().is_ok()));
            let error = running.join().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Cancelled, Sent::Maybe));
        });
        let error = background.run(async { Ok(()) }).unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    }

    #[test]
    fn nobody_waits_on_the_background_thread_itself() {
        let background = std::sync::Arc::new(Background::start().unwrap());
        let own = std::sync::Arc::clone(&background);
        let nested = tokio::task::unconstrained(async move { own.run(async { Ok(()) }) });
        assert_eq!(background.run(nested).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
