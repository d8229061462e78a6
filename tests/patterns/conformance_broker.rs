//! The broker in memory and its decorators keep the laws of a broker, and every law notices the bug it is there for.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use tekton_sdk::{
    ErrorKind, Result,
    patterns::events::{
        AckConfig, Backpressure, Broker, BrokerCapabilities, Connection, ConnectionState, Cursor, Feed, FeedCounts,
        Incoming, Interest, MemoryBroker, MemoryBrokerConfig, Message, Outcome, Receipt, Settle, Start, TopicFilter,
    },
    random::Random,
    testing::{FaultyBroker, conformance::broker::BrokerSubject},
    time::{ManualClock, SharedClock},
};

type Decorate = Arc<dyn Fn(Arc<dyn Broker>) -> Arc<dyn Broker> + Send + Sync>;

/// A broker in memory, with something in front of it that is the subject, and a clock that the laws move.
struct InMemory {
    memory: MemoryBroker,
    subject: Arc<dyn Broker>,
    clock: ManualClock,
    config: MemoryBrokerConfig,
    decorate: Decorate,
    forgets: bool,
}

impl InMemory {
    fn new(config: MemoryBrokerConfig, decorate: Decorate) -> Self {
        let clock = ManualClock::new();
        let memory = MemoryBroker::new(config.clone(), SharedClock::new(clock.clone()), &Random::seeded(1)).unwrap();
        let subject = decorate(Arc::new(memory.clone()));
        Self { memory, subject, clock, config, decorate, forgets: false }
    }

    fn plain(config: MemoryBrokerConfig) -> Self {
        Self::new(config, Arc::new(|broker| broker))
    }
}

#[async_trait]
impl BrokerSubject for InMemory {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.subject)
    }

    fn clock(&self) -> SharedClock {
        SharedClock::new(self.clock.clone())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn restarted(&self, with_history: bool) -> Result<Option<Arc<dyn Broker>>> {
        let (config, clock) = (self.config.clone(), self.clock());
        let broker = match with_history && !self.forgets {
            true => MemoryBroker::resumed(config, clock, self.memory.history())?,
            false => MemoryBroker::new(config, clock, &Random::seeded(2))?,
        };
        Ok(Some((self.decorate)(Arc::new(broker))))
    }
}

mod memory_broker {
    use super::{InMemory, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(InMemory::plain(MemoryBrokerConfig::default()));
}

mod memory_broker_without_a_history {
    use super::{InMemory, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(InMemory::plain(MemoryBrokerConfig::default().with_history_events(0)));
}

mod faulty_broker {
    use super::{Arc, FaultyBroker, InMemory, MemoryBrokerConfig, SharedClock};

