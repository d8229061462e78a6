//! What a component serves: its table of operations, and how each is run.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use serde::Serialize;

use super::{Arguments, limit::Fastest, stream::Items};
use crate::{
    context::Context,
    contract::{Operation, Tool, problems},
    error::{Error, ErrorKind, FieldError, Result},
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
    Stream(Box<Start>),
}

/// Begins a stream.
pub(super) type Start = dyn Fn(Context, Arguments) -> BoxFuture<'static, Result<Items>> + Send + Sync;

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

    /// Serves an operation that answers many times, whether its table says so or not. The items are asked for as they are read,
    /// within the operation's [`Context`]; the stream is dropped when the caller goes away, time runs out or it is cancelled.
    ///
    /// An item that is an error ends the stream, unless it is [recoverable](crate::Error::recoverable): then it is sent, and the
    /// stream goes on. An error of the future is answered as that of any operation.
    ///
    /// ```
    /// # tekton_sdk::testing::block_on(async {
    /// use std::sync::Arc;
    /// use futures_util::stream;
    /// use tekton_sdk::{Component, Result, contract::{Descriptor, Operation, Parameter}, host::Operations, testing::TestBed};
    ///
    /// const COUNT: Operation = Operation::read("count", "Counts up to a number.")
    ///     .parameters(&[Parameter::required("to", "the last number")])
    ///     .streams();
    ///
    /// struct Counter;
    /// impl Component for Counter {
    ///     fn descriptor(&self) -> Descriptor {
    ///         Descriptor::new("counter", "1.0.0")
    ///     }
    ///
    ///     fn operations(self: Arc<Self>) -> Operations {
    ///         Operations::new().on_stream(&self, COUNT, |_, _, args| async move {
    ///             let to: u32 = args.get("to")?;
    ///             Ok(stream::iter((1..=to).map(Ok)))
    ///         })
    ///     }
    /// }
    ///
    /// let bed = TestBed::new()?;
    /// bed.serve(Counter).await?;
    /// // Whoever does not ask for a stream gets all items at once.
    /// let all = bed.tekton().peer("counter").request::<Vec<u32>>("count").json(&serde_json::json!({"to": 3})).await?;
    /// assert_eq!(*all, [1, 2, 3]);
    /// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn on_stream<S, F, Fut, St, T>(mut self, component: &Arc<S>, operation: Operation, run: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(Arc<S>, Context, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<St>> + Send + 'static,
        St: Stream<Item = Result<T>> + Send + 'static,
        T: Serialize,
    {
        let component = Arc::clone(component);
        let run = move |context: Context, arguments| -> BoxFuture<'static, Result<Items>> {
            let work = run(Arc::clone(&component), context, arguments);
            Box::pin(async move { Ok(Box::pin(work.await?.map(|item| to_line(&item?))) as Items) })
        };
        let (operation, run) = (operation.streams(), Run::Stream(Box::new(run)));
        self.0.push(Entry { operation, run, metrics: None, fastest: Fastest::default() });
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
        let mut wrong = problems(&self.table().collect::<Vec<_>>());
        let single = self.0.iter().filter(|entry| !matches!(entry.run, Run::Stream(_)));
        wrong.extend(single.filter(|entry| entry.operation.stream.is_some()).map(|entry| {
            let key = format!("operations.{}", entry.operation.name);
            FieldError::new(key, "is a stream, but not served as one; serve it with `on_stream`")
        }));
        if wrong.is_empty() { Ok(()) } else { Err(Error::config("the operations are wrong").with_fields(wrong)) }
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|e| Error::new(ErrorKind::Internal, "the operation's answer cannot be written as JSON").with_source(e))
}

/// An item as JSON without line breaks. Those that come within raw JSON stand between its tokens, where a blank does as well.
fn to_line<T: Serialize>(item: &T) -> Result<String> {
    let json = serde_json::to_string(item).map_err(|e| {
        Error::new(ErrorKind::Internal, "an item of the stream cannot be written as JSON").with_source(e)
    })?;
    Ok(match memchr::memchr2(b'\r', b'\n', json.as_bytes()) {
        None => json,
        Some(_) => json.replace(['\r', '\n'], " "),
    })
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table().map(|operation| operation.name)).finish()
    }
}
