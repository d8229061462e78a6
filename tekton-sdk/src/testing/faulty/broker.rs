//! A broker that breaks as planned.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;

use super::{after, before};
use crate::{
    error::{ErrorKind, Result},
    patterns::events::{
        Broker, BrokerCapabilities, Connection, Cursor, Feed, FeedCounts, Incoming, Interest, Message, Receipt, Settle,
        TopicFilter,
    },
    time::{BoxFuture, SharedClock},
};

/// One planned fault of publishing.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishFault {
    /// It fails, and is not published.
    FailBefore(ErrorKind),
    /// It is published, then fails: the confirmation is lost.
    FailAfter(ErrorKind),
    /// It is confirmed and not published.
    Lose,
    /// It is published twice.
    Duplicate,
    /// It is published after this time, by the clock of the decorator.
    Delay(Duration),
    /// It is not published, and never ends.
    Hang,
}

/// One planned fault of an event on its way to a subscription.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryFault {
    /// It does not arrive.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It arrives after this time, by the clock of the decorator, and what follows after it.
    Delay(Duration),
    /// It arrives after the one that follows.
    Swap,
}

/// The plan of a [`FaultyBroker`]; without one everything goes through. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct BrokerFaults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    publishes: Vec<(usize, Option<TopicFilter>, PublishFault)>,
    deliveries: Vec<(usize, DeliveryFault)>,
    met: usize,
}

impl BrokerFaults {
    /// Breaks the next `count` publishings, after those planned before.
    pub fn publish(&self, count: usize, fault: PublishFault) -> &Self {
        self.lock().publishes.push((count, None, fault));
        self
    }

    /// Breaks the next `count` publishings on topics of this filter, as `dead.>`.
    pub fn publish_on(&self, filter: TopicFilter, count: usize, fault: PublishFault) -> &Self {
        self.lock().publishes.push((count, Some(filter), fault));
        self
    }

    /// Breaks the next `count` events on their way to any subscription, after those planned before.
    pub fn deliver(&self, count: usize, fault: DeliveryFault) -> &Self {
        self.lock().deliveries.push((count, fault));
        self
    }

    /// Lets everything through from now on.
    pub fn clear(&self) {
        let mut plan = self.lock();
        plan.publishes.clear();
        plan.deliveries.clear();
    }

    /// How many faults were met so far.
    #[must_use]
    pub fn met(&self) -> usize {
        self.lock().met
    }

    fn of_publish(&self, message: &Message) -> Option<PublishFault> {
        let mut plan = self.lock();
        let meets = |filter: &Option<TopicFilter>| filter.as_ref().is_none_or(|filter| filter.matches(message.topic()));
        let (count, _, fault) = plan.publishes.iter_mut().find(|(count, filter, _)| *count > 0 && meets(filter))?;
        *count -= 1;
        let fault = *fault;
        plan.met += 1;
        Some(fault)
    }

