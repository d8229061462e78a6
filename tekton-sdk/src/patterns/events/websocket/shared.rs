//! What the handles of a broker and its one task share.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, header};
use tokio::sync::{Notify, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    WebSocketBrokerConfig,
    machine::{Effect, Machine},
    queue::Queue,
};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    patterns::events::{ConnectionReporter, Cursor},
    random::Random,
    time::SharedClock,
    transport::{
        Bearer, Endpoint,
        websocket::{Closed, NotOpen, Opener, Out, Road, Socket},
    },
};

/// Who waits for a call.
type Waiting = oneshot::Sender<Result<Option<Cursor>>>;

pub(super) type Calls = Machine<Waiting, Arc<Queue>>;

pub(super) struct Shared {
    pub(super) config: WebSocketBrokerConfig,
    pub(super) clock: SharedClock,
    pub(super) random: Random,
    pub(super) urls: Vec<Endpoint>,
    pub(super) headers: HeaderMap,
    pub(super) token: Option<Bearer>,
    pub(super) opener: Opener,
    pub(super) reporter: ConnectionReporter,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Tells a drain that something was given out, settled or confirmed.
    pub(super) left: Notify,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) machine: Calls,
    /// What is written on the connection, while there is one.
    out: Option<Arc<Out>>,
    /// Another connection is needed.
    renew: bool,
    /// Why the last connection ended.
    pub(super) closed: Option<Closed>,
    /// Why the last attempts failed, the first of each round.
    pub(super) failed: Option<Error>,
    /// The subscriptions that a drain waits for.
    pub(super) draining: Vec<Arc<Queue>>,
}

impl State {
    pub(super) const fn new(machine: Calls) -> Self {
        Self { machine, out: None, renew: false, closed: None, failed: None, draining: Vec::new() }
    }

    /// Does what the machine wants done, in its order.
    pub(super) fn apply(&mut self) {
        if !self.machine.has_effects() {
            return;
        }
        for effect in self.machine.effects() {
            match effect {
                Effect::Say { text, begins } => {
                    if let Some(out) = &self.out {
                        out.push(text, begins);
                    }
                }
                // Nobody may wait any more.
                Effect::Tell { token, result } => drop(token.send(result)),
                Effect::Begun { queue, far, resumes } => {
                    if let Some(out) = &self.out {
                        queue.begun(out, far, resumes);
                    }
                }
                Effect::Paused(queue) => queue.paused(),
                // There is one for a connection at most.
                Effect::Gap { queue, gap } => drop(queue.gap(gap, 0)),
                Effect::End { queue, error } => queue.end(error),
                Effect::Renew => self.renew = true,
            }
        }
    }

    /// Whether another connection is needed; from here on it is not.
    pub(super) const fn takes_renewal(&mut self) -> bool {
        std::mem::replace(&mut self.renew, false)
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the machine do something, and does what comes of it.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Calls) -> R) -> R {
        let mut state = self.lock();
        let done = act(&mut state.machine);
        state.apply();
        done
    }

    /// Begins a call, and waits for its end, so long as one may take.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up.
    pub(super) async fn call<R: Send>(
        &self,
        what: &'static str,
        begin: impl FnOnce(&mut Calls, Waiting) -> Result<(R, u64)> + Send,
    ) -> Result<(R, Option<Cursor>)> {
        let (token, told) = oneshot::channel();
        let (begun, id) = self.with(|machine| begin(machine, token))?;
        let mut waiting = GivenUp { shared: self, id: Some(id) };
        let limit = self.config.request_timeout;
        match self.clock.timeout(limit, told).await {
            Some(told) => {
                waiting.id = None;
                self.left.notify_waiters();
                let told = told.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the broker was closed")));
                Ok((begun, told?))
            }
            None => {
                let was_sent = waiting.give_up();
                let sent = if was_sent { Sent::Maybe } else { Sent::No };
                let why = if was_sent { "was not answered" } else { "could not be asked to" };
                let what = format!("the component {why} within {limit:?}: {what}");
                let error = Error::new(ErrorKind::Timeout, what).with_sent(sent);
                Err(match self.lock().closed {
                    Some(closed) if !was_sent => error.with_source(closed),
                    _ => error,
                })
            }
        }
    }

    /// Opens a WebSocket to this URL.
    pub(super) async fn open(&self, url: usize, refused: bool) -> Result<Socket<Road>, NotOpen> {
        let headers = async {
            let mut headers = self.headers.clone();
            if let Some(token) = &self.token {
                headers.insert(header::AUTHORIZATION, token.value(refused).await?);
            }
            Ok(headers)
        };
        self.opener.open(&self.urls[url], &self.config.path, headers).await
    }

    /// A connection was made, and this is written on it.
    pub(super) fn opened(&self, out: &Arc<Out>) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.out = Some(Arc::clone(out));
        (state.renew, state.failed) = (false, None);
        state.machine.opened(now);
        state.apply();
        self.reporter.tell(state.machine.seen(now));
    }

    /// The connection is no more.
    pub(super) fn lost(&self, why: Closed, out: &Out) {
        let now = self.clock.now();
        let mut state = self.lock();
        let unsent: HashSet<u64> = out.close().into_iter().filter_map(|left| left.begins).collect();
        (state.out, state.closed) = (None, Some(why));
        state.machine.lost(now, why, &unsent, |most| self.random.up_to(most));
        state.apply();
        self.reporter.tell(state.machine.seen(now));
    }

    /// Ends everything. Gives how many events were here and not given out.
    pub(super) fn close(&self) -> usize {
        let mut state = self.lock();
        let left = state.machine.left();
        state.machine.close();
        state.apply();
        let waiting: usize = std::mem::take(&mut state.draining).iter().map(|queue| queue.close()).sum();
        self.reporter.tell(state.machine.seen(self.clock.now()));
        left.max(waiting)
    }
}

/// A call that somebody waits for. Dropped before its end, it is given up.
struct GivenUp<'a> {
    shared: &'a Shared,
    id: Option<u64>,
}

impl GivenUp<'_> {
    /// Gives whether it may have been sent.
    fn give_up(&mut self) -> bool {
        let was_sent = self.id.take().is_none_or(|id| self.shared.with(|machine| machine.give_up(id)));
        // A drain waits for it no more.
        self.shared.left.notify_waiters();
        was_sent
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.give_up();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("urls", &self.urls).finish_non_exhaustive()
    }
}
