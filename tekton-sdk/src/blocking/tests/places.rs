//! Every place where a thread may wait, and every place where it may not.

use std::{
    future::poll_fn,
    task::{Context as TaskContext, Poll, Waker},
    thread::{self, JoinHandle},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{self, LocalSet, coop},
};

use super::*;
use crate::{blocking::place, directory::Query, error::ErrorKind};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn stage() -> (Arc<Stage>, Tekton) {
    let stage = Arc::new(Stage::new());
    let face = stage.face();
    (stage, face)
}

/// Everything that blocks is refused here; making and dropping clones, peers and calls is not.
fn is_refused(stage: &Stage, face: &Tekton) {
    let peer = face.clone().peer("echo");
    let refusals = [
        greet(face, "Ada").send().map(drop),
        peer.ping().map(drop),
        face.discover(&Query::everybody()).map(drop),
        face.components().map(drop),
        face.shutdown(),
        Tekton::new(stage.builder()).map(drop),
        Tekton::from_env().map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.to_string(), "blocking call inside an async task; use the async face, or `spawn_blocking`");
    }
}

/// A call works here, and so does a face that is made, used and ended here.
fn is_served(stage: &Stage, face: &Tekton) {
    assert_eq!(*greet(face, "Ada").send().unwrap(), "Good day, Ada.");
    let own = stage.face();
    assert_eq!(*greet(&own, "Bob").send().unwrap(), "Good day, Bob.");
    own.shutdown().unwrap();
    drop(stage.face());
}

#[test]
fn async_tasks_and_roots_are_refused() {
    let (stage, face) = stage();
    for runtime in [one_thread(), many_threads()] {
        runtime.block_on(async { is_refused(&stage, &face) });
        let (s, f) = (Arc::clone(&stage), face.clone());
        runtime.block_on(runtime.spawn(async move { is_refused(&s, &f) })).unwrap();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = async { task::yield_now().await; is_refused(&stage, &face) } => (),
                () = std::future::pending() => (),
            }
        });
        let (s, f) = (Arc::clone(&stage), face.clone());
        runtime.block_on(LocalSet::new().run_until(async {
            is_refused(&stage, &face);
            task::spawn_local(async move { is_refused(&s, &f) }).await.unwrap();
        }));
        runtime.block_on(poll_fn(|_| {
            is_refused(&stage, &face);
            Poll::Ready(())
        }));
    }
    is_served(&stage, &face);
}

#[test]
fn async_code_inside_a_blocking_thread_is_refused() {
    let (stage, face) = stage();
    for runtime in [one_thread(), many_threads()] {
        let (s, f, handle) = (Arc::clone(&stage), face.clone(), runtime.handle().clone());
        let work = move || {
            handle.block_on(async { is_refused(&s, &f) });
            one_thread().block_on(async { is_refused(&s, &f) });
            is_served(&s, &f);
        };
        runtime.block_on(async { task::spawn_blocking(work).await.unwrap() });
    }
}

#[test]
fn threads_that_may_block_are_served() {
    let (stage, face) = stage();
    is_served(&stage, &face);
    for runtime in [one_thread(), many_threads()] {
        let entered = runtime.enter();
        is_served(&stage, &face);
        drop(entered);
        let in_a_thread = || thread::scope(|scope| scope.spawn(|| is_served(&stage, &face)).join().unwrap());
        runtime.block_on(async { in_a_thread() });
        let blocking = || {
            let (s, f) = (Arc::clone(&stage), face.clone());
            task::spawn_blocking(move || is_served(&s, &f))
        };
        runtime.block_on(async { blocking().await.unwrap() });
        runtime.block_on(LocalSet::new().run_until(async { blocking().await.unwrap() }));
    }
}

#[test]
fn block_in_place_is_served() {
    let (stage, face) = stage();
    let runtime = many_threads();
    runtime.block_on(async {
        task::block_in_place(|| is_served(&stage, &face));
        // Of the root alone tokio lifts the budget until the next poll.
        task::yield_now().await;
        is_refused(&stage, &face);
    });
    let (s, f) = (Arc::clone(&stage), face.clone());
    let work = async move {
        task::block_in_place(|| {
            is_served(&s, &f);
            Handle::current().block_on(async { is_refused(&s, &f) });
            is_served(&s, &f);
        });
        is_refused(&s, &f);
    };
    runtime.block_on(runtime.spawn(work)).unwrap();
}

#[test]
fn an_unconstrained_task_blocks_its_thread_and_nothing_else() {
    let (stage, face) = stage();
    for runtime in [one_thread(), many_threads()] {
        runtime.block_on(coop::unconstrained(async { is_served(&stage, &face) }));
        let (s, f) = (Arc::clone(&stage), face.clone());
        runtime.block_on(runtime.spawn(coop::unconstrained(async move { is_served(&s, &f) }))).unwrap();
    }
}

/// Spends this much of the running task's budget, and tells how much there was to spend.
fn spend(most: usize) -> usize {
    let mut cx = TaskContext::from_waker(Waker::noop());
    let steps = std::iter::from_fn(|| match coop::poll_proceed(&mut cx) {
        Poll::Ready(step) => {
            step.made_progress();
            Some(())
        }
        Poll::Pending => None,
    });
    steps.take(most).count()
}

#[test]
fn the_look_costs_no_budget_and_needs_none() {
    one_thread().block_on(async {
        let whole = spend(1_000);
        assert!((2..=256).contains(&whole), "a budget of {whole} steps");
        assert!(place::check().is_err(), "with nothing left");
        for left in [1, 2, whole / 2, whole] {
            task::yield_now().await;
            assert_eq!(spend(whole - left), whole - left);
            assert!(place::check().is_err());
            assert_eq!(spend(1_000), left, "after the look");
        }
    });
    assert!(place::check().is_ok());
}

/// Drops the last clone of a face in this way, and gives the thread that stood behind it.
fn dropped(stage: &Stage, drop_it: impl FnOnce(Tekton)) -> JoinHandle<()> {
    let face = stage.face();
    greet(&face, "Ada").send().unwrap();
    let thread = face.take_thread().unwrap();
    drop_it(face);
    thread
}

#[test]
fn the_last_clone_may_be_dropped_anywhere_and_the_thread_ends() {
    let stage = Stage::new();
    for runtime in [one_thread(), many_threads()] {
        let places: [&dyn Fn(Tekton); 6] = [
            &drop,
            &|face| runtime.block_on(async { drop(face) }),
            &|face| runtime.block_on(runtime.spawn(async { drop(face) })).unwrap(),
            &|face| runtime.block_on(runtime.spawn_blocking(|| drop(face))).unwrap(),
            &|face| {
                LocalSet::new().block_on(&runtime, async { task::spawn_local(async { drop(face) }).await.unwrap() })
            },
            // What came from it outlives it.
            &|face| {
                let call = face.peer("echo").request::<u8>("seen");
                drop(face);
                runtime.block_on(async { drop(call) });
            },
        ];
        for place in places {
            dropped(&stage, place).join().unwrap();
        }
    }
}

#[test]
fn a_task_that_is_dropped_with_its_runtime_takes_its_face_along() {
    let stage = Stage::new();
    for runtime in [one_thread(), many_threads()] {
        let thread = dropped(&stage, |face| {
            runtime.spawn(async move {
                std::future::pending::<()>().await;
                drop(face);
            });
            runtime.block_on(task::yield_now());
            drop(runtime);
        });
        thread.join().unwrap();
    }
}