    fn of_delivery(&self) -> Option<DeliveryFault> {
        let mut plan = self.lock();
        let (count, fault) = plan.deliveries.iter_mut().find(|(count, _)| *count > 0)?;
        *count -= 1;
        let fault = *fault;
        plan.met += 1;
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A broker whose events meet the faults of its plan on the way to and from another broker.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use tekton_sdk::{
///     patterns::events::{Events, GapReason, MemoryBroker},
///     testing::{DeliveryFault, FaultyBroker},
///     time::SharedClock,
/// };
///
/// let (broker, faults) = FaultyBroker::new(MemoryBroker::default(), SharedClock::default());
/// let events = Events::new(broker, SharedClock::default());
/// let mut numbers = events.subscribe::<u32>("numbers").await?;
/// faults.deliver(1, DeliveryFault::Drop);
/// events.publisher("numbers")?.send(&1).await?;
/// events.publisher("numbers")?.send(&2).await?;
/// let gap = numbers.next().await.unwrap()?.gap().expect("what does not arrive is told");
/// assert_eq!((gap.lost, gap.reason), (Some(1), GapReason::Skipped));
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyBroker {
    inner: Arc<dyn Broker>,
    clock: SharedClock,
    faults: BrokerFaults,
}

impl FaultyBroker {
    /// The broker for the subject, and the plan for the test. Delays go by the clock.
    pub fn new(inner: impl Broker, clock: SharedClock) -> (Self, BrokerFaults) {
        Self::shared(Arc::new(inner), clock)
    }

    /// The same around a broker that others hold too.
    pub fn shared(inner: Arc<dyn Broker>, clock: SharedClock) -> (Self, BrokerFaults) {
        let faults = BrokerFaults::default();
        (Self { inner, clock, faults: faults.clone() }, faults)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Broker for FaultyBroker {
    async fn publish(&self, message: Message) -> Result<Receipt> {
        match self.faults.of_publish(&message) {
            None => self.inner.publish(message).await,
            Some(PublishFault::FailBefore(kind)) => Err(before(kind)),
            Some(PublishFault::FailAfter(kind)) => {
                self.inner.publish(message).await?;
                Err(after(kind))
            }
            Some(PublishFault::Lose) => Ok(Receipt::unconfirmed()),
            Some(PublishFault::Duplicate) => {
                self.inner.publish(message.clone()).await?;
                self.inner.publish(message).await
            }
            Some(PublishFault::Delay(delay)) => {
                self.clock.sleep(delay).await;
                self.inner.publish(message).await
            }
            Some(PublishFault::Hang) => std::future::pending().await,
        }
    }

    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>> {
        Ok(Box::new(FaultyFeed {
            inner: self.inner.subscribe(interest).await?,
            clock: self.clock.clone(),
            faults: self.faults.clone(),
            ready: VecDeque::new(),
            swapped: None,
            delayed: None,
        }))
    }

    async fn drain(&self, within: Duration) -> Result<()> {
        self.inner.drain(within).await
    }

    fn connection(&self) -> Connection {
        self.inner.connection()
    }

    fn capabilities(&self) -> BrokerCapabilities {
        self.inner.capabilities()
    }
}

struct FaultyFeed {
    inner: Box<dyn Feed>,
    clock: SharedClock,
    faults: BrokerFaults,
    ready: VecDeque<Incoming>,
    swapped: Option<Incoming>,
    delayed: Option<(BoxFuture<'static, ()>, Incoming)>,
}

impl FaultyFeed {
    /// What is given for an event that came; nothing if it is not to be given yet.
    fn meet(&mut self, came: Incoming) -> Option<Incoming> {
        if matches!(came, Incoming::Gap(_)) {
            return Some(came);
        }
        match self.faults.of_delivery() {
            None => {}
            Some(DeliveryFault::Drop) => return None,
            Some(DeliveryFault::Duplicate) => self.ready.push_back(came.clone()),
            Some(DeliveryFault::Delay(delay)) => {
                self.delayed = Some((self.clock.sleep(delay), came));
                return None;
            }
            Some(DeliveryFault::Swap) if self.swapped.is_none() => {
                self.swapped = Some(came);
                return None;
            }
            Some(DeliveryFault::Swap) => {}
        }
        self.ready.extend(self.swapped.take());
        Some(came)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Feed for FaultyFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        loop {
            if let Some((sleep, _)) = &mut self.delayed {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                return Poll::Ready(self.delayed.take().map(|(_, came)| Ok(came)));
            }
            if let Some(ready) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(ready)));
            }
            match self.inner.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(came))) => {
                    if let Some(given) = self.meet(came) {
                        return Poll::Ready(Some(Ok(given)));
                    }
                }
                Poll::Ready(end) => match self.swapped.take() {
                    Some(swapped) if end.is_none() => return Poll::Ready(Some(Ok(swapped))),
                    _ => return Poll::Ready(end),
                },
            }
        }
    }

    fn begins_after(&self) -> Option<Cursor> {
        self.inner.begins_after()
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        self.inner.settle()
    }

    fn drain(&mut self) {
        self.inner.drain();
    }

    fn counts(&self) -> FeedCounts {
        self.inner.counts()
    }
}

impl fmt::Debug for FaultyFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyFeed").field("inner", &self.inner).finish_non_exhaustive()
    }
}
