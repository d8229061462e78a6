//! The road to one endpoint: at most one connection, and the calls that wait for it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Inner,
    connection::Connection,
    driver::{Driver, Ended},
    exchange::{Failed, Outgoing, exchange},
    machine::{Life, Wanted},
};
use crate::{
    error::{Error, ErrorKind, Result},
    transport::{Endpoint, Response},
};

/// The calls to one endpoint.
#[derive(Debug)]
pub(super) struct Link {
    endpoint: Endpoint,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    state: Mutex<State>,
    /// Who holds it makes the connection; the others wait for that.
    dialling: tokio::sync::Mutex<()>,
    /// The number of the call that used it last.
    pub(super) used: AtomicU64,
}

#[derive(Debug)]
struct State {
    life: Life,
    connection: Option<Arc<Connection>>,
}

impl Link {
    pub(super) fn new(endpoint: Endpoint, inner: &Inner) -> Self {
        let places = inner.config.max_in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            endpoint,
            places: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State { life: Life::new(inner.config.pauses()), connection: None }),
            dialling: tokio::sync::Mutex::new(()),
            used: AtomicU64::new(0),
        }
    }

    /// The connection, if there is one, and how many calls wait for a place.
    pub(super) fn seen(&self) -> (Option<Arc<Connection>>, usize) {
        (self.open(), self.waiting.load(Ordering::Relaxed))
    }

    /// Whether nobody would miss it.
    pub(super) fn is_unused(&self, inner: &Inner) -> bool {
        self.places.available_permits() == inner.config.max_in_flight.min(Semaphore::MAX_PERMITS)
            && self.waiting.load(Ordering::Relaxed) == 0
    }

    pub(super) async fn send(self: &Arc<Self>, mut outgoing: Outgoing, inner: &Arc<Inner>) -> Result<Response> {
        let mut place = self.place(inner).await?;
        loop {
            let connection = match self.open() {
                Some(connection) => connection,
                None => Box::pin(self.opened(inner)).await?,
            };
            match exchange(connection, outgoing, place).await {
                Ok(answer) => return Ok(answer),
                // It was closed in that moment. What comes of it is known to the machine by now, or soon.
                Err(Failed::NotSent(back, given_back)) => (outgoing, place) = (*back, given_back),
                Err(Failed::Error(error)) => return Err(error),
            }
        }
    }

    /// A place among the calls that are under way, in the order of coming.
    async fn place(&self, inner: &Inner) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let most = inner.config.max_waiting;
        let waiting = Waiting::new(&self.waiting);
        if waiting.place > most {
            let what = format!("more calls would wait for the connection to {} than the {most} allowed", self.endpoint);
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.shut_down())
    }

    fn open(&self) -> Option<Arc<Connection>> {
        self.lock().connection.as_ref().filter(|connection| connection.is_open()).cloned()
    }

    /// A connection that this call or another makes.
    async fn opened(self: &Arc<Self>, inner: &Arc<Inner>) -> Result<Arc<Connection>> {
        let _dialling = self.dialling.lock().await;
        loop {
            if let Some(connection) = self.open() {
                return Ok(connection);
            }
            if inner.stop.is_cancelled() {
                return Err(self.shut_down());
            }
            let now = inner.clock.now();
            let wanted = self.lock().life.wanted(now);
            match wanted {
                Wanted::Wait(time) => inner.clock.sleep(time).await,
                Wanted::Refuse(time) => {
                    let what = format!("{} could not be reached, and is not tried again yet", self.endpoint);
                    return Err(Error::new(ErrorKind::Connect, what).with_retry_after(time));
                }
                Wanted::Dial => match self.dial(inner).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => {
                        let now = inner.clock.now();
                        self.lock().life.failed(now, |most| inner.random.up_to(most));
                        return Err(error);
                    }
                },
            }
        }
    }

    async fn dial(self: &Arc<Self>, inner: &Arc<Inner>) -> Result<Arc<Connection>> {
        let headers = std::future::ready(Ok(HeaderMap::new()));
        let opened = inner.opener.open(&self.endpoint, &inner.config.path, headers).await;
        let socket = opened.map_err(|not| not.error)?;
        let config = &inner.config;
        let connection = Connection::new(self.endpoint.clone(), config.max_in_flight, config.max_message_bytes);
        let connection = Arc::new(connection);
        let driver = Driver::new(
            socket,
            Arc::clone(&connection),
            inner.clock.clone(),
            config.ping_interval,
            config.idle_timeout,
        );
        {
            let mut state = self.lock();
            state.life.opened(inner.clock.now());
            state.connection = Some(Arc::clone(&connection));
        }
        let (link, clock, random) = (Arc::downgrade(self), inner.clock.clone(), inner.random.clone());
        let stop = inner.stop.clone();
        inner.drivers.spawn(async move {
            let ended = |ended: &Ended| {
                if let Some(link) = Weak::upgrade(&link) {
                    let mut state = link.lock();
                    state.connection = None;
                    state.life.lost(clock.now(), ended.by_us, |most| random.up_to(most));
                }
            };
            driver.run(stop, ended).await;
        });
        Ok(connection)
    }

    fn shut_down(&self) -> Error {
        Error::new(ErrorKind::Closed, "the transport is shut down")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for its place.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    place: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { place: count.fetch_add(1, Ordering::Relaxed) + 1, count }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
