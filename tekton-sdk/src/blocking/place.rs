//! Where a thread may wait, and where it may not.

use std::{
    cell::Cell,
    task::{Context, Poll, Waker},
};

use tokio::task::coop;

use crate::error::{Error, Result};

/// More steps than a task's budget can have: tokio gives 128 and keeps the number in a `u8`.
const MORE_THAN_A_BUDGET: u32 = 256;

thread_local! {
    static BACKGROUND: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that runs a face's calls: whatever waits on it would wait for itself.
pub(super) fn mark_background() {
    BACKGROUND.set(true);
}

/// Refuses a place where waiting would stop async tasks.
pub(super) fn check() -> Result<()> {
    if BACKGROUND.get() || is_async() {
        return Err(Error::invalid("blocking call inside an async task; use the async face, or `spawn_blocking`"));
    }
    Ok(())
}

/// Whether this thread is polling a future for tokio.
///
/// `Handle::try_current` cannot tell: it succeeds in `spawn_blocking` too. The budget of cooperative scheduling can. Tokio
/// limits it while it polls a future, the one given to `block_on` included, and lifts the limit in `spawn_blocking` and
/// `block_in_place`; a plain thread has none. So a budget that can be used up means async.
///
/// Two places lift it and are not seen: `unconstrained`, and the root of `block_on` on a runtime of many threads, from the end
/// of a `block_in_place` until its next poll. A call there blocks that one thread until its answer or its deadline.
fn is_async() -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    // Dropped last, it puts the budget back as it was before this step, whatever the steps after it have spent.
    let Poll::Ready(_restores_all) = coop::poll_proceed(&mut cx) else { return true };
    (0..MORE_THAN_A_BUDGET).any(|_| match coop::poll_proceed(&mut cx) {
        Poll::Ready(step) => {
            step.made_progress();
            false
        }
        Poll::Pending => true,
    })
}
