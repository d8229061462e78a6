//! What a generated listener does.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Refusal;
use crate::{
    context::Context,
    error::Result,
    host::{Listener, Listeners},
    patterns::events::{Delivery, Heard, TypedEvent},
};

/// What a listener returns: a `Result` of nothing, under whatever alias, whose error can become an [`Error`](crate::Error).
#[diagnostic::on_unimplemented(
    message = "a listener returns `Result<()>`, and `{Self}` is another type",
    label = "write `Result<()>` instead"
)]
pub trait Handled {
    /// The same with the SDK's error.
    ///
    /// # Errors
    /// The listener's.
    fn into_result(self) -> Result<()>;
}

impl<E: Refusal> Handled for std::result::Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Refusal::into_error)
    }
}

/// What a listener returned, with the SDK's error.
///
/// # Errors
/// The listener's.
pub fn handled<R: Handled>(returned: R) -> Result<()> {
    returned.into_result()
}

/// Listens, and reads the data of each event as a `T`. Gaps are logged.
#[must_use]
pub fn listen_data<T, C, F, Fut>(listeners: Listeners, component: &Arc<C>, listener: Listener, run: F) -> Listeners
where
    T: DeserializeOwned + 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    listeners.on(component, listener, move |component, context, heard: Heard<T>| {
        let work = heard.event().map(|event| event.data().map(|data| run(component, context, data)));
        finish(work)
    })
}

/// Listens, and reads each event as the `T` that its topic says. Gaps are logged.
#[must_use]
pub fn listen_told<T, C, F, Fut>(listeners: Listeners, component: &Arc<C>, listener: Listener, run: F) -> Listeners
where
    T: TypedEvent + 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    listeners.on(component, listener, move |component, context, heard: Heard<T>| {
        let work = heard.event().map(|event| event.told().map(|told| run(component, context, told)));
        finish(work)
    })
}

/// Listens, and is given each event with all that goes with it. Gaps are logged.
#[must_use]
pub fn listen_delivery<T, C, F, Fut>(listeners: Listeners, component: &Arc<C>, listener: Listener, run: F) -> Listeners
where
    T: 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, Delivery<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    listeners.on(component, listener, move |component, context, heard: Heard<T>| {
        finish(heard.event().map(|event| Ok(run(component, context, event))))
    })
}

/// Listens to events and gaps.
#[must_use]
pub fn listen_heard<T, C, F, Fut>(listeners: Listeners, component: &Arc<C>, listener: Listener, run: F) -> Listeners
where
    T: 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, Context, Heard<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    listeners.on(component, listener, run)
}

/// The topics that this type is bound to.
#[must_use]
pub const fn topics_of<T: TypedEvent>() -> &'static [&'static str] {
    T::TOPICS
}

/// Does the work, if there is any and it could be begun.
async fn finish(work: Option<Result<impl Future<Output = Result<()>>>>) -> Result<()> {
    match work {
        None => Ok(()),
        Some(work) => work?.await,
    }
}
