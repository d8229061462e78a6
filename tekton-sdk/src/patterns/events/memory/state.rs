//! Who listens to what, and what was published: the part of a broker that is under one lock.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use foldhash::fast::RandomState;

use super::{
    super::{Cursor, Gap, GapReason, Interest, Published, Start, Topic, trie::Trie},
    MemoryBrokerConfig,
    channel::{After, Channel, Member},
    history::History,
};
use crate::error::{Error, ErrorKind, Result};

/// For how many topics it is remembered who listens.
const MAX_ROUTES: usize = 16_384;
/// How many events of the history are looked at, and taken, under one lock.
const LOOK: usize = 512;
const TAKE: usize = 64;

#[derive(Debug)]
pub(super) struct State {
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) history: History,
    pub(super) channels: HashMap<u64, Arc<Channel>, RandomState>,
    pub(super) phase: Phase,
    trie: Trie<Arc<Channel>>,
    routes: HashMap<Topic, Route, RandomState>,
    groups: HashMap<String, Arc<Channel>, RandomState>,
    next_id: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Draining,
    Closed,
}

/// Who listens to a topic.
#[derive(Debug)]
struct Route {
    channels: Box<[Arc<Channel>]>,
    /// Whether one of them holds publishers back.
    blocks: bool,
}

/// What came of an attempt to publish.
pub(super) enum Tried {
    Published(Cursor),
    /// This subscription has no room for the event.
    Full(Arc<Channel>, Arc<Published>),
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the broker is drained and takes nothing more")
}

impl State {
    pub(super) fn new(config: &MemoryBrokerConfig, epoch: u64) -> Self {
        Self {
            epoch,
            sequence: 0,
            history: History::new(config.history_events, config.history_bytes, config.history_age),
            channels: HashMap::default(),
            phase: Phase::Open,
            trie: Trie::new(),
            routes: HashMap::default(),
            groups: HashMap::default(),
            next_id: 0,
        }
    }

    const fn cursor(&self, sequence: u64) -> Cursor {
        Cursor::new(self.epoch, sequence)
    }

    /// The sequence of the oldest event that is kept, or of the next one to come.
    fn first(&self) -> u64 {
        self.history.first().unwrap_or(self.sequence + 1)
    }

    /// Gives an event that nobody has yet its place and its time, and hands it to everybody who listens; or gives it back with the one
    /// who has no room.
    pub(super) fn publish(
        &mut self,
        mut event: Arc<Published>,
        bytes: usize,
        time: SystemTime,
        after: &mut After,
    ) -> Result<Tried> {
        if self.phase != Phase::Open {
            return Err(closed());
        }
        let topic = event.message.topic();
        let route = match self.routes.get(topic) {
            Some(route) => route,
            None => {
                self.learn(topic);
                self.routes.get(topic).expect("it was learned this moment")
            }
        };
        if route.blocks {
            let full = |channel: &&Arc<Channel>| channel.blocks() && !channel.lock().buffer.has_room(bytes);
            if let Some(full) = route.channels.iter().find(full) {
                return Ok(Tried::Full(Arc::clone(full), event));
            }
        }
        let cursor = Cursor::new(self.epoch, self.sequence + 1);
        let Some(placed) = Arc::get_mut(&mut event) else {
            return Err(Error::internal("an event was handed out before it was published"));
        };
        (placed.cursor, placed.time) = (cursor, time);
        self.sequence += 1;
        self.history.push(&event);
        for channel in &route.channels {
            channel.push(&event, after);
        }
        Ok(Tried::Published(cursor))
    }

    /// Looks up who listens to a topic.
    fn learn(&mut self, topic: &Topic) {
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        let mut channels: Vec<Arc<Channel>> = Vec::new();
        self.trie.each(topic, |channel| channels.push(Arc::clone(channel)));
        // A topic that several filters of one subscription match.
        channels.sort_unstable_by_key(|channel| channel.id);
        channels.dedup_by_key(|channel| channel.id);
        let blocks = channels.iter().any(|channel| channel.blocks());
        self.routes.insert(topic.clone(), Route { channels: channels.into(), blocks });
    }

