//! Instances that are called alike, and the choice among them.

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicU64, Ordering},
};

use super::{
    StickyKey, Weights,
    instance::Instance,
    machine::{Moment, PENALTY},
    sticky::hash,
    view::{Lot, Seen, View, view},
};
use crate::{contract::Entry, random::Random, transport::Tried};

/// How many outcomes a success rate is made of before it counts.
const MIN_OUTCOMES: u32 = 20;
/// How many instances must have as many before one of them is compared with the others.
const MIN_INSTANCES: usize = 3;
/// How far below the mean of the others a success rate is that ejects: four standard deviations, where it is widest.
const TOO_LOW: f64 = 0.25;
/// How often all instances of a group are compared at most.
const COMPARED_EVERY: u64 = 1_000_000_000;

/// One instance in a group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance: Arc<Instance>,
    /// Of its id: a restart at another port keeps its sticky keys.
    id: u64,
    share: usize,
}

impl Member {
    pub(super) fn new(entry: &Entry, instance: Arc<Instance>, weights: &Weights) -> Self {
        Self { instance, id: hash(entry.id.as_bytes()), share: weights.place(entry) }
    }
}

/// Which part of the calls goes to which part of the members.
#[derive(Debug)]
struct Share {
    percent: u32,
    /// Of its key, so that a sticky key stays with it when others come or go.
    hash: u64,
}

/// Instances that are called alike.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    shares: Vec<Share>,
    /// Where the members of each share end.
    ends: Vec<usize>,
    view: RwLock<View>,
    compared: AtomicU64,
    /// The mean latency of the slowest, in nanoseconds.
    slowest: AtomicU64,
}

impl Group {
    pub(super) fn new(mut members: Vec<Member>, weights: &Weights) -> Self {
        // The sort is stable: within a share the order stays.
        members.sort_by_key(|member| member.share);
        let shares: Vec<Share> =
            weights.shares().map(|(key, percent)| Share { percent, hash: hash(key.as_bytes()) }).collect();
        let ends = (0..shares.len()).map(|share| members.partition_point(|member| member.share <= share)).collect();
        let (view, none) = (RwLock::new(View { until: 0, ..View::default() }), AtomicU64::new(0));
        Self { members, shares, ends, view, compared: AtomicU64::new(0), slowest: none }
    }