    tekton_sdk::broker_conformance!(InMemory::new(
        MemoryBrokerConfig::default(),
        Arc::new(|broker| Arc::new(FaultyBroker::shared(broker, SharedClock::default()).0))
    ));
}

mod a_broker_that_can_do_nothing {
    use super::{Arc, Buggy, InMemory, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(InMemory::new(
        MemoryBrokerConfig::default(),
        Arc::new(|broker| Arc::new(Buggy::new(broker, super::Bug::CanDoNothing)))
    ));
}

/// One test for each law and the bug that must break it.
macro_rules! bites {
    ($($law:ident: $bug:ident)+) => {
        $(
            #[test]
            #[should_panic]
            fn $law() {
                super::super::conformance_bites::soon(async {
                    let subject = super::buggy(super::Bug::$bug);
                    tekton_sdk::testing::conformance::broker::$law(&subject).await;
                });
            }
        )+
    };
}

mod bites {
    bites! {
        an_event_arrives_as_it_was_published: LosesAttributes
        events_come_in_their_order: Swaps
        every_subscription_hears_every_event: SharesAll
        a_star_is_one_token_and_a_tail_one_or_more: IgnoresFilters
        an_event_that_two_filters_match_comes_once: Doubles
        what_was_published_before_is_not_heard: BeginsWithTheOldest
        a_dropped_subscription_is_no_burden: KeepsFeeds
        cursors_rise_and_a_receipt_has_the_events: InventsCursors
        an_id_that_is_published_twice_is_heard_once: RenamesIds
        what_is_too_large_is_refused_and_nobody_hears_it: CutsMessages
        what_is_not_declared_is_rejected: DeclaresNothing
        a_connection_is_up: NeverComesUp
        what_followed_a_cursor_is_heard: BeginsNow
        a_feed_that_was_lost_unheard_is_taken_up_where_it_began: ForgetsBeginnings
        the_oldest_event_that_is_kept_is_heard_first: BeginsNow
        what_was_published_since_a_time_is_heard: BeginsWithTheOldest
        a_replay_goes_over_to_what_is_published_without_a_hole: FallsSilent
        another_epoch_is_a_gap_and_then_all_of_it: HidesGaps
        a_restart_with_the_history_is_no_gap: ForgetsHistory
        the_oldest_are_dropped_and_told_as_a_gap: HidesGaps
        the_newest_are_dropped_and_told_as_a_gap: DropsTheOldest
        a_subscription_that_is_to_fail_gives_what_waited_and_then_an_error: DropsTheOldest
        of_each_key_the_latest_is_kept: DropsTheOldest
        a_publisher_that_is_held_back_goes_on_when_there_is_room: DropsTheOldest
        a_publisher_that_is_held_back_too_long_is_refused_and_nobody_hears_it: HidesRefusals
        a_slow_subscription_does_not_hold_others_up: HoldsBack
        what_is_acknowledged_does_not_come_again: IgnoresAcks
        what_is_refused_comes_again_after_its_time_with_its_number: RefusesAtOnce
        what_is_dropped_comes_again: LetsRefusedGo
        what_nobody_settles_comes_again_when_its_time_is_over: WaitsForEver
        what_is_under_way_has_its_whole_time_again: IgnoresProgress
        no_more_are_handed_over_than_may_be_unsettled: HandsAllOver
        an_event_is_let_go_when_its_dead_letter_stands: LosesDeadLetters
        without_its_dead_letter_an_event_is_not_let_go: LetsRefusedGo
        members_of_a_group_share_the_events: ForgetsGroups
        what_a_lost_member_had_goes_to_another: KeepsFeeds
        a_group_is_joined_with_the_same_settings_only: ForgetsGroups
        a_drained_subscription_gives_what_waits_and_ends: IgnoresDrains
        a_drained_broker_gives_what_waits_and_takes_nothing_more: IgnoresDrains
        a_drain_that_takes_too_long_says_what_is_left: IgnoresDrains
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    /// No bug: it declares nothing, and holds to that.
    CanDoNothing,
    LosesAttributes,
    Swaps,
    SharesAll,
    IgnoresFilters,
    Doubles,
    BeginsWithTheOldest,
    BeginsNow,
    KeepsFeeds,
    InventsCursors,
    RenamesIds,
    CutsMessages,
    DeclaresNothing,
    NeverComesUp,
    ForgetsBeginnings,
    FallsSilent,
    HidesGaps,
    ForgetsHistory,
    DropsTheOldest,
    HidesRefusals,
    HoldsBack,
    IgnoresAcks,
    RefusesAtOnce,
    LetsRefusedGo,
    WaitsForEver,
    IgnoresProgress,
    HandsAllOver,
    LosesDeadLetters,
    ForgetsGroups,
    IgnoresDrains,
}

fn buggy(bug: Bug) -> InMemory {
    let decorate: Decorate = Arc::new(move |broker| Arc::new(Buggy::new(broker, bug)));
    InMemory { forgets: bug == Bug::ForgetsHistory, ..InMemory::new(MemoryBrokerConfig::default(), decorate) }
}

#[derive(Debug)]
struct Buggy {
    inner: Arc<dyn Broker>,
    bug: Bug,
    count: AtomicU64,
    kept: Arc<Mutex<Vec<Box<dyn Feed>>>>,
}

impl Buggy {
    fn new(inner: Arc<dyn Broker>, bug: Bug) -> Self {
        Self { inner, bug, count: AtomicU64::default(), kept: Arc::default() }
    }
}

#[async_trait]
impl Broker for Buggy {
    async fn publish(&self, message: Message) -> Result<Receipt> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let topic = message.topic().clone();
        let message = match self.bug {
            Bug::LosesAttributes => Message::raw(topic, message.bytes().clone())?,
            Bug::RenamesIds => message.with_id(format!("id-{count}")),
            Bug::CutsMessages if message.bytes().len() > 1000 => Message::json(topic, &0)?,
            Bug::LosesDeadLetters if topic.as_str().starts_with("dead.") => return Ok(Receipt::unconfirmed()),
            _ => message,
        };
        match self.inner.publish(message).await {
            Ok(_) if self.bug == Bug::InventsCursors => Ok(Receipt::at(Cursor::new(1, count))),
            Ok(_) if self.bug == Bug::CanDoNothing => Ok(Receipt::unconfirmed()),
            Err(error) if self.bug == Bug::HidesRefusals && error.kind() == ErrorKind::Rejected => {
                Ok(Receipt::unconfirmed())
            }
            result => result,
        }
    }

