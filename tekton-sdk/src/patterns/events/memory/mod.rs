//! A broker in this process.

mod channel;
mod config;
mod feed;
mod history;
mod state;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::sync::Notify;

pub use config::MemoryBrokerConfig;

use super::{
    Broker, BrokerCapabilities, Connection, ConnectionReporter, ConnectionState, Cursor, Feed, Interest, Message,
    Published, Receipt,
};
use crate::{
    error::{Error, ErrorKind, Result},
    random::Random,
    telemetry::{Event, Observers},
    time::{BoxFuture, Deadline, SharedClock},
};
use channel::{After, Channel};
use feed::MemoryFeed;
use state::{Phase, State, Tried};

/// A broker in this process, with everything that a broker can do and bounds on all of it. Clones share it.
///
/// Subscriptions with filters that lead nowhere, and topics however many, cost a publisher next to nothing; an event costs each
/// subscription that hears it a place in a queue. What is published to nobody is kept in the history like everything else.
///
/// Its epoch is random: another one, or the same one after a restart without its [`history`](Self::history), begins anew, and
/// those who come with an old cursor are told of the gap.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use tekton_sdk::patterns::events::{Broker, Interest, MemoryBroker, Message, Topic, TopicFilter};
///
/// let broker = MemoryBroker::default();
/// let mut feed = broker.subscribe(Interest::new(vec![TopicFilter::parse("workflow.*")?])).await?;
/// broker.publish(Message::json(Topic::parse("workflow.completed")?, &7)?).await?;
/// assert!(std::future::poll_fn(|cx| feed.poll_next(cx)).await.unwrap().is_ok());
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryBroker(Arc<Shared>);

struct Shared {
    config: MemoryBrokerConfig,
    clock: SharedClock,
    observers: Observers,
    epoch: u64,
    state: Mutex<State>,
    reporter: ConnectionReporter,
    /// Tells a drain that something was given out or settled.
    left: Notify,
}

/// What a broker in memory keeps, to go on with in another one.
#[derive(Clone, Debug)]
pub struct History {
    epoch: u64,
    sequence: u64,
    events: Vec<Arc<Published>>,
}

impl MemoryBroker {
    /// A broker without a history, in a new epoch.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), naming the setting that makes no sense.
    pub fn new(config: MemoryBrokerConfig, clock: SharedClock, random: &Random) -> Result<Self> {
        config.validate()?;
        Ok(Self::with(config, clock, random.next_u64()))
    }

    /// A broker that goes on where another one ended: in its epoch, with what it kept.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), naming the setting that makes no sense.
    pub fn resumed(config: MemoryBrokerConfig, clock: SharedClock, history: History) -> Result<Self> {
        config.validate()?;
        let broker = Self::with(config, clock, history.epoch);
        {
            let mut state = broker.0.lock();
            state.sequence = history.sequence;
            history.events.iter().for_each(|event| state.history.push(event));
        }
        Ok(broker)
    }

    /// A broker with the default bounds.
    pub(super) fn with_defaults(clock: SharedClock, random: &Random) -> Self {
        Self::with(MemoryBrokerConfig::default(), clock, random.next_u64())
    }

    fn with(config: MemoryBrokerConfig, clock: SharedClock, epoch: u64) -> Self {
        let (reporter, _) = Connection::new(ConnectionState::Up);
        let state = Mutex::new(State::new(&config, epoch));
        let observers = Observers::default();
        Self(Arc::new(Shared { config, clock, observers, epoch, state, reporter, left: Notify::new() }))
    }

    /// Tells these of subscriptions that lose events. Set it before the broker is cloned or used.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.observers = observers;
        }
        self
    }

    /// What it keeps at this moment.
    #[must_use]
    pub fn history(&self) -> History {
        let state = self.0.lock();
        History { epoch: state.epoch, sequence: state.sequence, events: state.history.all() }
    }

    /// How many subscriptions there are; the members of a group count one.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.0.lock().channels.len()
    }
}

