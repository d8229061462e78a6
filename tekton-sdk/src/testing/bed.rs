//! A mesh inside one test.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::runtime::Handle;
use tracing::subscriber::DefaultGuard;

use super::{
    log::Log,
    spans::{Capture, Record},
};
use crate::{
    config::TektonBuilder,
    directory::MemoryDirectory,
    error::{Error, Result},
    host::{Component, Serve, Served},
    random::Random,
    tekton::Tekton,
    time::{ManualClock, SharedClock},
    transport::MemoryTransport,
};

/// A mesh inside one test: directory and transport in memory, a clock that the test moves, seeded randomness, and the
/// spans and events of the test's thread.
///
/// Keep it on the thread that made it: what it captures is that thread's, until it is dropped.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use std::time::Duration;
/// use serde_json::{Value, json};
/// use tekton_sdk::testing::{FakeComponent, TestBed};
///
/// let bed = TestBed::new()?;
/// let fake = FakeComponent::new("thinker").answers("think", json!(42)).delays("think", Duration::from_secs(20));
/// let calls = fake.calls();
/// bed.serve(fake).await?;
///
/// let thinker = bed.tekton().peer("thinker");
/// let answer = thinker.request::<Value>("think");
/// let moving = async {
///     calls.until(1).await;
///     bed.clock().advance(Duration::from_secs(20));
/// };
/// let (answer, ()) = tokio::join!(answer, moving);
/// assert_eq!(*answer?, 42);
/// assert_eq!(bed.spans()[0].field("target"), Some("thinker"));
/// bed.shutdown().await?;
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[must_use = "dropping the bed stops what it serves"]
pub struct TestBed {
    clock: ManualClock,
    directory: MemoryDirectory,
    transport: MemoryTransport,
    random: Random,
    tekton: Tekton,
    served: Mutex<Vec<(String, Served)>>,
    spans: Log<Record>,
    events: Log<Record>,
    tasks_before: usize,
    _capturing: DefaultGuard,
}

impl TestBed {
    /// A bed with nobody in it, and a [`Tekton`] named `test`.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), if the defaults of this crate were wrong.
    pub fn new() -> Result<Self> {
        let capture = Capture::default();
        let (spans, events) = capture.logs();
        let capturing = tracing::subscriber::set_default(capture);
        let clock = ManualClock::new();
        let directory = MemoryDirectory::new(SharedClock::new(clock.clone()));
        let (transport, random) = (MemoryTransport::new(), Random::seeded(1));
        let tekton = builder(&clock, &directory, &transport, &random).named("test").build()?;
        Ok(Self {
            clock,
            directory,
            transport,
            random,
            tekton,
            served: Mutex::default(),
            spans,
            events,
            tasks_before: alive_tasks(),
            _capturing: capturing,
        })
    }

    /// The handle that the test calls with.
    #[must_use]
    pub const fn tekton(&self) -> &Tekton {
        &self.tekton
    }