    async fn subscribe(&self, mut interest: Interest) -> Result<Box<dyn Feed>> {
        if self.bug == Bug::CanDoNothing {
            interest.check(self.capabilities())?;
        }
        match self.bug {
            Bug::SharesAll => interest.group = Some("all".to_owned()),
            Bug::ForgetsGroups => interest.group = None,
            Bug::IgnoresFilters => interest.filters = vec![TopicFilter::parse(">")?],
            Bug::BeginsWithTheOldest => interest.start = Start::Oldest,
            Bug::BeginsNow => interest.start = Start::New,
            Bug::DropsTheOldest => interest.when_full = Backpressure::DropOldest,
            Bug::HoldsBack => interest.when_full = Backpressure::Block,
            Bug::WaitsForEver => interest.acks = interest.acks.map(|acks| acks.with_wait(Duration::from_secs(86_400))),
            Bug::HandsAllOver => interest.acks = interest.acks.map(|_| AckConfig::default()),
            _ => {}
        }
        let inner = self.inner.subscribe(interest).await?;
        let (bug, kept) = (self.bug, Arc::clone(&self.kept));
        Ok(Box::new(BuggyFeed { inner: Some(inner), bug, held: None, given: 0, kept }))
    }

    async fn drain(&self, within: Duration) -> Result<()> {
        match self.bug {
            Bug::IgnoresDrains => Ok(()),
            _ => self.inner.drain(within).await,
        }
    }

    fn connection(&self) -> Connection {
        match self.bug {
            Bug::NeverComesUp => Connection::new(ConnectionState::connecting(1)).1,
            _ => self.inner.connection(),
        }
    }

    fn capabilities(&self) -> BrokerCapabilities {
        match self.bug {
            Bug::DeclaresNothing | Bug::CanDoNothing => BrokerCapabilities::none(),
            _ => self.inner.capabilities(),
        }
    }
}

#[derive(Debug)]
struct BuggyFeed {
    inner: Option<Box<dyn Feed>>,
    bug: Bug,
    held: Option<Incoming>,
    given: u64,
    kept: Arc<Mutex<Vec<Box<dyn Feed>>>>,
}

impl BuggyFeed {
    fn inner(&mut self) -> &mut dyn Feed {
        &mut **self.inner.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for BuggyFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming>>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(Ok(held)));
        }
        loop {
            let came = match self.inner().poll_next(cx) {
                Poll::Ready(Some(Ok(came))) => came,
                other => return other,
            };
            self.given += 1;
            match self.bug {
                Bug::FallsSilent if self.given > 350 => return Poll::Pending,
                Bug::HidesGaps if matches!(came, Incoming::Gap(_)) => continue,
                Bug::Doubles => self.held = Some(came.clone()),
                Bug::Swaps if self.given == 1 => {
                    let first = came;
                    let Poll::Ready(Some(Ok(second))) = self.inner().poll_next(cx) else { panic!("one is not enough") };
                    self.held = Some(first);
                    return Poll::Ready(Some(Ok(second)));
                }
                _ => {}
            }
            return Poll::Ready(Some(Ok(came)));
        }
    }

    fn begins_after(&self) -> Option<Cursor> {
        let began = self.inner.as_ref()?.begins_after()?;
        Some(if self.bug == Bug::ForgetsBeginnings { Cursor::new(began.epoch(), 0) } else { began })
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        let inner = self.inner.as_ref()?.settle()?;
        Some(Arc::new(BuggySettle { inner, bug: self.bug }))
    }

    fn drain(&mut self) {
        if self.bug != Bug::IgnoresDrains {
            self.inner().drain();
        }
    }

    fn counts(&self) -> FeedCounts {
        self.inner.as_ref().map(|inner| inner.counts()).unwrap_or_default()
    }
}

impl Drop for BuggyFeed {
    fn drop(&mut self) {
        if self.bug == Bug::KeepsFeeds {
            self.kept.lock().unwrap().extend(self.inner.take());
        }
    }
}

#[derive(Debug)]
struct BuggySettle {
    inner: Arc<dyn Settle>,
    bug: Bug,
}

#[async_trait]
impl Settle for BuggySettle {
    async fn settle(&self, cursor: Cursor, delivery: u32, outcome: Outcome) -> Result<()> {
        let outcome = match (self.bug, outcome) {
            (Bug::IgnoresAcks, Outcome::Ack) | (Bug::IgnoresProgress, Outcome::Progress) => return Ok(()),
            (Bug::RefusesAtOnce, Outcome::Nack(_)) => Outcome::Nack(Duration::ZERO),
            (Bug::LetsRefusedGo, Outcome::Nack(_)) => Outcome::Ack,
            (_, outcome) => outcome,
        };
        self.inner.settle(cursor, delivery, outcome).await
    }
}