impl Default for MemoryBroker {
    /// With the default bounds and the runtime's clock.
    fn default() -> Self {
        Self::with_defaults(SharedClock::default(), &Random::new())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_publish(&self, event: Arc<Published>, bytes: usize) -> Result<Tried> {
        let mut after = After::default();
        let tried = {
            let mut state = self.lock();
            state.publish(event, bytes, self.clock.wall(), &mut after)
        };
        after.wakers.into_iter().for_each(std::task::Waker::wake);
        for (channel, lost) in after.losses {
            let now = self.clock.now();
            // Bound first: observers are not told under a lock.
            let told = channel.lock().told.on(now, lost);
            self.tell(&channel, told);
        }
        tried
    }

    /// Publishes once those who have no room have some.
    async fn publish_held_back(
        &self,
        mut event: Arc<Published>,
        bytes: usize,
        mut full: Arc<Channel>,
    ) -> Result<Receipt> {
        let deadline = Deadline::after(self.clock.now(), self.config.max_block);
        loop {
            self.until_room(&full, bytes, deadline).await?;
            match self.try_publish(event, bytes)? {
                Tried::Published(cursor) => return Ok(Receipt::at(cursor)),
                Tried::Full(channel, refused) => (full, event) = (channel, refused),
            }
        }
    }

    fn tell(&self, channel: &Channel, lost: Option<u64>) {
        let Some(lost) = lost else { return };
        if self.observers.any() {
            let policy = channel.interest.when_full.name();
            self.observers.tell(&Event::SlowSubscriber { subscription: &channel.interest.describe(), policy, lost });
        }
    }

    /// Waits until the subscription may have room.
    async fn until_room(&self, channel: &Channel, bytes: usize, deadline: Deadline) -> Result<()> {
        let room = channel.room.notified();
        let mut room = std::pin::pin!(room);
        room.as_mut().enable();
        if channel.lock().buffer.has_room(bytes) {
            return Ok(());
        }
        let left = deadline.remaining(self.clock.now());
        match self.clock.timeout(left, room).await {
            Some(()) => Ok(()),
            None => {
                let (filters, wait) = (channel.interest.describe(), self.config.max_block);
                let what = format!("a subscription to {filters} holds publishers back and had no room for {wait:?}");
                Err(Error::new(ErrorKind::Rejected, what).with_retry_after(wait))
            }
        }
    }

    fn refill(&self, channel: &Arc<Channel>) -> bool {
        self.lock().refill(channel, self.clock.wall())
    }

    /// Takes in nothing more for this member.
    fn hush(&self, channel: &Channel, member: u64) {
        let mut wakers = Vec::new();
        {
            let mut state = self.lock();
            let mut inner = channel.lock();
            let others = inner.members.iter().any(|other| other.id != member);
            if !others {
                inner.draining = true;
                inner.end_replay();
                state.hush(channel);
            }
            inner.wake(&mut wakers);
        }
        channel.room.notify_waiters();
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// A member goes; what it had goes to the others.
    fn leave(&self, channel: &Channel, member: u64) {
        let mut wakers = Vec::new();
        let rest = {
            let mut state = self.lock();
            let mut inner = channel.lock();
            inner.members.retain(|other| other.id != member);
            let now = self.clock.now();
            if let Some(unsettled) = &mut inner.unsettled {
                unsettled.release(now, member);
            }
            inner.wake(&mut wakers);
            if inner.members.is_empty() {
                inner.closed = true;
                state.forget(channel);
            }
            inner.told.rest()
        };
        channel.room.notify_waiters();
        self.left.notify_waiters();
        wakers.into_iter().for_each(std::task::Waker::wake);
        self.tell(channel, rest);
    }

    /// Takes nothing more in, anywhere.
    fn stop(&self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.lock();
            if state.phase == Phase::Open {
                state.phase = Phase::Draining;
            }
            for channel in state.channels.values() {
                let mut inner = channel.lock();
                inner.draining = true;
                inner.wake(&mut wakers);
                channel.room.notify_waiters();
            }
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Ends every subscription. Gives how many events are left.
    fn close(&self) -> usize {
        let mut wakers = Vec::new();
        let mut left = 0;
        {
            let mut state = self.lock();
            state.phase = Phase::Closed;
            for channel in state.channels.values() {
                let mut inner = channel.lock();
                left += inner.left();
                // Whoever is through ends by itself.
                inner.closed |= !inner.is_done();
                inner.wake(&mut wakers);
            }
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
        left
    }

    async fn until_done(&self) {
        loop {
            let mut changed = std::pin::pin!(self.left.notified());
            changed.as_mut().enable();
            let done = self.lock().channels.values().all(|channel| channel.lock().is_done());
            if done {
                return;
            }
            changed.await;
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Broker for MemoryBroker {
    // Written out, so that the message goes into its place at once, and not through the future.
    fn publish<'life0, 'async_trait>(&'life0 self, message: Message) -> BoxFuture<'async_trait, Result<Receipt>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let shared = &*self.0;
        // Where it stands, and since when, is said under the lock.
        let event = Arc::new(Published::new(Cursor::new(shared.epoch, 0), SystemTime::UNIX_EPOCH, message));
        Box::pin(async move {
            let bytes = event.message.check(shared.config.max_event_bytes)?;
            match shared.try_publish(event, bytes)? {
                Tried::Published(cursor) => Ok(Receipt::at(cursor)),
                // In a box of its own: each event has one for this future, and few have to wait.
                Tried::Full(full, event) => Box::pin(shared.publish_held_back(event, bytes, full)).await,
            }
        })
    }

    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>> {
        interest.check(self.capabilities())?;
        let shared = &self.0;
        let (channel, member, begins_after) = shared.lock().subscribe(interest, &shared.config, shared.clock.wall())?;
        Ok(Box::new(MemoryFeed::new(Arc::clone(shared), channel, member, begins_after)))
    }

    async fn drain(&self, within: Duration) -> Result<()> {
        let shared = &*self.0;
        shared.reporter.tell(ConnectionState::Draining);
        shared.stop();
        let done = shared.clock.timeout(within, shared.until_done()).await;
        let left = shared.close();
        shared.reporter.tell(ConnectionState::Closed);
        match done {
            Some(()) => Ok(()),
            None => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "the broker was not drained within {within:?}: {left} events were not handed over or not settled"
                ),
            )),
        }
    }

    fn connection(&self) -> Connection {
        self.0.reporter.connection()
    }

    fn capabilities(&self) -> BrokerCapabilities {
        BrokerCapabilities { history: self.0.config.history_events > 0, ..BrokerCapabilities::all() }
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("MemoryBroker")
            .field("epoch", &state.epoch)
            .field("sequence", &state.sequence)
            .field("subscriptions", &state.channels.len())
            .finish_non_exhaustive()
    }
}
