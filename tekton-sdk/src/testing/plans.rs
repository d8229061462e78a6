//! What a generated fake is told to do.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::component::{Calls, RecordedCall};
use crate::{
    context::Context,
    contract::Operation,
    error::{Error, ErrorKind, Result},
    host::Arguments,
    patterns::streaming::Chunks,
    service::{CallOptions, Data, Fields},
    time::BoxFuture,
};

/// The plans of a generated fake, and the calls that it got.
///
/// What is planned for one operation is played in the order of planning, one step per call; the last step is repeated.
///
/// Clones share both.
#[derive(Clone, Default)]
pub struct Plans {
    steps: Arc<Mutex<BTreeMap<&'static str, Steps>>>,
    calls: Calls,
    options: CallOptions,
}

#[derive(Default)]
struct Steps {
    planned: Vec<Step>,
    played: usize,
}

type Doing = dyn FnMut(&Arguments) -> Result<Bytes> + Send;

#[derive(Clone)]
enum Step {
    Answer(Bytes),
    Do(Arc<Mutex<Doing>>),
    /// These items of a stream, and how it breaks after them.
    Break(Bytes, ErrorKind),
    Fail(ErrorKind),
    Hang,
}

impl Plans {
    /// The plan of one operation.
    pub fn of<T: Data>(&self, operation: &'static Operation) -> Plan<'_, T> {
        Plan { plans: self, operation, answer: PhantomData }
    }

    /// The plan of one operation that answers many times.
    pub fn of_stream<T: Data>(&self, operation: &'static Operation) -> StreamPlan<'_, T> {
        StreamPlan(self.of(operation))
    }

    /// The calls, for the test to look at.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// The same plans and calls, recorded with these options, and those that were given before which they leave open.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self { options: options.over(&self.options), ..self.clone() }
    }

    /// Records one call and plays the step that is planned for it.
    ///
    /// # Errors
    /// What the test planned; [`Internal`](ErrorKind::Internal) if that is nothing.
    ///
    /// # Cancel safety
    /// The call stays recorded, and its step played, when the future is dropped.
    pub fn play<T: Data>(&self, operation: &'static Operation, fields: Fields) -> BoxFuture<'_, Result<T>> {
        Box::pin(async move { serde_json::from_slice(&self.answer(operation, fields).await?).map_err(unreadable) })
    }

    /// The same for an operation that answers many times.
    ///
    /// # Errors
    /// As [`Self::play`].
    ///
    /// # Cancel safety
    /// As [`Self::play`].
    pub fn play_stream<T: Data>(
        &self,
        operation: &'static Operation,
        fields: Fields,
    ) -> BoxFuture<'_, Result<Chunks<T>>> {
        Box::pin(async move {
            let (items, broken) = self.outcome(operation, fields).await?;
            let items: Vec<T> = serde_json::from_slice(&items).map_err(unreadable)?;
            let broken = broken.map(|kind| Err(planned(kind)));
            Ok(Chunks::of_items(items.into_iter().map(Ok).chain(broken)))
        })
    }

    async fn answer(&self, operation: &'static Operation, fields: Fields) -> Result<Bytes> {
        self.outcome(operation, fields).await.map(|(answer, _)| answer)
    }

    /// The answer, or all items; and the failure that comes after them.
    async fn outcome(&self, operation: &'static Operation, fields: Fields) -> Result<(Bytes, Option<ErrorKind>)> {
        let json = fields.finish()?;
        let context = Context::current().unwrap_or_default();
        let arguments = serde_json::from_slice(&json).map_err(unreadable)?;
        let options = self.options.clone();
        self.calls.push(RecordedCall { operation: operation.name, arguments, context, options });
        let arguments = Arguments::from_json(operation, json)?;
        match self.next(operation.name)? {
            Step::Answer(answer) => Ok((answer, None)),
            Step::Do(answer) => Ok((answer.lock().unwrap_or_else(PoisonError::into_inner)(&arguments)?, None)),
            Step::Break(items, kind) => Ok((items, Some(kind))),
            Step::Fail(kind) => Err(planned(kind)),
            Step::Hang => std::future::pending().await,
        }
    }

    fn next(&self, operation: &'static str) -> Result<Step> {
        let mut steps = self.lock();
        let steps = steps.entry(operation).or_default();
        let step = steps.planned.get(steps.played).or_else(|| steps.planned.last()).cloned();
        steps.played += 1;
        step.ok_or_else(|| Error::internal(format!("nothing is planned for {operation:?}; plan it with `on_…`")))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Steps>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn planned(kind: ErrorKind) -> Error {
    Error::new(kind, "a failure that the test planned")
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Codec, "what the fake got or answers cannot be read from JSON").with_source(error)
}

fn to_json<T: Data>(answer: &T) -> Result<Bytes> {
    let json = serde_json::to_vec(answer).map_err(|error| {
        Error::new(ErrorKind::Codec, "the planned answer cannot be written as JSON").with_source(error)
    })?;
    Ok(json.into())
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").field("planned", &self.lock().keys()).finish_non_exhaustive()
    }
}

/// What is planned for one operation of a generated fake; each step adds to the end.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a, T> {
    plans: &'a Plans,
    operation: &'static Operation,
    answer: PhantomData<fn() -> T>,
}

impl<T: Data> Plan<'_, T> {
    /// Plans an answer.
    pub fn answers(self, answer: T) -> Self {
        match to_json(&answer) {
            Ok(json) => self.step(Step::Answer(json)),
            Err(error) => self.step(Step::Fail(error.kind())),
        }
    }

    /// Plans an answer made from the arguments; what the function keeps, it remembers from call to call.
    pub fn answers_with(self, mut answer: impl FnMut(&Arguments) -> Result<T> + Send + 'static) -> Self {
        self.step(Step::Do(Arc::new(Mutex::new(move |arguments: &Arguments| to_json(&answer(arguments)?)))))
    }

    /// Plans a failure of this kind.
    pub fn fails(self, kind: ErrorKind) -> Self {
        self.step(Step::Fail(kind))
    }

    /// Plans a call that never ends.
    pub fn hangs(self) -> Self {
        self.step(Step::Hang)
    }

    fn step(self, step: Step) -> Self {
        self.plans.lock().entry(self.operation.name).or_default().planned.push(step);
        self
    }
}

/// What is planned for one operation of a generated fake that answers many times; each step adds to the end.
#[derive(Debug)]
pub struct StreamPlan<'a, T>(Plan<'a, Vec<T>>);

impl<T: Data> StreamPlan<'_, T> {
    /// Plans a stream of these items that ends well.
    pub fn answers(self, items: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.answers(items.into_iter().collect()))
    }

    /// Plans a stream whose items are made from the arguments; what the function keeps, it remembers from call to call.
    pub fn answers_with(self, items: impl FnMut(&Arguments) -> Result<Vec<T>> + Send + 'static) -> Self {
        Self(self.0.answers_with(items))
    }

    /// Plans a stream that breaks after these items, with a failure of this kind.
    pub fn breaks_after(self, items: impl IntoIterator<Item = T>, kind: ErrorKind) -> Self {
        Self(match to_json(&items.into_iter().collect::<Vec<_>>()) {
            Ok(json) => self.0.step(Step::Break(json, kind)),
            Err(error) => self.0.step(Step::Fail(error.kind())),
        })
    }

    /// Plans a failure of this kind before there is a stream.
    pub fn fails(self, kind: ErrorKind) -> Self {
        Self(self.0.fails(kind))
    }

    /// Plans a call whose stream never begins.
    pub fn hangs(self) -> Self {
        Self(self.0.hangs())
    }
}