    /// Who is called now. Where that has changed, `tell` hears of who has returned, and of the new view.
    pub(super) fn view(
        &self,
        now: Moment,
        change: u64,
        limits: (u32, u32),
        tell: impl FnOnce(&[usize], &View),
    ) -> RwLockReadGuard<'_, View> {
        let current = self.view.read().unwrap_or_else(PoisonError::into_inner);
        if current.of_change == change && now < current.until {
            return current;
        }
        drop(current);
        let mut returned = Vec::new();
        let mut look = |(place, member): (usize, &Member)| {
            let (has_returned, seen) = member.instance.turn(now);
            if has_returned {
                returned.push(place);
            }
            seen
        };
        let seen: Vec<Seen> = self.members.iter().enumerate().map(&mut look).collect();
        let mut fresh = view(&seen, &self.ends, now, limits.0, limits.1);
        fresh.of_change = change;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        tell(&returned, &view);
        view
    }

    /// One of these: for a sticky key the one it is drawn to, else of two at random the one with less to do.
    pub(super) fn choose(
        &self,
        lot: &Lot,
        now: Moment,
        sticky: Option<StickyKey>,
        tried: Option<&Tried>,
        random: &Random,
    ) -> Option<usize> {
        let tried = tried.filter(|tried| !tried.is_empty());
        let untried = tried.map(|tried| self.without(lot, tried)).filter(|left| !left.is_empty());
        let lot = untried.as_ref().unwrap_or(lot);
        match sticky {
            Some(key) => self.drawn(lot, key),
            None => self.less_loaded(lot, now, random),
        }
    }

    fn without(&self, lot: &Lot, tried: &Tried) -> Lot {
        let is_tried = |place: usize| self.members.get(place).is_some_and(|member| tried.has(member.instance.mark));
        Lot::of(&self.ends, |place| u32::try_from(place).is_ok_and(|at| lot.has(at)) && !is_tried(place))
    }

    fn less_loaded(&self, lot: &Lot, now: Moment, random: &Random) -> Option<usize> {
        let places = if self.shares.len() == 1 { &lot.places } else { lot.part(self.draw_share(lot, random)?) };
        let place = |at: usize| places.get(at).map(|place| *place as usize);
        if places.len() < 2 {
            return place(0);
        }
        let (one, other) = two_of(places.len(), random.next_u64());
        let (one, other) = (place(one)?, place(other)?);
        let load = |place: usize| self.members.get(place).map(|member| member.instance.load(now));
        Some(if load(other)? < load(one)? { other } else { one })
    }

    /// A share that has somebody in it, by the weights of those that have.
    fn draw_share(&self, lot: &Lot, random: &Random) -> Option<usize> {
        let there = || self.shares.iter().enumerate().filter(|(share, _)| !lot.part(*share).is_empty());
        let sum: u64 = there().map(|(_, share)| u64::from(share.percent)).sum();
        if sum == 0 {
            return there().next().map(|(share, _)| share);
        }
        let mut drawn = below(sum, random.next_u64());
        for (place, share) in there() {
            match drawn.checked_sub(share.percent.into()) {
                Some(left) => drawn = left,
                None => return Some(place),
            }
        }
        None
    }

    fn drawn(&self, lot: &Lot, key: StickyKey) -> Option<usize> {
        let there = self.shares.iter().enumerate().filter(|(share, _)| !lot.part(*share).is_empty());
        let draw = |(_, share): &(usize, &Share)| key.weighted_draw(share.hash, share.percent);
        let (share, _) = there.max_by(|a, b| draw(a).total_cmp(&draw(b)))?;
        let places = lot.part(share).iter().map(|place| *place as usize);
        places.max_by_key(|place| self.members.get(*place).map(|member| key.draw(member.id)))
    }

    /// How long a failure counts as having taken at least: twice as long as the slowest takes, so that failing fast is no merit.
    pub(super) fn penalty(&self) -> u64 {
        self.slowest.load(Ordering::Relaxed).saturating_mul(2).max(PENALTY)
    }

    /// Compares all instances, once a second at most: who succeeds far less often than the others?
    pub(super) fn outliers(&self, now: Moment) -> Vec<usize> {
        let compared = self.compared.load(Ordering::Relaxed);
        if compared != 0 && now.saturating_sub(compared) < COMPARED_EVERY
            || self.compared.compare_exchange(compared, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Vec::new();
        }
        let (mut slowest, mut rates) = (0.0_f64, Vec::new());
        for (place, member) in self.members.iter().enumerate() {
            let (latency, rate) = member.instance.judged(MIN_OUTCOMES);
            slowest = slowest.max(latency);
            rates.extend(rate.map(|rate| (place, rate)));
        }
        self.slowest.store(slowest as u64, Ordering::Relaxed);
        if rates.len() < MIN_INSTANCES {
            return Vec::new();
        }
        let sum: f64 = rates.iter().map(|(_, rate)| rate).sum();
        let others = (rates.len() - 1) as f64;
        let too_low = |rate: f64| (sum - rate) / others - rate > TOO_LOW;
        rates.into_iter().filter(|(_, rate)| too_low(*rate)).map(|(place, _)| place).collect()
    }

    /// The one that is doubted no longer than any other.
    pub(super) fn doubted_least(&self, now: Moment) -> Option<(Moment, usize)> {
        let until = |member: &Member| member.instance.turn(now).1.doubted_until;
        self.members.iter().enumerate().map(|(place, member)| (until(member), place)).min()
    }
}

/// A number below `most`, from a random one.
fn below(most: u64, random: u64) -> u64 {
    ((u128::from(random) * u128::from(most)) >> 64) as u64
}

/// Two different numbers below `count`, which is at least 2.
fn two_of(count: usize, random: u64) -> (usize, usize) {
    let scaled = |half: u64, count: usize| ((half * count as u64) >> 32) as usize;
    let one = scaled(random >> 32, count);
    let other = scaled(random & u64::from(u32::MAX), count - 1);
    (one, other + usize::from(other >= one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_different_and_every_pair_comes_about_as_often() {
        let random = Random::seeded(1);
        let mut pairs = [[0_u32; 5]; 5];
        for _ in 0..20_000 {
            let (one, other) = two_of(5, random.next_u64());
            pairs[one][other] += 1;
        }
        for (one, row) in pairs.iter().enumerate() {
            for (other, count) in row.iter().enumerate() {
                assert!(if one == other { *count == 0 } else { (800..1200).contains(count) }, "{pairs:?}");
            }
        }
        assert_eq!((two_of(2, 0), two_of(2, u64::MAX)), ((0, 1), (1, 0)));
    }
}
