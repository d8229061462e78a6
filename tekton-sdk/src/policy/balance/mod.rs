//! Several instances of one component: whom a call goes to, and who is kept out.

mod config;
mod group;
mod instance;
mod instances;
mod machine;
mod picked;
mod sticky;
mod target;
mod view;
mod weights;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub use config::BalanceConfig;
pub use instances::Instances;
pub use picked::Picked;
pub use sticky::StickyKey;
pub use weights::Weights;

use self::{
    instance::Instance,
    machine::{Moment, Terms, nanos},
    target::Target,
};
use crate::{
    contract::{Entry, Measured},
    error::Result,
    random::Random,
    telemetry::{Gauge, Introspect, Observers, names},
    time::SharedClock,
    transport::Endpoint,
};

/// How many endpoints are remembered.
const MAX_INSTANCES: usize = 4096;
/// How many targets are told apart.
const MAX_TARGETS: usize = 1024;
/// How many instances and targets are listed in introspection and at a scrape.
const MAX_SHOWN: usize = 128;
/// How long an endpoint that nobody names any more is remembered at least.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Spreads the calls to a component over its instances, and keeps out those that do worse than the others. Clones share what they
/// know.
///
/// **Who is called.** Of two instances drawn at random the one with less to do: the one whose latency, times the calls that are
/// under way and this one, is smaller. A slow answer counts at once, and fades by half every ten seconds; a failure counts as an
/// answer twice as slow as the slowest instance's, at least a second, so that failing fast attracts no calls. An instance whose
/// speed is not known is called once at a time until it has answered. None is left without a call for more than a minute: then it
/// wins the next draw that it is in.
///
/// **Who is kept out.** An instance that could not be reached comes last for 5 s. It is ejected after
/// [`consecutive_failures`](BalanceConfig::consecutive_failures), or when its success rate is 25 points below the mean of the
/// others, where at least three instances have made twenty calls each. The first ejection lasts
/// [`ejection_time`](BalanceConfig::ejection_time), the second twice as long, at most
/// [`max_ejection_time`](BalanceConfig::max_ejection_time), less up to a tenth at random. Then one call at a
/// time goes to it until one goes well; a failure ejects it again. For ten seconds more its share grows from a tenth to that of
/// the others. For each [`ejection_time`](BalanceConfig::ejection_time) at whose end it answers without a failure since its
/// beginning, one ejection is forgotten.
///
/// **How many.** [`max_ejected_percent`](BalanceConfig::max_ejected_percent) of the instances are out at once, the earliest
/// first; the others that should be are called, and come back after as many good calls in a row as failures would eject them. Where
/// fewer than [`panic_percent`](BalanceConfig::panic_percent) are well, those that the limit lets in counted as ill, the trouble is not one of single
/// instances, and leaving some out makes it worse for the rest: then nobody is kept out. A single instance never is; that is what
/// the breaker is for.
///
/// The breaker stands outside, and judges the component: it does not count the failure of an instance that is kept out while
/// another is well.
///
/// `Tekton` has one, and asks it for every call. It can be used alone:
///
/// ```
/// use tekton_sdk::{
///     Verdict,
///     contract::Entry,
///     policy::{BalanceConfig, Balancer},
///     random::Random,
///     time::SharedClock,
/// };
///
/// let balancer = Balancer::new(BalanceConfig::default(), SharedClock::default(), Random::seeded(1));
/// let entries = [Entry::new("engram-a", "engram", "http://a:8005"), Entry::new("engram-b", "engram", "http://b:8005")];
/// let engram = balancer.instances("engram", &entries)?;
/// // The first that is picked fails at once; every other call goes to the other one.
/// let failed = engram.pick().expect("nobody is kept out");
/// let endpoint = failed.endpoint().clone();
/// failed.settle(Verdict::Failure);
/// for _ in 0..10 {
///     let picked = engram.pick().expect("one is left");
///     assert_ne!(picked.endpoint(), &endpoint);
///     picked.settle(Verdict::Success);
/// }
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Balancer(Arc<Shared>);

struct Shared {
    config: BalanceConfig,
    clock: SharedClock,
    random: Random,
    observers: Observers,
    began: Instant,
    /// Grows whenever somebody is kept out or let in, so that every view is looked at again.
    changes: AtomicU64,
    /// Grows whenever weights change, so that the instances are parted again.
    weighings: AtomicU64,
    instances: Mutex<Known>,
    targets: Mutex<HashMap<Arc<str>, Arc<Target>>>,
}

#[derive(Default)]
struct Known {
    by_endpoint: HashMap<Arc<str>, Arc<Instance>>,
    look_again: Moment,
}

impl Balancer {
    /// A balancer that knows nobody yet.
    #[must_use]
    pub fn new(config: BalanceConfig, clock: SharedClock, random: Random) -> Self {
        Self::observed(config, clock, random, Observers::default())
    }

    /// The same, telling these observers of who is ejected and returns.
    #[must_use]
    pub fn observed(config: BalanceConfig, clock: SharedClock, random: Random, observers: Observers) -> Self {
        let began = clock.now();
        Self(Arc::new(Shared {
            config,
            clock,
            random,
            observers,
            began,
            changes: AtomicU64::new(1),
            weighings: AtomicU64::new(1),
            instances: Mutex::default(),
            targets: Mutex::default(),
        }))
    }

    /// The instances of a target, all of them alike; whose endpoint cannot be read is left out.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if no endpoint can be read, [`NotFound`](crate::ErrorKind::NotFound) if there is
    /// no entry.
    pub fn instances(&self, target: &str, entries: &[Entry]) -> Result<Instances> {
        self.grouped(target, &[entries.iter().collect()])
    }

