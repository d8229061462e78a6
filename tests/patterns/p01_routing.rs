//! Room 1 with a choice: whom to take and why, several asked at once, and what a tree of calls may spend.

mod budget;
mod choose;
mod scatter;
mod tree;

use std::{
    future::IntoFuture,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::poll;
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Result,
    contract::{Descriptor, Operation},
    host::Operations,
    testing::TestBed,
    time::{ManualClock, SharedClock},
};

const SECOND: Duration = Duration::from_secs(1);
const CAPABILITY: &str = "text.generate";

/// Polls until it is done, while nobody moves the clock: what waits for time never gets there.
async fn soon<F: IntoFuture>(work: F) -> F::Output {
    let mut work = pin!(work.into_future());
    for _ in 0..100 {
        if let Poll::Ready(done) = poll!(work.as_mut()) {
            return done;
        }
        tokio::task::yield_now().await;
    }
    panic!("it waits for time to pass");
}

/// Runs work to its end, moving the clock whenever it waits.
async fn through<F: IntoFuture>(clock: &ManualClock, work: F) -> F::Output {
    let mut work = pin!(work.into_future());
    for _ in 0..10_000 {
        if let Poll::Ready(done) = poll!(work.as_mut()) {
            return done;
        }
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(50));
    }
    panic!("it never ends");
}

/// What a model does when it is asked.
#[derive(Clone, Debug)]
enum Does {
    Answer(Value),
    Late(Duration, Value),
    Fail(ErrorKind),
    Hang,
}

/// What a model was seen to do.
#[derive(Clone, Debug, Default)]
struct Seen {
    began: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Seen {
    fn began(&self) -> usize {
        self.began.load(Ordering::SeqCst)
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Counts a question as running until it is dropped.
struct Running(Seen);

impl Running {
    fn new(seen: &Seen) -> Self {
        seen.began.fetch_add(1, Ordering::SeqCst);
        let now = seen.running.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(now, Ordering::SeqCst);
        Self(seen.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

const GENERATE: Operation = Operation::read("generate", "Does what the test says.").open();
const NOTE: Operation = Operation::write("note", "Says which key it was given.").open();

struct Model {
    descriptor: Descriptor,
    does: Does,
    seen: Seen,
    clock: SharedClock,
}

impl Model {
    fn new(bed: &TestBed, name: &str, does: Does) -> Self {
        let descriptor = Descriptor::new(name, "1.0.0").capability(CAPABILITY);
        Self { descriptor, does, seen: Seen::default(), clock: bed.tekton().clock().clone() }
    }

    fn describe(mut self, change: impl FnOnce(Descriptor) -> Descriptor) -> Self {
        self.descriptor = change(self.descriptor);
        self
    }

    /// Lets others see what it is seen to do.
    fn seen_by(mut self, seen: &Seen) -> Self {
        self.seen = seen.clone();
        self
    }

    async fn generate(&self) -> Result<Value> {
        let _running = Running::new(&self.seen);
        match &self.does {
            Does::Answer(value) => Ok(value.clone()),
            Does::Late(wait, value) => {
                self.clock.sleep(*wait).await;
                Ok(value.clone())
            }
            Does::Fail(kind) => Err(Error::new(*kind, "as planned")),
            Does::Hang => std::future::pending().await,
        }
    }
}

impl Component for Model {
    fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new().on(&self, GENERATE, |model, _, _| async move { model.generate().await }).on(
            &self,
            NOTE,
            |model, context: Context, _| async move {
                let _running = Running::new(&model.seen);
                Ok(json!(context.idempotency_key()))
            },
        )
    }
}

/// Serves these, and says what each is seen to do.
async fn serve<const N: usize>(bed: &TestBed, models: [(&str, Does); N]) -> [Seen; N] {
    let seen: [Seen; N] = std::array::from_fn(|_| Seen::default());
    for ((name, does), seen) in models.into_iter().zip(&seen) {
        bed.serve(Model::new(bed, name, does).seen_by(seen)).await.unwrap();
        // The newest stands first in a query that prefers nothing; the tests say the best one first.
        bed.clock().advance(SECOND);
    }
    seen
}
