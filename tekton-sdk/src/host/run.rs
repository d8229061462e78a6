//! Runs an operation inside its context, and contains its panics.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    Arguments,
    operations::{Entry, Run},
    refusal::Refusal,
    router::Admission,
    stream,
};
use crate::{
    context::Context,
    contract::Operation,
    error::{Error, ErrorKind, Result},
};

/// Runs an operation to its end. Of a stream, the array of all items has at most so many bytes.
pub(super) async fn run(
    entry: &Entry,
    context: Context,
    arguments: Arguments,
    admission: Admission,
    max_array_bytes: usize,
) -> Result<Bytes, Box<Refusal>> {
    let operation = &entry.operation;
    match &entry.run {
        Run::Async(run) => {
            let work = contained(operation, context.clone(), async { run(context, arguments).await });
            let done = work.await;
            drop(admission);
            done.map_err(|error| refused(operation, error))
        }
        Run::Stream(start) => {
            let work = async {
                let items = start(context.clone(), arguments).await.map_err(|error| refused(operation, error))?;
                stream::collect(items, max_array_bytes, |error| refused(operation, error)).await
            };
            let done = contained(operation, context.clone(), work).await;
            drop(admission);
            done
        }
        Run::Blocking(run) => {
            let run = Arc::clone(run);
            let work = move || {
                // The place is given back when the work has ended, not when its caller has gone.
                let _admission = admission;
                context.clone().sync_scope(|| run(context, arguments))
            };
            let done = match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => Err(panicked(operation, &*panic)),
                    Err(_) => Err(Error::new(ErrorKind::Closed, "the component is shutting down")),
                },
            };
            done.map_err(|error| refused(operation, error))
        }
    }
}

/// Does work inside a context; a panic becomes an error. What may panic before its first wait is called within the future.
pub(super) async fn contained<T, E: From<Error>>(
    operation: &Operation,
    context: Context,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    let work = AssertUnwindSafe(context.scope(work)).catch_unwind();
    work.await.unwrap_or_else(|panic| Err(panicked(operation, &*panic).into()))
}

/// What the caller is told of a failure, which is logged.
pub(super) fn refused(operation: &Operation, error: Error) -> Box<Refusal> {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Config => {
            tracing::error!(operation = operation.name, error = %error.report(), "an operation failed");
        }
        _ => tracing::debug!(operation = operation.name, error = %error.report(), "an operation failed"),
    }
    error.into()
}

/// The panic's message is for the log; the caller learns only that it was one.
pub(super) fn panicked(operation: &Operation, panic: &(dyn Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(operation = operation.name, panic = message.unwrap_or("no message"), "an operation panicked");
    Error::internal(format!("the operation {} panicked", operation.name))
}
