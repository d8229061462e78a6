//! Listeners at work: each has a task that subscribes, handles what comes, and subscribes again when that ends.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future;
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field};

use super::{Entry, Listeners, Run, standing::Standing};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    patterns::events::{Calls, Cursor, Events, Heard, Start, Steer},
    random::Random,
    telemetry::{names, record_trace},
    time::{Deadline, SharedClock},
    wire::trace::TraceContext,
};

/// How long a start waits for the subscriptions to begin; then they begin when they can.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a subscription that ended waits before it is made again: up to this the first time, doubled up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// The listeners of a served component.
pub(crate) struct Listening {
    component: Arc<str>,
    standings: Vec<Arc<Standing>>,
    /// What has not begun yet.
    keepers: Mutex<Vec<Keeper>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    clock: SharedClock,
}

/// What keeps one listener listening.
struct Keeper {
    component: Arc<str>,
    events: Events,
    standing: Arc<Standing>,
    run: Arc<Run>,
    stop: CancellationToken,
    clock: SharedClock,
    random: Random,
}

impl Listening {
    /// These listeners of the component, over the events that are asked for if there are any.
    pub(crate) fn new(
        component: &str,
        listeners: Listeners,
        events: impl FnOnce() -> Events,
        clock: &SharedClock,
        random: &Random,
    ) -> Self {
        let (component, stop): (Arc<str>, _) = (component.into(), CancellationToken::new());
        let events = (!listeners.is_empty()).then(events);
        let keeper = |(Entry { listener, run }, events)| Keeper {
            component: Arc::clone(&component),
            events,
            standing: Arc::new(Standing::new(listener, listener.group_of(&component))),
            run,
            stop: stop.clone(),
            clock: clock.clone(),
            random: random.clone(),
        };
        let entries = listeners.into_entries().into_iter();
        let keepers: Vec<_> = entries.filter_map(|entry| Some((entry, events.clone()?))).map(keeper).collect();
        let standings = keepers.iter().map(|keeper| Arc::clone(&keeper.standing)).collect();
        Self { component, standings, keepers: Mutex::new(keepers), tasks: Mutex::default(), stop, clock: clock.clone() }
    }

    /// Begins to listen. Returns when every subscription has begun or failed once, or after a while: a broker that is down does
    /// not keep a component from starting.
    ///
    /// # Errors
    /// Those of a subscription that no later attempt can mend.
    pub(crate) async fn begin(&self) -> Result<()> {
        let keepers = std::mem::take(&mut *self.keepers.lock().unwrap_or_else(PoisonError::into_inner));
        let begun: Vec<_> = keepers
            .into_iter()
            .map(|keeper| {
                let (tell, told) = oneshot::channel();
                let task = tokio::spawn(keeper.keep(tell));
                self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
                told
            })
            .collect();
        // Each of them alone: one that is slow hides no other's mistake.
        let begun = begun.into_iter().map(|told| self.clock.timeout(BEGIN_WITHIN, told));
        for (begun, standing) in future::join_all(begun).await.into_iter().zip(&self.standings) {
            if let Some(Ok(Err(error))) = begun {
                self.cut_off();
                let what = format!("the listener {} of {:?} cannot begin", standing.listener.name, self.component);
                return Err(Error::config(what).with_source(error));
            }
        }
        Ok(())
    }

