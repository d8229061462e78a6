//! What a component serves: its table of operations, and how each is run.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{Arguments, limit::Fastest};
use crate::{
    context::Context,
    contract::{Operation, Tool, problems},
    error::{Error, ErrorKind, Result},
    telemetry::ServedMetrics,
    time::BoxFuture,
};

/// The operations of a component.
///
/// ```
/// use std::sync::Arc;
/// use tekton_sdk::{contract::{Operation, Parameter}, host::Operations, Result};
///
/// struct Adder;
/// impl Adder {
///     async fn add(&self, a: i64, b: i64) -> Result<i64> {
///         Ok(a + b)
///     }
/// }
/// const ADD: Operation = Operation::read("add", "Adds two numbers.")
///     .parameters(&[Parameter::required("a", "one"), Parameter::required("b", "the other")]);
///
/// let adder = Arc::new(Adder);
/// let operations = Operations::new()
///     .on(&adder, ADD, |adder, _, args| async move { adder.add(args.get("a")?, args.get("b")?).await });
/// assert_eq!(operations.table().next().unwrap().name, "add");
/// ```
#[derive(Default)]
pub struct Operations(Vec<Entry>);

pub(super) struct Entry {
    pub(super) operation: Operation,
    pub(super) run: Run,
    /// Where it is counted, once it is served.
    pub(super) metrics: Option<ServedMetrics>,
    pub(super) fastest: Fastest,
}

pub(super) enum Run {
    Async(Box<dyn Fn(Context, Arguments) -> BoxFuture<'static, Result<Bytes>> + Send + Sync>),
    Blocking(Arc<dyn Fn(Context, Arguments) -> Result<Bytes> + Send + Sync>),
}

impl Operations {
    /// No operation yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves an operation by an async function. Its future is dropped when the caller goes away or time runs out.
    #[must_use]
    pub fn on<S, F, Fut, T>(mut self, component: &Arc<S>, operation: Operation, run: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(Arc<S>, Context, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
        T: Serialize,
    {
        let component = Arc::clone(component);
        let run = move |context: Context, arguments| -> BoxFuture<'static, Result<Bytes>> {
            let work = run(Arc::clone(&component), context, arguments);
            Box::pin(async move { to_json(&work.await?) })
        };
        self.0.push(Entry { operation, run: Run::Async(Box::new(run)), metrics: None, fastest: Fastest::default() });
        self
    }

    /// Serves an operation by a function that blocks; it runs on a thread of its own kind.
    ///
    /// It cannot be cancelled: when the caller goes away or time runs out it goes on to its end, and keeps its place under
    /// the host's limit until then.
    #[must_use]
    pub fn on_blocking<S, F, T>(mut self, component: &Arc<S>, operation: Operation, run: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(&S, Context, Arguments) -> Result<T> + Send + Sync + 'static,
        T: Serialize,
    {
        let component = Arc::clone(component);
        let run = move |context: Context, arguments| to_json(&run(&component, context, arguments)?);
        self.0.push(Entry { operation, run: Run::Blocking(Arc::new(run)), metrics: None, fastest: Fastest::default() });
        self
    }

    /// The table.
    pub fn table(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter().map(|entry| &entry.operation)
    }

    /// Its operations as MCP tools.
    #[must_use]
    pub fn tools(&self) -> Vec<Tool> {
        self.table().map(Tool::of).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.operation.name == name)
    }

    /// Counts each of them with the handle of its name.
    pub(super) fn measure(&mut self, of: impl Fn(&str) -> ServedMetrics) {
        for entry in &mut self.0 {
            entry.metrics = Some(of(entry.operation.name));
        }
    }

    /// Checks names and tables, all at once.
    pub(super) fn validate(&self) -> Result<()> {
        let wrong = problems(&self.table().collect::<Vec<_>>());
        if wrong.is_empty() { Ok(()) } else { Err(Error::config("the operations are wrong").with_fields(wrong)) }
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|e| Error::new(ErrorKind::Internal, "the operation's answer cannot be written as JSON").with_source(e))
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table().map(|operation| operation.name)).finish()
    }
}
