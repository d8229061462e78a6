//! Model checks: every order in which threads can meet on the SDK's own atomics, run by loom.
//!
//! A module that is checked names its atomics `super::sync`. In the SDK that is the standard library's; here its source is
//! included beside a `sync` of loom's. Nothing has to be compiled with `--cfg loom`, which would change tokio too.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

/// What the modules under test find at `super::sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

/// The breaker's atomics, as the SDK has them.
#[path = "../../tekton-sdk/src/patterns/breaker/atomic/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the models need a part of it")]
mod atomic;
mod breaker;
mod bulkhead;
mod counter;
mod decisions;
/// The word of the bulkhead.
#[path = "../../tekton-sdk/src/policy/bulkhead/places.rs"]
#[expect(dead_code, reason = "the models need a part of it")]
mod places;

use counter::Counter;
use loom::{sync::Arc, thread};

/// Counts on two threads in every order, and says what the counter ends with.
fn counted_twice(add: fn(&Counter)) {
    loom::model(move || {
        let counter = Arc::new(Counter::new());
        let other = Arc::clone(&counter);
        let thread = thread::spawn(move || add(&other));
        add(&counter);
        thread.join().unwrap();
        assert_eq!(counter.get(), 2, "an update was lost");
    });
}

#[test]
fn an_atomic_update_is_never_lost() {
    counted_twice(Counter::add);
}

#[test]
#[should_panic(expected = "an update was lost")]
fn the_checker_finds_a_lost_update() {
    counted_twice(Counter::add_in_two_steps);
}
