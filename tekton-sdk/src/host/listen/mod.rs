//! What a component listens to: its table of listeners, and how each is run.

mod listener;
mod running;
mod standing;

use std::{collections::HashSet, fmt, sync::Arc};

pub use self::listener::{Group, Listener};
pub(crate) use self::running::Listening;
use crate::{
    context::Context,
    error::{FieldError, Result},
    patterns::events::{BrokerCapabilities, Heard},
    time::BoxFuture,
};

/// What a component listens to.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use std::sync::{Arc, Mutex};
/// use tekton_sdk::{
///     Component, Result,
///     contract::Descriptor,
///     host::{Listener, Listeners, Operations},
///     patterns::events::Heard,
///     testing::TestBed,
/// };
///
/// struct Kitchen(Arc<Mutex<Vec<String>>>);
///
/// impl Component for Kitchen {
///     fn descriptor(&self) -> Descriptor {
///         Descriptor::new("kitchen", "1.0.0")
///     }
///
///     fn operations(self: Arc<Self>) -> Operations {
///         Operations::new()
///     }
///
///     fn listeners(self: Arc<Self>) -> Listeners {
///         let orders = Listener::new("on_order", &["orders.*"]);
///         Listeners::new().on(&self, orders, |kitchen, _, heard: Heard<String>| async move {
///             match heard {
///                 Heard::Event(order) => kitchen.0.lock().unwrap().push(order.data()?),
///                 Heard::Gap(gap) => println!("missed what lay between {} and {}", gap.from, gap.to),
///                 _ => {}
///             }
///             Ok(())
///         })
///     }
/// }
///
/// let (bed, cooked) = (TestBed::new()?, Arc::default());
/// bed.serve(Kitchen(Arc::clone(&cooked))).await?;
/// bed.tekton().events().publisher("orders.new")?.send("soup").await?;
/// bed.until_quiet().await;
/// assert_eq!(*cooked.lock().unwrap(), ["soup"]);
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Default)]
pub struct Listeners(Vec<Entry>);

/// A listener, and what it does with what it hears.
pub(super) struct Entry {
    pub(super) listener: Listener,
    pub(super) run: Arc<Run>,
}

/// What is done with what is heard.
pub(super) type Run = dyn Fn(Context, Heard<()>) -> BoxFuture<'static, Result<()>> + Send + Sync;

impl Listeners {
    /// No listener yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls an async function with all that this listener hears, inside a [`Context`] with the publisher's trace and name and
    /// the listener's time-out as its deadline.
    ///
    /// `Ok` acknowledges an event. One on which it fails, panics or takes too long comes again, unless nothing is acknowledged.
    /// Its future is dropped when its time is over.
    #[must_use]
    pub fn on<S, T, F, Fut>(mut self, component: &Arc<S>, listener: Listener, run: F) -> Self
    where
        S: Send + Sync + 'static,
        T: 'static,
        F: Fn(Arc<S>, Context, Heard<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let component = Arc::clone(component);
        let run = move |context: Context, heard: Heard<()>| -> BoxFuture<'static, Result<()>> {
            Box::pin(run(Arc::clone(&component), context, heard.retyped()))
        };
        self.0.push(Entry { listener, run: Arc::new(run) });
        self
    }

    /// The table.
    pub fn table(&self) -> impl Iterator<Item = &Listener> {
        self.0.iter().map(|entry| &entry.listener)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.0
    }

    /// Everything that is wrong with the table, in this component and on a broker that can do this.
    pub(super) fn problems(&self, component: &str, can: BrokerCapabilities) -> Vec<FieldError> {
        let (mut names, mut groups) = (HashSet::new(), HashSet::new());
        let mut wrong = Vec::new();
        for listener in self.table() {
            let key = || format!("listeners.{}", listener.name);
            if !names.insert(listener.name) {
                wrong.push(FieldError::new(key(), "is there twice; name one of them otherwise"));
            } else if let Some(group) = listener.group_of(component)
                && !groups.insert(group.clone())
            {
                let what = format!("another listener is in the group {group:?} too; give each its own");
                wrong.push(FieldError::new(key(), what));
            }
            wrong.extend(listener.problems(can));
        }
        wrong
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table()).finish()
    }
}
