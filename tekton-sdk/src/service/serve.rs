//! What a generated router does.

use std::sync::Arc;

use super::{Data, Lists, Outcome, Table};
use crate::{
    context::Context,
    contract::Operation,
    error::Result,
    host::{Arguments, Component, Operations, Serve},
    tekton::Tekton,
};

/// One `#[service]` of the component `C`, by its tag.
pub trait Service<C: Lists<Self>>: Table<C> {
    /// Adds its operations.
    fn serve(component: &Arc<C>, operations: Operations) -> Operations;
}

/// Serves an async operation.
#[must_use]
pub fn on<C, R, F, Fut>(operations: Operations, component: &Arc<C>, operation: &Operation, run: F) -> Operations
where
    C: Send + Sync + 'static,
    R: Outcome<Value: Data>,
    F: Fn(Arc<C>, Context, Arguments) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R>> + Send + 'static,
{
    operations.on(component, *operation, move |component, context, arguments| {
        let work = run(component, context, arguments);
        async move { work.await?.into_result() }
    })
}

/// Serves an operation that blocks.
#[must_use]
pub fn on_blocking<C, R, F>(operations: Operations, component: &Arc<C>, operation: &Operation, run: F) -> Operations
where
    C: Send + Sync + 'static,
    R: Outcome<Value: Data>,
    F: Fn(&C, Context, Arguments) -> Result<R> + Send + Sync + 'static,
{
    operations.on_blocking(component, *operation, move |component, context, arguments| {
        run(component, context, arguments)?.into_result()
    })
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
    let descriptor = component.descriptor();
    Serve::new(tekton.clone(), descriptor, Arc::new(component).operations()).port_of_its_own(port)
}
