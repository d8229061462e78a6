//! What a component listens to, as data.

use std::time::Duration;

use crate::{
    error::FieldError,
    patterns::events::{
        AckConfig, Backpressure, BrokerCapabilities, Events, HandlerConfig, Start, Subscribe, Topic, TopicFilter,
    },
};

/// How long a subscription waits for what became of an event after its call must have ended.
const GRACE: Duration = Duration::from_secs(5);
/// How many filters one subscription has at most.
const MAX_TOPICS: usize = crate::patterns::events::Interest::MAX_FILTERS;

/// What a component listens to, and how: what a table of [`Listeners`](super::Listeners) has for each.
///
/// Unless told otherwise, events are acknowledged, and all instances of the component share them: each goes to one of them, one
/// at a time, and comes again until it is done with.
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::host::Listener;
///
/// const ORDERS: Listener =
///     Listener::new("on_order", &["orders.*"]).dead_letters("dead.orders", 5).timeout(Duration::from_secs(5));
/// assert_eq!(ORDERS.topics, ["orders.*"]);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it is called; one of the component's.
    pub name: &'static str,
    /// The topics, `*` standing for one token and a last `>` for one or more.
    pub topics: &'static [&'static str],
    /// The group whose members share the events. Default: one of the component's instances, `<component>:<name>`.
    pub group: Group,
    /// Whether an event comes again until it is done with. Default: yes.
    pub acked: bool,
    /// Where an event goes that was handed over so many times. Default: nowhere, it comes again and again.
    pub dead_letters: Option<(&'static str, u32)>,
    /// How many events are handled at once. Default: 1, which keeps them in order.
    pub concurrency: usize,
    /// How long one may take. Default: 30 s.
    pub timeout: Duration,
    /// Where it begins when the component starts. Default: with new events.
    pub start: Start,
    /// What happens when its queue is full. Default: the oldest event is dropped, and told as a gap.
    pub when_full: Backpressure,
    /// How many events wait at most. Default: 1024.
    pub capacity: usize,
}

/// With whom a listener shares its events.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// With the other instances of the component.
    #[default]
    Instances,
    /// With whoever is in the group of this name.
    Named(&'static str),
    /// With nobody: every instance hears everything.
    Nobody,
}

impl Listener {
    /// A listener of this name to these topics.
    #[must_use]
    pub const fn new(name: &'static str, topics: &'static [&'static str]) -> Self {
        Self {
            name,
            topics,
            group: Group::Instances,
            acked: true,
            dead_letters: None,
            concurrency: 1,
            timeout: Duration::from_secs(30),
            start: Start::New,
            when_full: Backpressure::DropOldest,
            capacity: 1024,
        }
    }

    /// Shares its events with the group of this name.
    #[must_use]
    pub const fn group(mut self, name: &'static str) -> Self {
        self.group = Group::Named(name);
        self
    }

    /// Lets every instance of the component hear everything.
    #[must_use]
    pub const fn every_instance(mut self) -> Self {
        self.group = Group::Nobody;
        self
    }

    /// Says whether an event comes again until it is done with.
    #[must_use]
    pub const fn acked(mut self, acked: bool) -> Self {
        self.acked = acked;
        self
    }

    /// Hands an event over so many times at most, then publishes it on this topic.
    #[must_use]
    pub const fn dead_letters(mut self, topic: &'static str, after: u32) -> Self {
        self.dead_letters = Some((topic, after));
        self
    }

    /// Handles so many events at once.
    #[must_use]
    pub const fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Sets how long one event may take.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Begins here when the component starts.
    #[must_use]
    pub const fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Says what happens when its queue is full.
    #[must_use]
    pub const fn when_full(mut self, policy: Backpressure) -> Self {
        self.when_full = policy;
        self
    }

    /// Sets how many events wait at most.
    #[must_use]
    pub const fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// The name of its group, in this component.
    pub(super) fn group_of(&self, component: &str) -> Option<String> {
        match self.group {
            Group::Instances => Some(format!("{component}:{}", self.name)),
            Group::Named(name) => Some(name.to_owned()),
            Group::Nobody => None,
        }
    }

    pub(super) const fn handler(&self) -> HandlerConfig {
        HandlerConfig { concurrency: self.concurrency, timeout: self.timeout }
    }

    /// Its subscription, from this place on.
    pub(super) fn subscribe(&self, events: &Events, component: &str, start: Start) -> Subscribe<()> {
        let mut subscribe =
            events.subscribe_all(self.topics).start(start).when_full(self.when_full).capacity(self.capacity);
        if let Some(group) = self.group_of(component) {
            subscribe = subscribe.group(group);
        }
        if self.acked {
            let wait = self.timeout.saturating_add(GRACE);
            let acks = AckConfig::default().with_wait(wait).with_max_unsettled(self.concurrency.max(256));
            subscribe = subscribe.acks(acks);
        }
        match self.dead_letters {
            Some((topic, after)) => subscribe.dead_letters(topic, after),
            None => subscribe,
        }
    }

    /// Everything that is wrong with it, on a broker that can do this.
    pub(super) fn problems(&self, can: BrokerCapabilities) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut note = |what: String| wrong.push(FieldError::new(format!("listeners.{}", self.name), what));
        if self.topics.is_empty() {
            note("listens to nothing; name a topic".to_owned());
        }
        if self.topics.len() > MAX_TOPICS {
            note(format!("listens to {} topics, at most {MAX_TOPICS} are allowed", self.topics.len()));
        }
        let filters: Vec<_> = self.topics.iter().map(|topic| TopicFilter::parse(topic)).collect();
        for filter in &filters {
            if let Err(error) = filter {
                note(error.to_string());
            }
        }
        match self.dead_letters.map(|(topic, after)| (Topic::parse(topic), after)) {
            Some(_) if !self.acked => note("dead letters need acknowledgements; leave one of them out".to_owned()),
            Some((_, 0)) => note("dead letters are written after at least 1 delivery".to_owned()),
            Some((Err(error), _)) => note(error.to_string()),
            Some((Ok(topic), _)) if filters.iter().flatten().any(|filter| filter.matches(&topic)) => {
                note(format!("hears its own dead letters on {topic}; write them elsewhere"));
            }
            _ => {}
        }
        for (is_zero, what) in [
            (self.concurrency == 0, "concurrency"),
            (self.timeout.is_zero(), "timeout"),
            (self.capacity == 0, "capacity"),
        ] {
            if is_zero {
                note(format!("its {what} must be more than 0"));
            }
        }
        for (is_needed, has, what) in [
            (self.acked, can.acks, "has no acknowledgements; switch them off"),
            (!matches!(self.group, Group::Nobody), can.groups, "has no groups; let every instance hear it"),
            (!matches!(self.start, Start::New), can.history, "keeps no history; begin with new events"),
            (
                matches!(self.when_full, Backpressure::Block),
                can.holds_back,
                "holds no publisher back; choose otherwise",
            ),
        ] {
            if is_needed && !has {
                note(format!("the broker {what}"));
            }
        }
        wrong
    }
}
