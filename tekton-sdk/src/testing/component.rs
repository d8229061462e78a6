//! A whole peer that does what the test planned.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::sync::Notify;

use super::log::Log;
use crate::{
    context::Context,
    contract::{Descriptor, Operation},
    error::{Error, ErrorKind, Result},
    host::{Component, Operations, Serve},
    service::CallOptions,
    tekton::Tekton,
    time::SharedClock,
};

/// A component whose operations are planned by the test. It takes any arguments and records every call.
///
/// What is planned for one operation is played in the order of planning, one step per call; the last step is repeated.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use serde_json::{Value, json};
/// use tekton_sdk::{ErrorKind, testing::{FakeComponent, TestBed}};
///
/// let fake = FakeComponent::new("summarizer")
///     .fails("summarize", ErrorKind::Closed)
///     .answers("summarize", json!("Short."));
/// let calls = fake.calls();
/// let bed = TestBed::new()?;
/// bed.serve(fake).await?;
///
/// let summarizer = bed.tekton().peer("summarizer");
/// let first = summarizer.request::<Value>("summarize").json(&json!({"text": "Short. Long."})).await;
/// assert_eq!(first.unwrap_err().remote().unwrap().status(), 503);
/// assert_eq!(*summarizer.request::<Value>("summarize").await?, "Short.");
/// assert_eq!(calls.all()[0].arguments["text"], "Short. Long.");
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[must_use = "a fake does nothing until it is served"]
pub struct FakeComponent {
    descriptor: Descriptor,
    plans: BTreeMap<&'static str, Plan>,
    calls: Calls,
    clock: SharedClock,
}

#[derive(Default)]
struct Plan {
    delay: Duration,
    steps: Vec<Step>,
    played: AtomicUsize,
}

type Doing = dyn Fn(&Value, &Context) -> Result<Value> + Send + Sync;

enum Step {
    Answer(Value),
    Do(Box<Doing>),
    Fail(ErrorKind),
    Hang,
    Panic,
}

impl FakeComponent {
    /// A component of this name that serves nothing yet; its version is 1.0.0.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            descriptor: Descriptor::new(name, "1.0.0"),
            plans: BTreeMap::new(),
            calls: Calls::default(),
            clock: SharedClock::default(),
        }
    }

    /// Sets its version.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.descriptor.version = version.into();
        self
    }

    /// Adds a capability.
    pub fn capability(self, name: impl Into<String>) -> Self {
        self.describe(|descriptor| descriptor.capability(name))
    }

    /// Changes whatever else it says of itself.
    pub fn describe(mut self, change: impl FnOnce(Descriptor) -> Descriptor) -> Self {
        self.descriptor = change(self.descriptor);
        self
    }

    /// Plans an answer.
    pub fn answers(self, operation: &'static str, answer: impl Into<Value>) -> Self {
        self.step(operation, Step::Answer(answer.into()))
    }

    /// Plans an answer made from the arguments.
    pub fn answers_with<F>(self, operation: &'static str, answer: F) -> Self
    where
        F: Fn(&Value, &Context) -> Result<Value> + Send + Sync + 'static,
    {
        self.step(operation, Step::Do(Box::new(answer)))
    }

    /// Plans a failure; the caller sees what the host makes of this kind.
    pub fn fails(self, operation: &'static str, kind: ErrorKind) -> Self {
        self.step(operation, Step::Fail(kind))
    }

    /// Plans a call that never ends.
    pub fn hangs(self, operation: &'static str) -> Self {
        self.step(operation, Step::Hang)
    }

    /// Plans a panic.
    pub fn panics(self, operation: &'static str) -> Self {
        self.step(operation, Step::Panic)
    }

    /// Lets every call of this operation wait so long before its step, by the clock of the handle that serves it. An
    /// operation that nothing is planned for answers `null` then.
    pub fn delays(mut self, operation: &'static str, delay: Duration) -> Self {
        self.plans.entry(operation).or_default().delay = delay;
        self
    }

    /// The calls it gets, for the test to look at.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    fn step(mut self, operation: &'static str, step: Step) -> Self {
        self.plans.entry(operation).or_default().steps.push(step);
        self
    }

    async fn play(&self, operation: &'static str, arguments: Value, context: Context) -> Result<Value> {
        self.calls.push(RecordedCall {
            operation,
            arguments: arguments.clone(),
            context: context.clone(),
            options: CallOptions::new(),
        });
        let Some(plan) = self.plans.get(operation) else {
            return Err(Error::internal("nothing is planned for this operation"));
        };
        // Taken before the wait, so that the steps are played in the order of calling.
        let turn = plan.played.fetch_add(1, Ordering::Relaxed);
        if !plan.delay.is_zero() {
            self.clock.sleep(plan.delay).await;
        }
        match plan.steps.get(turn).or_else(|| plan.steps.last()) {
            None => Ok(Value::Null),
            Some(Step::Answer(answer)) => Ok(answer.clone()),
            Some(Step::Do(answer)) => answer(&arguments, &context),
            Some(Step::Fail(kind)) => Err(Error::new(*kind, "a failure that the test planned")),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("a panic that the test planned"),
        }
    }
}

impl Component for FakeComponent {
    fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }

    fn operations(self: Arc<Self>) -> Operations {
        let names: Vec<_> = self.plans.keys().copied().collect();
        names.into_iter().fold(Operations::new(), |operations, name| {
            let operation = Operation::read(name, "Does what the test planned.").open();
            operations.on(&self, operation, move |fake, context, arguments| async move {
                fake.play(name, arguments.whole()?, context).await
            })
        })
    }

    fn serve(mut self, tekton: &Tekton) -> Serve {
        self.clock = tekton.clock().clone();
        let descriptor = self.descriptor();
        Serve::new(tekton.clone(), descriptor, Arc::new(self).operations())
    }
}

impl fmt::Debug for FakeComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeComponent")
            .field("name", &self.descriptor.name)
            .field("operations", &self.plans.keys())
            .finish_non_exhaustive()
    }
}

/// The calls that a [`FakeComponent`] got; the newest 10,000 are kept. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    log: Log<RecordedCall>,
    came: Arc<Notify>,
}

/// One call that a [`FakeComponent`] got.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// The operation.
    pub operation: &'static str,
    /// The arguments: an object. Those of a query are text.
    pub arguments: Value,
    /// What the call inherited: deadline, trace, caller, attempt, idempotency key.
    pub context: Context,
    /// What a generated fake was told by `with`; a [`FakeComponent`] sees what is sent, in the context.
    pub options: CallOptions,
}

impl Calls {
    /// All calls, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RecordedCall> {
        self.log.all()
    }

    /// The calls of one operation, oldest first.
    #[must_use]
    pub fn of(&self, operation: &str) -> Vec<RecordedCall> {
        self.log.all().into_iter().filter(|call| call.operation == operation).collect()
    }

    /// How many calls there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.log.lock().len()
    }

    /// Waits until there were so many calls: the moment to move the clock for one that waits or hangs.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until(&self, count: usize) {
        loop {
            let came = self.came.notified();
            if self.count() >= count {
                return;
            }
            came.await;
        }
    }

    pub(super) fn push(&self, call: RecordedCall) {
        self.log.push(call);
        self.came.notify_waiters();
    }
}
