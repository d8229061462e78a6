//! What a generated router does.

use std::sync::Arc;

use futures_core::Stream;
use futures_util::StreamExt;

use super::{Data, Lists, Outcome, Refusal, Table};
use crate::{
    context::Context,
    contract::Operation,
    error::Result,
    host::{Arguments, Component, Listeners, Operations, Serve},
    tekton::Tekton,
};

/// One `#[service]` of the component `C`, by its tag.
#[diagnostic::on_unimplemented(
    message = "`{C}` has no such service",
    label = "put `#[tekton_sdk::service]` on an `impl {C}`",
    note = "`services()` in `#[component(…)]` is for a component that serves nothing"
)]
pub trait Service<C: Lists<Self>>: Table<C> {
    /// The table of its operations.
    const TABLE: &'static [Operation] = Self::OPERATIONS;

    /// Adds its operations.
    fn serve(component: &Arc<C>, operations: Operations) -> Operations;

    /// Adds its listeners.
    #[must_use]
    fn listen(component: &Arc<C>, listeners: Listeners) -> Listeners {
        let _ = component;
        listeners
    }
}

/// Serves an async operation that answers a `T`.
#[must_use]
pub fn on<T: Data, C, F, Fut>(operations: Operations, component: &Arc<C>, operation: &Operation, run: F) -> Operations
where
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, Arguments) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
{
    operations.on(component, *operation, run)
}

/// Serves an operation that blocks and answers a `T`.
#[must_use]
pub fn on_blocking<T: Data, C, F>(
    operations: Operations,
    component: &Arc<C>,
    operation: &Operation,
    run: F,
) -> Operations
where
    C: Send + Sync + 'static,
    F: Fn(&C, Context, Arguments) -> Result<T> + Send + Sync + 'static,
{
    operations.on_blocking(component, *operation, run)
}

/// Serves an operation that answers many times, each time with a `T`.
#[must_use]
pub fn on_stream<T: Data, C, F, Fut, St>(
    operations: Operations,
    component: &Arc<C>,
    operation: &Operation,
    run: F,
) -> Operations
where
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, Arguments) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<St>> + Send + 'static,
    St: Stream<Item: Outcome<Value = T>> + Send + 'static,
{
    operations.on_stream(component, *operation, move |component, context, arguments| {
        let begun = run(component, context, arguments);
        async move { Ok(begun.await?.map(Outcome::into_result)) }
    })
}

/// A stream that could have failed before it began, with the SDK's error.
///
/// # Errors
/// The operation's.
pub fn begun<S, E: Refusal>(stream: std::result::Result<S, E>) -> Result<S> {
    stream.map_err(Refusal::into_error)
}

/// The argument of this name.
///
/// # Errors
/// As [`Arguments::get`].
pub fn argument<T: Data>(arguments: &Arguments, name: &str) -> Result<T> {
    arguments.get(name)
}

/// The argument of this name, or what it is when it is left out.
///
/// # Errors
/// As [`Arguments::get`].
pub fn argument_or<T: Data>(arguments: &Arguments, name: &str, default: impl FnOnce() -> T) -> Result<T> {
    match arguments.get::<Option<T>>(name)? {
        Some(value) => Ok(value),
        None => Ok(default()),
    }
}

/// Begins to serve a component that names a port of its own.
pub fn serve_at<C: Component>(component: C, tekton: &Tekton, port: u16) -> Serve {
    Serve::of(component, tekton).port_of_its_own(port)
}
