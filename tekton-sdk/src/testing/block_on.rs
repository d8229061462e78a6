//! Running one future to its end, for tests that are plain functions.

use std::{future::Future, time::Duration};

use crate::time::SharedClock;

/// How long a test may take by the real clock before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a future on a runtime of its own, of one thread, with sockets and timers.
///
/// ```
/// assert_eq!(tekton_sdk::testing::block_on(async { 6 * 7 }), 42);
/// ```
///
/// # Panics
/// If no runtime can be made, inside another runtime, or if the future does not end within 60 s.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system gives a runtime");
    let limited = async {
        let mut future = std::pin::pin!(future);
        let mut limit = SharedClock::default().sleep(LIMIT);
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(value),
            std::task::Poll::Pending => {
                assert!(limit.as_mut().poll(cx).is_pending(), "the test did not end within {LIMIT:?}");
                std::task::Poll::Pending
            }
        })
        .await
    };
    runtime.block_on(limited)
}