    /// The listeners that hear nothing at this moment, by their names.
    pub(crate) fn silent(&self) -> impl Iterator<Item = &'static str> {
        self.standings.iter().filter(|standing| !standing.is_well()).map(|standing| standing.listener.name)
    }

    /// The topics that are listened to.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.standings.iter().flat_map(|standing| standing.listener.topics.iter().copied())
    }

    /// For `/introspect`: how each of them stands.
    pub(crate) fn shown(&self) -> Value {
        self.standings.iter().map(|standing| standing.shown()).collect()
    }

    /// How many calls have ended.
    #[cfg(feature = "testing")]
    pub(crate) fn ended(&self) -> u64 {
        self.standings.iter().map(|standing| standing.ended()).sum()
    }

    /// Waits until each of them once had nothing left to do.
    #[cfg(feature = "testing")]
    pub(crate) async fn idle(&self) {
        future::join_all(self.standings.iter().map(|standing| standing.idle())).await;
    }

    /// Takes in nothing more, and waits until what was taken is done, at most so long; what is not comes again elsewhere. Tells
    /// whether all was done.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.standings.iter().for_each(|standing| standing.waker.wake());
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let finished = self.clock.timeout(limit, future::join_all(&mut tasks)).await.is_some();
        for task in &tasks {
            task.abort();
        }
        self.standings.iter().for_each(|standing| standing.leave());
        finished
    }

    /// Ends at once, as a crash does.
    pub(crate) fn cut_off(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.standings.iter().for_each(|standing| standing.leave());
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.cut_off();
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("standings", &self.standings).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Listens until it is told to stop. What came of the first attempt is told.
    async fn keep(self, tell: oneshot::Sender<Result<()>>) {
        let mut tell = Some(tell);
        let name = self.standing.listener.name;
        let (least, most) = AGAIN;
        let bounds =
            ExponentialBuilder::new().with_factor(2.0).with_min_delay(least).with_max_delay(most).without_max_times();
        let (mut waits, mut after) = (bounds.build(), None);
        while !self.stop.is_cancelled() {
            let done = self.standing.ended();
            let ended = self.listen(&mut after, &mut tell).await;
            if self.stop.is_cancelled() {
                return;
            }
            let reason = match &ended {
                Ok(()) => "the subscription has ended".to_owned(),
                Err(error) => error.report().to_string(),
            };
            if let Some(tell) = tell.take() {
                let first = ended.or_else(|error| match error.kind() {
                    ErrorKind::Config | ErrorKind::Invalid => Err(error),
                    _ => Ok(()),
                });
                // Whoever starts the component may wait no more; then it is tried again, as later.
                let is_final = first.is_err();
                if tell.send(first).is_ok() && is_final {
                    return;
                }
            }
            if self.standing.ended() > done {
                waits = bounds.build();
            }
            let wait = self.random.up_to(waits.next().unwrap_or(most));
            tracing::warn!(component = &*self.component, listener = name, reason, ?wait, "a listener hears nothing");
            self.standing.end(reason);
            let _ = future::select(self.clock.sleep(wait), Box::pin(self.stop.cancelled())).await;
        }
    }

    /// Listens once, from `after` on if there is such a place, until the subscription ends.
    async fn listen(&self, after: &mut Option<Cursor>, tell: &mut Option<oneshot::Sender<Result<()>>>) -> Result<()> {
        let Self { standing, events, .. } = self;
        let listener = &standing.listener;
        let start = after.map_or(listener.start, Start::After);
        let subscribing = Box::pin(listener.subscribe(events, &self.component, start).into_future());
        let begun = match future::select(subscribing, Box::pin(self.stop.cancelled())).await {
            future::Either::Left((begun, _)) => begun,
            future::Either::Right(_) => return Ok(()),
        };
        let mut subscription = begun?;
        standing.begin();
        if let Some(tell) = tell.take() {
            let _ = tell.send(Ok(()));
        }
        let mut calm = None;
        let steer = |cx: &mut std::task::Context<'_>, calls: Calls| {
            standing.waker.register(cx.waker());
            let is_stopping = self.stop.is_cancelled();
            let question = standing.question();
            if calls.running > 0 || (question.is_none() && !is_stopping) {
                return if is_stopping { Steer::Drain } else { Steer::GoOn };
            }
            // A subscription also has others take their turn: only if nothing comes when it is polled again, nothing is there.
            if calm.replace(calls.began) != Some(calls.began) {
                cx.waker().wake_by_ref();
                return if is_stopping { Steer::Drain } else { Steer::GoOn };
            }
            calm = None;
            if let Some(question) = question {
                standing.answer(question);
            }
            match is_stopping {
                // What waits to come again does so elsewhere.
                true if listener.acked => Steer::End,
                true => Steer::Drain,
                false => Steer::GoOn,
            }
        };
        let handler = |heard| self.handle(heard);
        let ended = subscription.steered(listener.handler(), self.clock.clone(), handler, steer).await;
        *after = subscription.cursor().or(*after);
        ended
    }

    /// Does with what is heard what the component asks for, seen from its first moment to its last.
    fn handle(&self, heard: Heard<()>) -> impl Future<Output = Result<()>> + Send + use<> {
        let listener = self.standing.listener;
        let mut context = Context::new().with_deadline(Some(Deadline::after(self.clock.now(), listener.timeout)));
        let mut span = Span::none();
        match &heard {
            Heard::Gap(gap) => {
                self.standing.count_gap(*gap);
                let (from, to, lost, reason) = (gap.from, gap.to, gap.lost, gap.reason.name());
                tracing::warn!(listener = listener.name, %from, %to, lost, reason, "events were missed");
            }
            Heard::Event(event) => {
                span = tracing::debug_span!(
                    names::LISTEN_SPAN,
                    "otel.name" = %format_args!("listen {}", listener.name),
                    "otel.kind" = "consumer",
                    "error.type" = field::Empty,
                    trace_id = field::Empty,
                    span_id = field::Empty,
                    parent_span_id = field::Empty,
                    listener = listener.name,
                    topic = event.topic().as_str(),
                    delivery = event.number(),
                );
                let publisher = event.message().trace();
                let trace = match publisher {
                    Some(publisher) => publisher.child(self.random.span_id()),
                    None => TraceContext::new_root(self.random.trace_id(), self.random.span_id(), true),
                };
                if !span.is_disabled() {
                    record_trace(&span, &trace);
                    if let Some(publisher) = publisher {
                        let parent = u64::from_be_bytes(publisher.parent_id());
                        span.record("parent_span_id", field::display(format_args!("{parent:016x}")));
                    }
                }
                context = context.with_trace(Some(trace));
                if let Some(source) = event.message().source() {
                    context = context.with_caller(source);
                }
            }
        }
        let watch = Watch {
            standing: Arc::clone(&self.standing),
            clock: self.clock.clone(),
            deadline: self.clock.now().checked_add(listener.timeout),
            is_event: matches!(heard, Heard::Event(_)),
            span: span.clone(),
            outcome: None,
        };
        let run = Arc::clone(&self.run);
        let work = async move {
            let mut watch = watch;
            // Called within the future: it may panic before its first wait.
            let done = context.clone().scope(async { run(context, heard).await }).await;
            watch.outcome = Some(done.as_ref().copied().map_err(Error::kind));
            if let Err(error) = &done {
                tracing::warn!(listener = listener.name, error = %error.report(), "a listener failed");
            }
            done
        };
        work.instrument(span)
    }
}

/// Counts a call when it ends, also when it ends because its time is over.
struct Watch {
    standing: Arc<Standing>,
    clock: SharedClock,
    deadline: Option<Instant>,
    is_event: bool,
    span: Span,
    outcome: Option<std::result::Result<(), ErrorKind>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let is_late = self.deadline.is_some_and(|deadline| self.clock.now() >= deadline);
        let failure = match self.outcome {
            Some(Ok(())) => None,
            Some(Err(kind)) => Some(kind.name()),
            None if std::thread::panicking() => Some("panicked"),
            None if is_late => Some("timed_out"),
            None => Some(names::ABANDONED),
        };
        self.standing.count(self.is_event, failure.is_none());
        if let Some(failure) = failure {
            self.span.record("error.type", failure);
            if self.outcome.is_none() {
                let listener = self.standing.listener.name;
                tracing::warn!(listener, reason = failure, "a listener did not come to its end");
            }
        }
    }
}
