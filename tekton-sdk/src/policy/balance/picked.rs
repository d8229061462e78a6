//! A call that is under way to an instance.

use std::{fmt, sync::Arc, time::Instant};

use super::{
    group::{Group, Member},
    instances::Table,
    machine::{Effect, Moment, Outcome},
};
use crate::{
    error::Verdict,
    telemetry::Event,
    transport::{CallInfo, Endpoint, Tried},
};

/// An instance that was picked for a call: the call counts as under way until this is dropped.
///
/// Dropped without a verdict, the call was given up: that says no more than that it would have taken longer.
#[must_use = "dropped at once, the call counts as given up"]
pub struct Picked {
    table: Arc<Table>,
    group: usize,
    member: usize,
    began: Moment,
    settled: bool,
    /// Given up at this time or later, the instance was too slow; 0 is never.
    ends: Moment,
    attempt: u32,
    /// Where it is said that a failure is contained.
    tried: Option<Tried>,
}

impl Picked {
    pub(super) fn new(table: Arc<Table>, group: usize, member: usize, now: Moment) -> Option<Self> {
        table.member(group, member)?.instance.begin(now);
        Some(Self { table, group, member, began: now, settled: false, ends: 0, attempt: 1, tried: None })
    }

    /// Makes it an attempt of this call: it is one of those that were tried, and ends when the call or the attempt does.
    pub(crate) fn within(mut self, call: &CallInfo) -> Self {
        let deadline = call.gives_up.map(|gives_up| gives_up.earlier(call.deadline)).or(call.deadline);
        self.ends = deadline.map_or(0, |deadline| self.table.balancer.0.moment(deadline.instant()));
        self.attempt = call.attempt;
        if let Some(tried) = &call.tried {
            tried.add(self.instance_mark());
            self.tried = Some(tried.clone());
        }
        self
    }

    /// Where the call goes.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.place().1.instance.endpoint
    }

    /// Ends the call: what it says about the instance.
    pub fn settle(self, verdict: Verdict) {
        let now = self.table.balancer.0.clock.now();
        self.settle_at(verdict, true, now);
    }

    /// Ends it at this moment; an instance that was not reached is doubted at once.
    pub(crate) fn settle_at(mut self, verdict: Verdict, reached: bool, now: Instant) {
        self.settled = true;
        let outcome = match verdict {
            Verdict::Success => Outcome::Well,
            Verdict::Failure if reached => Outcome::Failed,
            Verdict::Failure => Outcome::Unreached,
            Verdict::Ignored => return,
        };
        self.end(outcome, self.table.balancer.0.moment(now));
    }

    fn place(&self) -> (&Group, &Member) {
        self.table.place(self.group, self.member).expect("it was there when it was picked, and a table never changes")
    }

    pub(super) fn instance_mark(&self) -> u64 {
        self.place().1.instance.mark
    }

    fn end(&self, outcome: Outcome, now: Moment) {
        let ((group, member), shared) = (self.place(), &self.table.balancer.0);
        let failed = outcome != Outcome::Well;
        let terms = shared.terms(group.members.len() > 1, group.penalty(), failed);
        let took = now.saturating_sub(self.began);
        if let Some(effect) = member.instance.on(now, outcome, took, &terms) {
            self.follow(self.member, effect, now);
        }
        if !failed || self.table.is_single() {
            return;
        }
        if terms.failures.is_some() {
            for place in group.outliers(now) {
                let Some(outlier) = group.members.get(place) else { continue };
                self.follow(place, outlier.instance.eject(now, "success_rate", &terms), now);
            }
        }
        if let Some(tried) = self.tried.as_ref().filter(|_| self.table.is_contained(self.group, self.member, now)) {
            tried.contain(self.attempt);
        }
    }

    /// Lets everybody look again, and tells what has happened.
    fn follow(&self, member: usize, effect: Effect, now: Moment) {
        let (table, target) = (&self.table, self.table.target());
        table.balancer.0.changed();
        let Some((_, of)) = table.place(self.group, member) else { return };
        let (observers, endpoint) = (&table.balancer.0.observers, &*of.instance.text);
        match effect {
            Effect::Ejected { reason, wait } => {
                let out = table.is_out(self.group, member, now);
                observers.tell(&Event::Ejected { target, endpoint, reason, wait, out });
            }
            Effect::Returned => observers.tell(&Event::Returned { target, endpoint }),
            Effect::Doubted => {}
        }
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        if !self.settled {
            let now = self.table.balancer.0.now();
            if self.ends != 0 && now >= self.ends {
                self.end(Outcome::Failed, now);
            } else {
                self.place().1.instance.given_up(now, now.saturating_sub(self.began));
            }
        }
        self.place().1.instance.end();
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picked").field("endpoint", self.endpoint()).finish_non_exhaustive()
    }
}