    /// Another handle on the same directory and transport, as another process has one, with what it remembers apart.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong.
    pub fn tekton_with(&self, change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Result<Tekton> {
        change(builder(&self.clock, &self.directory, &self.transport, &self.random)).build()
    }

    /// The clock of the bed and its handles.
    #[must_use]
    pub const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The directory, past what the handles remember of it.
    #[must_use]
    pub const fn directory(&self) -> &MemoryDirectory {
        &self.directory
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> &MemoryTransport {
        &self.transport
    }

    /// Serves a component until the bed is shut down or dropped, and registers it. Returns its id: `<name>-1`, and
    /// `<name>-2` for the next of that name.
    ///
    /// # Errors
    /// Those of [`Serve::start`].
    pub async fn serve(&self, component: impl Component) -> Result<String> {
        self.serve_with(component, |serve| serve).await
    }

    /// The same with changes to how it is served, as `|serve| serve.instance("blue")`.
    ///
    /// # Errors
    /// Those of [`Serve::start`].
    pub async fn serve_with(&self, component: impl Component, change: impl FnOnce(Serve) -> Serve) -> Result<String> {
        let serve = component.serve(&self.tekton).in_memory(&self.transport);
        let name = serve.name().to_owned();
        let earlier = self.lock().iter().filter(|(other, _)| *other == name).count();
        let served = Box::pin(change(serve.instance((earlier + 1).to_string())).start()).await?;
        let id = served.id().to_owned();
        self.lock().push((name, served));
        Ok(id)
    }

    /// Shuts down the components of this name, or the one of this id, in order: they unregister.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the bed serves nobody of that name.
    pub async fn stop(&self, name: &str) -> Result<()> {
        for served in self.take(name)? {
            served.shutdown().await;
        }
        Ok(())
    }

    /// Ends them at once, as a crash does: they stay in the directory.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the bed serves nobody of that name.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.take(name).map(drop)
    }

    /// Waits until the listeners of what it serves have nothing left to do: whatever was published before is handled then, and what
    /// that published in turn. An event that waits to come again is not waited for; move the clock, and wait once more.
    ///
    /// ```
    /// # #[cfg(feature = "macros")]
    /// # tekton_sdk::testing::block_on(async {
    /// use std::sync::{Arc, Mutex};
    /// use tekton_sdk::{Component, Result, service, testing::TestBed};
    ///
    /// /// Cooks what is ordered.
    /// #[derive(Component)]
    /// struct Kitchen {
    ///     cooked: Arc<Mutex<Vec<String>>>,
    /// }
    ///
    /// #[service]
    /// impl Kitchen {
    ///     #[on_event("orders.new")]
    ///     async fn on_order(&self, dish: String) -> Result<()> {
    ///         self.cooked.lock().unwrap().push(dish);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let (bed, cooked) = (TestBed::new()?, Arc::default());
    /// bed.serve(Kitchen { cooked: Arc::clone(&cooked) }).await?;
    /// bed.tekton().events().publisher("orders.new")?.send("soup").await?;
    /// bed.until_quiet().await;
    /// assert_eq!(*cooked.lock().unwrap(), ["soup"]);
    /// bed.shutdown().await?;
    /// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait.
    pub async fn until_quiet(&self) {
        loop {
            let all: Vec<_> = self.lock().iter().map(|(_, served)| served.listening()).collect();
            let ended = || all.iter().map(|listening| listening.ended()).sum::<u64>();
            let before = ended();
            futures_util::future::join_all(all.iter().map(|listening| listening.idle())).await;
            // One that ended in between may have published what another hears, which had said already that it is done.
            if ended() == before {
                return;
            }
        }
    }

    /// The spans that began so far, oldest first; the newest 10,000 are kept.
    #[must_use]
    pub fn spans(&self) -> Vec<Record> {
        self.spans.all()
    }

    /// The events so far, oldest first; the newest 10,000 are kept.
    #[must_use]
    pub fn events(&self) -> Vec<Record> {
        self.events.all()
    }

    /// Shuts down every component, the newest first, and checks that no task of the runtime outlives the bed.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) naming how many tasks run that did not when the bed was made.
    pub async fn shutdown(self) -> Result<()> {
        let served = std::mem::take(&mut *self.lock());
        for (_, served) in served.into_iter().rev() {
            served.shutdown().await;
        }
        self.tekton.shutdown().await;
        // A task that was told to end does so when it is polled next.
        for _ in 0..1000 {
            if alive_tasks() <= self.tasks_before {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        let left = alive_tasks().saturating_sub(self.tasks_before);
        Err(Error::internal(format!("{left} tasks outlive the test bed; shut down what spawned them")))
    }

    fn take(&self, name: &str) -> Result<Vec<Served>> {
        let mut all = self.lock();
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *all).into_iter().partition(|(other, served)| other == name || served.id() == name);
        *all = left;
        if taken.is_empty() {
            return Err(Error::not_found(format!("the test bed serves no {name:?}")));
        }
        Ok(taken.into_iter().map(|(_, served)| served).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Served)>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn builder(
    clock: &ManualClock,
    directory: &MemoryDirectory,
    transport: &MemoryTransport,
    random: &Random,
) -> TektonBuilder {
    let builder = Tekton::builder().clock(clock.clone()).random(random.clone());
    builder.directory(directory.clone()).transport(transport.clone())
}

fn alive_tasks() -> usize {
    Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
}

impl fmt::Debug for TestBed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.lock().iter().map(|(_, served)| served.id().to_owned()).collect();
        f.debug_struct("TestBed").field("served", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        ErrorKind,
        directory::{Directory, Query},
        testing::FakeComponent,
    };

    #[tokio::test]
    async fn a_stopped_component_is_unregistered_and_a_killed_one_stays_listed() {
        let bed = TestBed::new().unwrap();
        assert_eq!(bed.serve(FakeComponent::new("a").answers("x", 1)).await.unwrap(), "a-1");
        assert_eq!(bed.serve(FakeComponent::new("a").answers("x", 2)).await.unwrap(), "a-2");
        bed.serve(FakeComponent::new("b").answers("x", 3)).await.unwrap();
        bed.stop("a-1").await.unwrap();
        bed.kill("b").unwrap();
        assert_eq!(bed.stop("c").await.unwrap_err().kind(), ErrorKind::NotFound);
        let listed = bed.directory().find(&Query::everybody()).await.unwrap();
        let mut ids: Vec<_> = listed.iter().map(|entry| entry.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a-2", "b-1"]);
        let gone = bed.tekton().peer("b").request::<Value>("x").timeout(Duration::ZERO).await.unwrap_err();
        assert!(matches!(gone.kind(), ErrorKind::Connect | ErrorKind::Timeout), "{gone:?}");
        bed.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn spans_and_events_of_a_call_are_captured() {
        let bed = TestBed::new().unwrap();
        bed.serve(FakeComponent::new("a").panics("x")).await.unwrap();
        let failed = bed.tekton().peer("a").request::<Value>("x").json(&json!({})).await.unwrap_err();
        assert_eq!(failed.remote().unwrap().status(), 500);
        let spans = bed.spans();
        let call = spans.iter().find(|span| span.name == "tekton.call").unwrap();
        assert_eq!((call.field("source"), call.field("target")), (Some("test"), Some("a")));
        let serve = spans.iter().find(|span| span.name == "tekton.serve").unwrap();
        assert_eq!(serve.within.as_deref(), Some("tekton.attempt"));
        let events = bed.events();
        let panicked = events.iter().find(|event| event.name == "an operation panicked").unwrap();
        assert_eq!(panicked.field("panic"), Some("a panic that the test planned"));
        assert_eq!(panicked.level, tracing::Level::ERROR);
        bed.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_outlives_the_bed_is_told() {
        let bed = TestBed::new().unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        let error = bed.shutdown().await.unwrap_err();
        assert!(error.to_string().starts_with("1 tasks outlive"), "{error}");
        task.abort();
    }

    #[tokio::test]
    async fn another_handle_calls_under_its_own_name() {
        let bed = TestBed::new().unwrap();
        let fake = FakeComponent::new("a").answers_with("x", |arguments, _| Ok(json!([arguments]))).hangs("y");
        let calls = fake.calls();
        bed.serve(fake).await.unwrap();
        let other = bed.tekton_with(|builder| builder.named("other")).unwrap();
        let reply = other.peer("a").request::<Value>("x").json(&json!({"n": 1})).await.unwrap();
        assert_eq!(*reply, json!([{"n": 1}]));
        assert_eq!(calls.of("x")[0].context.caller(), Some("other"));
        let peer = other.peer("a");
        let hanging = peer.request::<Value>("y");
        let moving = async {
            calls.until(2).await;
            bed.clock().advance(Duration::from_secs(30));
        };
        let (hung, ()) = tokio::join!(hanging, moving);
        let kind = hung.unwrap_err().kind();
        // Both sides' time ends at the same moment: either may tell.
        assert!(matches!(kind, ErrorKind::Timeout | ErrorKind::Remote), "{kind:?}");
        assert_eq!(calls.count(), 2);
        bed.shutdown().await.unwrap();
    }
}