    /// Adds a subscription, or a member to a group that is there. Gives the queue, the member's id, and the place after which it
    /// begins.
    pub(super) fn subscribe(
        &mut self,
        interest: Interest,
        config: &MemoryBrokerConfig,
        now: SystemTime,
    ) -> Result<(Arc<Channel>, u64, Option<Cursor>)> {
        if self.phase != Phase::Open {
            return Err(closed());
        }
        self.next_id += 1;
        let id = self.next_id;
        let member = Member { id, waker: None };
        if let Some(group) = interest.group.as_ref().and_then(|name| self.groups.get(name)) {
            if group.interest.filters != interest.filters || group.interest.acks != interest.acks {
                let name = interest.group.unwrap_or_default();
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "the group {name:?} listens to other topics or acknowledges otherwise: join it with the same settings"
                    ),
                ));
            }
            group.lock().members.push(member);
            return Ok((Arc::clone(group), id, None));
        }
        let full = |what: &str, most: usize| {
            Err(Error::new(ErrorKind::Rejected, format!("the broker holds {most} {what}, no more are allowed")))
        };
        if self.channels.len() >= config.max_subscriptions {
            return full("subscriptions", config.max_subscriptions);
        }
        let stars = interest.filters.iter().flat_map(|filter| filter.tokens()).filter(|token| *token == "*").count();
        if self.trie.stars() + stars > config.max_stars {
            return full("stars in filters", config.max_stars);
        }
        self.history.expire(now);
        let (gap, replay) = self.begin(interest.start);
        let after = replay.map_or(self.sequence, |replay| replay.saturating_sub(1));
        let channel = Arc::new(Channel::new(id, interest, after, config.slow_window));
        {
            let mut inner = channel.lock();
            inner.members.push(member);
            if gap.is_some() || replay.is_some() {
                let past = inner.past();
                (past.gap, past.replay) = (gap, replay);
            }
        }
        if let Some(name) = &channel.interest.group {
            self.groups.insert(name.clone(), Arc::clone(&channel));
        }
        self.channels.insert(id, Arc::clone(&channel));
        if replay.is_none() {
            self.listen(&channel);
        }
        Ok((channel, id, gap.is_none().then(|| self.cursor(after))))
    }

    /// What a subscription is told first, and which event of the history comes next to it.
    fn begin(&self, start: Start) -> (Option<Gap>, Option<u64>) {
        let (first, end) = (self.first(), self.sequence + 1);
        let lost = |from: Cursor, reason| Some(Gap::new(from, self.cursor(first - 1), reason));
        let (gap, next) = match start {
            Start::New => (None, end),
            Start::Oldest => (None, first),
            Start::After(cursor) if cursor.epoch() != self.epoch => (lost(cursor, GapReason::Restarted), first),
            Start::After(cursor) if cursor.sequence() >= end => {
                (Some(Gap::new(cursor, self.cursor(self.sequence), GapReason::Restarted)), end)
            }
            Start::After(cursor) if cursor.sequence() + 1 < first => (lost(cursor, GapReason::Expired), first),
            Start::After(cursor) => (None, cursor.sequence() + 1),
            Start::At(time) => {
                let next = self.history.first_at(time).unwrap_or(end);
                // What was published since and is not kept any more is not known.
                let before = next == first && first > 1 && !self.reaches_back_to(time);
                (before.then(|| lost(self.cursor(0), GapReason::Expired)).flatten(), next)
            }
        };
        (gap, (next < end).then_some(next))
    }

    /// Whether an event from before this time is kept.
    fn reaches_back_to(&self, time: SystemTime) -> bool {
        self.history.from(0).next().is_some_and(|oldest| oldest.time < time)
    }

    /// From now on events come as they are published.
    fn listen(&mut self, channel: &Arc<Channel>) {
        for filter in &channel.interest.filters {
            self.trie.insert(filter, Arc::clone(channel));
        }
        self.routes.clear();
    }

    /// Nothing comes any more.
    pub(super) fn hush(&mut self, channel: &Channel) {
        for filter in &channel.interest.filters {
            self.trie.remove(filter, |other| other.id == channel.id);
        }
        self.routes.clear();
    }

    /// Forgets a subscription without members.
    pub(super) fn forget(&mut self, channel: &Channel) {
        self.hush(channel);
        self.channels.remove(&channel.id);
        if let Some(name) = &channel.interest.group {
            self.groups.remove(name);
        }
    }

    /// Reads some more of the history into the backlog, and goes over to what is published at its end. Gives whether there is
    /// anything to be had now, or more to be read.
    pub(super) fn refill(&mut self, channel: &Arc<Channel>, now: SystemTime) -> bool {
        self.history.expire(now);
        let mut inner = channel.lock();
        let Some(next) = inner.replay() else { return !inner.buffer.is_empty() };
        let first = self.first();
        if next < first {
            let past = inner.past();
            past.gap = Some(Gap::new(self.cursor(next - 1), self.cursor(first - 1), GapReason::Expired));
            past.replay = Some(first);
            inner.buffer.passed(first - 1);
            return true;
        }
        let past = inner.past();
        let mut reached = next;
        for event in self.history.from(next).take(LOOK) {
            if past.backlog.len() == TAKE {
                break;
            }
            reached += 1;
            if channel.interest.matches(event.message.topic()) {
                past.backlog.push_back(Arc::clone(event));
            }
        }
        if reached <= self.sequence {
            past.replay = Some(reached);
            return true;
        }
        let found = !past.backlog.is_empty();
        inner.end_replay();
        inner.buffer.passed(self.sequence);
        drop(inner);
        if self.phase == Phase::Open {
            self.listen(channel);
        }
        found
    }
}
