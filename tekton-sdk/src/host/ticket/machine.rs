//! Which tickets are good, for whom, and how long. Pure.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::context::Identity;

/// How many tickets one identity has at once; one more, and its oldest is good no more.
pub(super) const MAX_OF_ONE: usize = 32;

/// What a ticket is known by: its hash. The store holds no ticket, and how long a look takes says nothing about one.
pub(super) type Mark = [u8; 32];

/// Why a ticket is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was used, is too old, or was never given.
    Unknown,
    /// Pages of another origin asked for it.
    OtherOrigin,
}

/// Where a ticket is shown: the `Origin` and the `Host` of that request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) origin: Option<&'a str>,
    pub(super) host: Option<&'a str>,
}

/// The tickets that are good.
#[derive(Debug)]
pub(super) struct Machine {
    life: Duration,
    most: usize,
    given: u64,
    held: HashMap<Mark, Held>,
    /// The oldest first; all live equally long, so that is also who ends first.
    by_age: BTreeMap<u64, Mark>,
    /// The numbers of each identity's, the oldest first.
    of: HashMap<Identity, VecDeque<u64>>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    who: Identity,
    origin: Option<Box<str>>,
    until: Instant,
}

impl Machine {
    pub(super) fn new(life: Duration, most: usize) -> Self {
        Self { life, most: most.max(1), given: 0, held: HashMap::new(), by_age: BTreeMap::new(), of: HashMap::new() }
    }

    /// Remembers a ticket: for whom it is, and which origin's page asked for it, if one did.
    pub(super) fn give(&mut self, now: Instant, mark: Mark, who: Identity, origin: Option<&str>) {
        self.forget_old(now);
        let own = self.of.get(&who);
        let oldest = match own.filter(|own| own.len() >= MAX_OF_ONE) {
            Some(own) => own.front().copied(),
            None if self.held.len() >= self.most => self.by_age.first_key_value().map(|(number, _)| *number),
            None => None,
        };
        if let Some(mark) = oldest.and_then(|number| self.by_age.get(&number).copied()) {
            self.remove(&mark);
        }
        self.given += 1;
        let number = self.given;
        self.by_age.insert(number, mark);
        self.of.entry(who.clone()).or_default().push_back(number);
        // Nothing lasts longer than the clock can say.
        let until = now.checked_add(self.life).unwrap_or(now);
        self.held.insert(mark, Held { number, who, origin: origin.map(Into::into), until });
    }

    /// Takes a ticket: it is good no more, whatever comes of it.
    pub(super) fn take(&mut self, now: Instant, mark: &Mark, shown: Shown<'_>) -> Result<Identity, Refused> {
        self.forget_old(now);
        let Held { who, origin, .. } = self.remove(mark).ok_or(Refused::Unknown)?;
        let Some(bound) = origin else { return Ok(who) };
        let is_same = match shown.origin {
            Some(origin) => origin.eq_ignore_ascii_case(&bound),
            // A page says no origin where it asks its own host for something that it may read.
            None => shown.host.is_some_and(|host| {
                bound.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
            }),
        };
        if is_same { Ok(who) } else { Err(Refused::OtherOrigin) }
    }

    /// How many are good, but for those that have ended since it was last used.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((_, mark)) = self.by_age.first_key_value()
            && self.held.get(mark).is_none_or(|held| held.until <= now)
        {
            let mark = *mark;
            self.remove(&mark);
        }
    }

    fn remove(&mut self, mark: &Mark) -> Option<Held> {
        let held = self.held.remove(mark)?;
        self.by_age.remove(&held.number);
        if let Some(own) = self.of.get_mut(&held.who) {
            own.retain(|number| *number != held.number);
            if own.is_empty() {
                self.of.remove(&held.who);
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests;
