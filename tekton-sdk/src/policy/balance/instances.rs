//! The instances of one target, ready to be chosen from.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, RwLockReadGuard, atomic::Ordering},
    time::Instant,
};

use super::{
    Balancer, Picked, StickyKey,
    group::{Group, Member},
    machine::Moment,
    target::Target,
    view::View,
};
use crate::{
    contract::Entry,
    error::{Error, Result},
    telemetry::Event,
    transport::Tried,
};

/// The instances of one target, as [`Balancer::instances`] gives them; cheap to clone. They are made once for each answer of a
/// directory, and picked from for each call.
#[derive(Clone)]
pub struct Instances(Arc<Table>);

pub(super) struct Table {
    pub(super) balancer: Balancer,
    target: Arc<Target>,
    groups: Vec<Group>,
    /// Of which state of all weights it is.
    weighing: u64,
    /// Whether there is one instance and no more, so that there is nothing to choose.
    single: bool,
}

impl Instances {
    pub(super) fn new(balancer: &Balancer, name: &str, groups: &[Vec<&Entry>]) -> Result<Self> {
        let target = balancer.target(name);
        let weighing = balancer.0.weighings.load(Ordering::Acquire);
        let weights = target.weights();
        let (mut wrong, mut known) = (None, HashSet::new());
        let mut read = Vec::new();
        for group in groups {
            let mut members = Vec::with_capacity(group.len());
            // Two entries of one endpoint are one instance.
            for entry in group.iter().filter(|entry| known.insert(&*entry.endpoint)) {
                match balancer.instance(&entry.endpoint) {
                    Ok(instance) => members.push(Member::new(entry, instance, &weights)),
                    Err(error) => wrong = wrong.or(Some(error)),
                }
            }
            if !members.is_empty() {
                read.push(Group::new(members, &weights));
            }
        }
        if read.is_empty() {
            return Err(wrong.unwrap_or_else(|| Error::not_found(format!("{name} has no instance"))));
        }
        let single = matches!(&*read, [one] if one.members.len() == 1);
        target.count(read.first().map_or(0, |group| group.members.len()));
        Ok(Self(Arc::new(Table { balancer: balancer.clone(), target, groups: read, weighing, single })))
    }

    /// Picks one for a call; `None` never happens as long as there is any.
    #[must_use]
    pub fn pick(&self) -> Option<Picked> {
        self.pick_at(self.0.balancer.0.clock.now(), None, None)
    }

    /// Picks the one that this key keeps to, or who stands in for it.
    #[must_use]
    pub fn pick_sticky(&self, key: StickyKey) -> Option<Picked> {
        self.pick_at(self.0.balancer.0.clock.now(), Some(key), None)
    }

    /// Picks one at this moment, none of those that were tried where there is another.
    pub(crate) fn pick_at(&self, now: Instant, sticky: Option<StickyKey>, tried: Option<&Tried>) -> Option<Picked> {
        let moment = self.0.balancer.0.moment(now);
        let (group, member) = if self.0.single { (0, 0) } else { self.0.choose(moment, sticky, tried)? };
        Picked::new(Arc::clone(&self.0), group, member, moment)
    }

    /// Whether there is more than one to choose from.
    pub(crate) fn several(&self) -> bool {
        !self.0.single
    }

    /// Whether the weights are still those that it was made by.
    pub(crate) fn is_current(&self) -> bool {
        self.0.weighing == self.0.balancer.0.weighings.load(Ordering::Acquire)
    }
}

impl Table {
    pub(super) fn member(&self, group: usize, member: usize) -> Option<&Member> {
        self.place(group, member).map(|(_, member)| member)
    }

    pub(super) fn place(&self, group: usize, member: usize) -> Option<(&Group, &Member)> {
        let group = self.groups.get(group)?;
        Some((group, group.members.get(member)?))
    }

    pub(super) const fn is_single(&self) -> bool {
        self.single
    }

    pub(super) fn target(&self) -> &str {
        &self.target.name
    }

    fn choose(&self, now: Moment, sticky: Option<StickyKey>, tried: Option<&Tried>) -> Option<(usize, usize)> {
        let random = &self.balancer.0.random;
        if !self.balancer.0.config.enabled {
            return self.first(now);
        }
        for (at, group) in self.groups.iter().enumerate() {
            let view = self.view(at, group, now);
            if !view.eligible.is_empty() {
                return Some((at, group.choose(&view.eligible, now, sticky, tried, random)?));
            }
        }
        // Who fails may answer; who cannot be reached will not.
        for (at, group) in self.groups.iter().enumerate() {
            let view = self.view(at, group, now);
            if !view.spare.is_empty() {
                return Some((at, group.choose(&view.spare, now, sticky, tried, random)?));
            }
        }
        self.doubted_least(now)
    }

    /// The first that can be reached, in the directory's order.
    fn first(&self, now: Moment) -> Option<(usize, usize)> {
        for (at, group) in self.groups.iter().enumerate() {
            if let Some(place) = self.view(at, group, now).eligible.places.iter().min() {
                return Some((at, *place as usize));
            }
        }
        self.doubted_least(now)
    }

    fn doubted_least(&self, now: Moment) -> Option<(usize, usize)> {
        let least = |(at, group): (usize, &Group)| Some((group.doubted_least(now)?, at));
        self.groups.iter().enumerate().filter_map(least).min().map(|((_, place), at)| (at, place))
    }

    /// Whether it is kept out.
    pub(super) fn is_out(&self, group: usize, member: usize, now: Moment) -> bool {
        let place = u32::try_from(member).unwrap_or(u32::MAX);
        self.groups.get(group).is_some_and(|own| !self.view(group, own, now).eligible.has(place))
    }

    /// Whether it is kept out while another is called.
    pub(super) fn is_contained(&self, group: usize, member: usize, now: Moment) -> bool {
        let is_called = |(at, group): (usize, &Group)| !self.view(at, group, now).eligible.is_empty();
        self.is_out(group, member, now) && self.groups.iter().enumerate().any(is_called)
    }

    fn view<'a>(&'a self, at: usize, group: &'a Group, now: Moment) -> RwLockReadGuard<'a, View> {
        let shared = &self.balancer.0;
        let limits = (shared.config.max_ejected_percent, shared.config.panic_percent);
        let change = shared.changes.load(Ordering::Acquire);
        group.view(now, change, limits, |returned, view| self.tell(at == 0, group, returned, view))
    }

    fn tell(&self, first: bool, group: &Group, returned: &[usize], view: &View) {
        let (observers, target) = (&self.balancer.0.observers, self.target());
        for member in returned.iter().filter_map(|place| group.members.get(*place)) {
            observers.tell(&Event::Returned { target, endpoint: &member.instance.text });
        }
        let of = group.members.len();
        if first && self.target.see(of, view) {
            observers.tell(&Event::Panic { target, began: view.panic, well: view.well, of });
        }
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.0.groups.iter().map(|group| group.members.len());
        f.debug_struct("Instances")
            .field("target", &self.0.target())
            .field("groups", &members.collect::<Vec<_>>())
            .finish()
    }
}