    /// The instances of a target in groups of those that are alike: of a group only those are called for whom all before it have
    /// nobody.
    pub(crate) fn grouped(&self, target: &str, groups: &[Vec<&Entry>]) -> Result<Instances> {
        Instances::new(self, target, groups)
    }

    /// Divides the calls to a target by these weights from now on; none divide them evenly.
    pub fn set_weights(&self, target: &str, weights: Weights) {
        self.target(target).set_weights(weights);
        self.0.weighings.fetch_add(1, Ordering::Release);
    }

    /// The weights that divide the calls to a target.
    #[must_use]
    pub fn weights(&self, target: &str) -> Weights {
        let known = self.targets().get(&*key(target)).cloned();
        known.map(|target| (*target.weights()).clone()).unwrap_or_default()
    }

    /// What was measured of an endpoint, written as the directory has it; `None` before a call to it has ended. The latency is
    /// mostly that of the last ten calls that went well, the success rate that of the last thirty.
    #[must_use]
    pub fn measured(&self, endpoint: &str) -> Option<Measured> {
        let known = self.known().by_endpoint.get(endpoint).cloned();
        known?.measured()
    }

    /// What is known of an endpoint, by everybody who calls it. Who finds no room is known to its caller alone.
    fn instance(&self, text: &str) -> Result<Arc<Instance>> {
        let now = self.0.now();
        if let Some(instance) = self.known().by_endpoint.get(text) {
            return Ok(Arc::clone(instance));
        }
        let endpoint = Endpoint::parse(text)?;
        let mut known = self.known();
        let has_room = known.has_room(now);
        let instance = Arc::new(Instance::new(text, endpoint, now));
        if !has_room {
            return Ok(instance);
        }
        // Read meanwhile by another thread, its one stays.
        let entry = known.by_endpoint.entry(Arc::clone(&instance.text)).or_insert(instance);
        Ok(Arc::clone(entry))
    }

    fn target(&self, name: &str) -> Arc<Target> {
        let (mut targets, key) = (self.targets(), key(name));
        if let Some(target) = targets.get(&*key) {
            return Arc::clone(target);
        }
        if targets.len() >= MAX_TARGETS {
            targets.retain(|_, target| Arc::strong_count(target) > 1 || !target.weights().is_empty());
        }
        let target = Arc::new(Target::new(name));
        if targets.len() < MAX_TARGETS {
            targets.insert(key, Arc::clone(&target));
        }
        target
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Target>>> {
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The targets that anybody calls, by name, and how many are not among them.
    fn shown_targets(&self) -> Vec<Arc<Target>> {
        let mut all: Vec<_> = self.targets().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.truncate(MAX_SHOWN);
        all
    }
}

/// Under which name a target is kept: a component is meant in any case of letters.
fn key(target: &str) -> Arc<str> {
    target.to_ascii_lowercase().into()
}

impl Known {
    /// Whether an instance more has its place. Now and then those go that nobody names any more.
    fn has_room(&mut self, now: Moment) -> bool {
        let full = self.by_endpoint.len() >= MAX_INSTANCES;
        if now >= self.look_again {
            self.look_again = now.saturating_add(nanos(Duration::from_secs(if full { 1 } else { 60 })));
            let since = if full { 0 } else { nanos(REMEMBERED) };
            // Under the lock nobody can begin to hold one that only the map holds.
            self.by_endpoint.retain(|_, kept| Arc::strong_count(kept) > 1 || !kept.is_idle(now, since));
        }
        self.by_endpoint.len() < MAX_INSTANCES
    }
}

impl Shared {
    fn now(&self) -> Moment {
        self.moment(self.clock.now())
    }

    fn moment(&self, at: Instant) -> Moment {
        // Never 0 or 1, which have meanings of their own.
        nanos(at.saturating_duration_since(self.began)).saturating_add(2)
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// What holds for an instance that has others beside it, or none.
    fn terms(&self, has_others: bool, penalty: u64, failed: bool) -> Terms {
        let config = &self.config;
        let draw = || (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        Terms {
            failures: (config.enabled && has_others).then_some(config.consecutive_failures),
            ejection_time: config.ejection_time,
            max_ejection_time: config.max_ejection_time,
            penalty,
            jitter: if failed { draw() } else { 0.0 },
        }
    }
}

impl Introspect for Balancer {
    fn section(&self) -> &'static str {
        "instances"
    }

    fn introspect(&self) -> Value {
        let now = self.0.now();
        let mut all: Vec<Arc<Instance>> = self.known().by_endpoint.values().cloned().collect();
        all.sort_by(|a, b| a.text.cmp(&b.text));
        let not_shown = all.len().saturating_sub(MAX_SHOWN);
        all.truncate(MAX_SHOWN);
        let instances = all.iter().map(|instance| {
            let (state, ejections) = instance.standing(now);
            let mut shown = json!({ "state": state, "ejections": ejections, "in_flight": instance.in_flight() });
            if let Some(measured) = instance.measured() {
                shown["latency_seconds"] = measured.latency.as_secs_f64().into();
                shown["success_rate"] = measured.success_rate.into();
                shown["calls"] = measured.calls.into();
            }
            (instance.text.to_string(), shown)
        });
        let instances: serde_json::Map<String, Value> = instances.collect();
        let targets = self.shown_targets().into_iter().map(|target| (target.name.to_string(), target.show()));
        let targets: serde_json::Map<String, Value> = targets.collect();
        json!({ "endpoints": instances, "not_shown": not_shown, "targets": targets })
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        for target in self.shown_targets() {
            if let Some(out) = target.out() {
                emit(Gauge { name: names::INSTANCES_EJECTED, key: &target.name, value: out as f64 });
            }
        }
    }
}

impl fmt::Debug for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balancer")
            .field("instances", &self.known().by_endpoint.len())
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
