//! What is counted of calls, one set of cells for each source, target and endpoint.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    capped::{MAX_VALUES, short},
    cells::{Count, Timing},
};
use crate::{
    error::{ErrorKind, Verdict},
    telemetry::names::{ORIGINS, OTHER, OUTCOMES},
};

/// How many sources are told apart.
const MAX_SOURCES: usize = 16;
/// How many endpoints of one target are told apart.
pub(super) const MAX_ENDPOINTS: usize = 128;
/// How many combinations of source, target and endpoint are told apart.
pub(super) const MAX_SERIES: usize = 2048;

/// Source, target and endpoint.
pub(super) type Labels = [Arc<str>; 3];

/// The cells of one source, target and endpoint.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) calls: Timing,
    pub(super) attempts: Timing,
    pub(super) failures: [Count; ErrorKind::ALL.len()],
    pub(super) verdicts: [Count; 4],
    pub(super) hedges: [Count; OUTCOMES.len()],
    pub(super) stood_in: [Count; ORIGINS.len()],
}

impl Cells {
    pub(super) fn call(&self, took: Duration, failed: Option<ErrorKind>) {
        self.calls.observe(took);
        if let Some(count) = failed.and_then(|kind| self.failures.get(kind as usize)) {
            count.add();
        }
    }

    pub(super) fn hedged(&self, outcome: &str) {
        add(&OUTCOMES, &self.hedges, outcome);
    }

    pub(super) fn stood_in(&self, origin: &str) {
        add(&ORIGINS, &self.stood_in, origin);
    }

    pub(super) fn attempt(&self, took: Duration, verdict: Option<Verdict>) {
        self.attempts.observe(took);
        let place = match verdict {
            Some(Verdict::Success) => 0,
            Some(Verdict::Failure) => 1,
            Some(Verdict::Ignored) => 2,
            None => 3,
        };
        if let Some(count) = self.verdicts.get(place) {
            count.add();
        }
    }
}

fn add(names: &[&str], counts: &[Count], name: &str) {
    if let Some((_, count)) = names.iter().zip(counts).find(|(known, _)| **known == name) {
        count.add();
    }
}

/// The cells of all calls, bounded in number.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sources: HashSet<Arc<str>>,
    targets: HashMap<Arc<str>, HashSet<Arc<str>>>,
    cells: HashMap<Labels, Arc<Cells>>,
}

impl Calls {
    pub(super) fn of(&self, source: &str, target: &str, endpoint: &str) -> Arc<Cells> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = capped(&mut known.sources, source, MAX_SOURCES);
        let labels = known.place(source, target, endpoint);
        Arc::clone(known.cells.entry(labels).or_default())
    }

    /// Every set of cells with its labels.
    pub(super) fn all(&self) -> Vec<(Labels, Arc<Cells>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.cells.iter().map(|(labels, cells)| (labels.clone(), Arc::clone(cells))).collect()
    }
}

impl Known {
    fn place(&mut self, source: Arc<str>, target: &str, endpoint: &str) -> Labels {
        let rest = || [Arc::clone(&source), OTHER.into(), OTHER.into()];
        let target = short(target);
        let (target, endpoints) = match self.targets.get_key_value(target) {
            Some((known, _)) => (Arc::clone(known), self.targets.get_mut(target)),
            None if self.targets.len() >= MAX_VALUES => return rest(),
            None => {
                let name: Arc<str> = target.into();
                (Arc::clone(&name), Some(self.targets.entry(name).or_default()))
            }
        };
        let Some(endpoints) = endpoints else { return rest() };
        let labels = [Arc::clone(&source), target, capped(endpoints, endpoint, MAX_ENDPOINTS)];
        if self.cells.len() < MAX_SERIES || self.cells.contains_key(&labels) { labels } else { rest() }
    }
}

/// The value as it is known, or made known while there is room.
fn capped(known: &mut HashSet<Arc<str>>, value: &str, most: usize) -> Arc<str> {
    let value = short(value);
    if let Some(known) = known.get(value) {
        return Arc::clone(known);
    }
    if known.len() >= most {
        return OTHER.into();
    }
    let value: Arc<str> = value.into();
    known.insert(Arc::clone(&value));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(calls: &Calls) -> (usize, u64, u64) {
        let all = calls.all();
        let other = |labels: &Labels| labels.iter().any(|label| **label == *OTHER);
        let sum = |of: &dyn Fn(&Labels) -> bool| {
            all.iter().filter(|(labels, _)| of(labels)).map(|(_, cells)| cells.calls.count()).sum()
        };
        (all.len(), sum(&|_| true), sum(&other))
    }

    #[test]
    fn ten_thousand_targets_end_in_one_series() {
        let calls = Calls::default();
        for n in 0..10_000 {
            calls.of("me", &format!("target-{n}"), "op").call(Duration::ZERO, None);
        }
        assert_eq!(counted(&calls), (MAX_VALUES + 1, 10_000, 10_000 - MAX_VALUES as u64));
    }

    #[test]
    fn ten_thousand_endpoints_of_one_target_leave_the_others_their_room() {
        let calls = Calls::default();
        for n in 0..10_000 {
            calls.of("me", "busy", &format!("/users/{n}")).call(Duration::ZERO, None);
        }
        calls.of("me", "quiet", "op").call(Duration::ZERO, None);
        assert_eq!(counted(&calls), (MAX_ENDPOINTS + 2, 10_001, 10_000 - MAX_ENDPOINTS as u64));
        assert!(calls.all().iter().any(|(labels, _)| *labels[1] == *"quiet" && *labels[2] == *"op"));
    }

    #[test]
    fn all_of_them_together_are_bounded_too() {
        let calls = Calls::default();
        for n in 0..10_000 {
            let (source, target) = (format!("source-{}", n % 40), format!("target-{}", n % 300));
            calls.of(&source, &target, &format!("op-{}", n % 101)).call(Duration::ZERO, Some(ErrorKind::Timeout));
        }
        let (series, sum, _) = counted(&calls);
        assert!(series <= MAX_SERIES + MAX_SOURCES + 1, "{series}");
        assert_eq!(sum, 10_000);
    }
}
