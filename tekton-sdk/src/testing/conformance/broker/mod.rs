//! The laws of a [`Broker`].

mod acks;
mod delivery;
mod drain;
mod history;
mod pressure;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use acks::*;
pub use delivery::*;
pub use drain::*;
pub use history::*;
pub use pressure::*;

use crate::{
    error::Result,
    patterns::events::{Broker, Delivery, Events, Gap, Heard, Subscribe, Subscription},
    time::SharedClock,
};

/// A fresh broker under test, on which nobody else publishes.
#[async_trait]
pub trait BrokerSubject: Send + Sync {
    /// The broker.
    fn broker(&self) -> Arc<dyn Broker>;

    /// The clock that it waits by.
    fn clock(&self) -> SharedClock;

    /// Lets so much time pass on that clock.
    async fn pass(&self, time: Duration);

    /// A broker in the place of this one, as after a restart: with its history and in its epoch, or with neither. Nothing if the
    /// subject cannot.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    async fn restarted(&self, with_history: bool) -> Result<Option<Arc<dyn Broker>>>;
}

/// Makes one `#[test]` of each law that a [`Broker`](crate::patterns::events::Broker) keeps.
///
/// The expression makes a fresh [`BrokerSubject`](crate::testing::conformance::broker::BrokerSubject) for each law; it may
/// `await`.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use async_trait::async_trait;
/// use tekton_sdk::{
///     Result,
///     patterns::events::{Broker, MemoryBroker, MemoryBrokerConfig},
///     random::Random,
///     testing::conformance::broker::BrokerSubject,
///     time::{ManualClock, SharedClock},
/// };
///
/// struct InMemory(MemoryBroker, ManualClock);
///
/// impl InMemory {
///     fn new() -> Self {
///         let clock = ManualClock::new();
///         let (config, shared) = (MemoryBrokerConfig::default(), SharedClock::new(clock.clone()));
///         Self(MemoryBroker::new(config, shared, &Random::new()).unwrap(), clock)
///     }
/// }
///
/// #[async_trait]
/// impl BrokerSubject for InMemory {
///     fn broker(&self) -> Arc<dyn Broker> {
///         Arc::new(self.0.clone())
///     }
///
///     fn clock(&self) -> SharedClock {
///         SharedClock::new(self.1.clone())
///     }
///
///     async fn pass(&self, time: Duration) {
///         self.1.advance(time);
///     }
///
///     async fn restarted(&self, with_history: bool) -> Result<Option<Arc<dyn Broker>>> {
///         let config = MemoryBrokerConfig::default();
///         let broker = match with_history {
///             true => MemoryBroker::resumed(config, self.clock(), self.0.history())?,
///             false => MemoryBroker::new(config, self.clock(), &Random::new())?,
///         };
///         Ok(Some(Arc::new(broker)))
///     }
/// }
///
/// mod memory {
///     tekton_sdk::broker_conformance!(super::InMemory::new());
/// }
/// ```
#[macro_export]
macro_rules! broker_conformance {
    ($make:expr) => {
        $crate::__laws! { broker, $make;
            an_event_arrives_as_it_was_published
            events_come_in_their_order
            every_subscription_hears_every_event
            a_star_is_one_token_and_a_tail_one_or_more
            an_event_that_two_filters_match_comes_once
            what_was_published_before_is_not_heard
            a_dropped_subscription_is_no_burden
            cursors_rise_and_a_receipt_has_the_events
            an_id_that_is_published_twice_is_heard_once
            what_is_too_large_is_refused_and_nobody_hears_it
            what_is_not_declared_is_rejected
            a_connection_is_up
            what_followed_a_cursor_is_heard
            a_feed_that_was_lost_unheard_is_taken_up_where_it_began
            the_oldest_event_that_is_kept_is_heard_first
            what_was_published_since_a_time_is_heard
            a_replay_goes_over_to_what_is_published_without_a_hole
            another_epoch_is_a_gap_and_then_all_of_it
            a_restart_with_the_history_is_no_gap
            the_oldest_are_dropped_and_told_as_a_gap
            the_newest_are_dropped_and_told_as_a_gap
            a_subscription_that_is_to_fail_gives_what_waited_and_then_an_error
            of_each_key_the_latest_is_kept
            a_publisher_that_is_held_back_goes_on_when_there_is_room
            a_publisher_that_is_held_back_too_long_is_refused_and_nobody_hears_it
            a_slow_subscription_does_not_hold_others_up
            what_is_acknowledged_does_not_come_again
            what_is_refused_comes_again_after_its_time_with_its_number
            what_is_dropped_comes_again
            what_nobody_settles_comes_again_when_its_time_is_over
            what_is_under_way_has_its_whole_time_again
            no_more_are_handed_over_than_may_be_unsettled
            an_event_is_let_go_when_its_dead_letter_stands
            without_its_dead_letter_an_event_is_not_let_go
            members_of_a_group_share_the_events
            what_a_lost_member_had_goes_to_another
            a_group_is_joined_with_the_same_settings_only
            a_drained_subscription_gives_what_waits_and_ends
            a_drained_broker_gives_what_waits_and_takes_nothing_more
            a_drain_that_takes_too_long_says_what_is_left
        }
    };
}

const LONG: Duration = Duration::from_secs(3600);

fn events<S: BrokerSubject + ?Sized>(subject: &S) -> Events {
    Events::shared(subject.broker(), subject.clock())
}

async fn begin<T: 'static>(subscribe: Subscribe<T>) -> Subscription<T> {
    subscribe.await.unwrap_or_else(|error| panic!("the subscription begins: {}", error.report()))
}

async fn publish(events: &Events, topic: &str, data: u64) {
    let publisher = events.publisher(topic).expect("the law's topic is one");
    publisher.send(&data).await.unwrap_or_else(|error| panic!("{topic} is published: {}", error.report()));
}

async fn heard<T>(subscription: &mut Subscription<T>) -> Heard<T> {
    match subscription.next().await {
        Some(Ok(heard)) => heard,
        Some(Err(error)) => panic!("expected something to be heard, got {}", error.report()),
        None => panic!("expected something to be heard, and the subscription ended"),
    }
}

async fn event<T>(subscription: &mut Subscription<T>) -> Delivery<T> {
    match heard(subscription).await {
        Heard::Event(event) => event,
        Heard::Gap(gap) => panic!("expected an event, got {gap:?}"),
    }
}

async fn gap<T: std::fmt::Debug>(subscription: &mut Subscription<T>) -> Gap {
    match heard(subscription).await {
        Heard::Gap(gap) => gap,
        Heard::Event(event) => panic!("expected a gap, got {event:?}"),
    }
}

/// Hears an event with this number as its data, and acknowledges it.
async fn expect(subscription: &mut Subscription<u64>, wanted: u64) {
    let event = event(subscription).await;
    assert_eq!(event.data().expect("it is a number"), wanted);
    event.ack().await.unwrap_or_else(|error| panic!("{wanted} is acknowledged: {}", error.report()));
}

async fn expect_all(subscription: &mut Subscription<u64>, wanted: impl IntoIterator<Item = u64>) {
    for wanted in wanted {
        expect(subscription, wanted).await;
    }
}
