//! A breaker for each key, in bounded memory.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{BreakerConfig, BreakerState, CircuitBreaker};
use crate::{
    error::Result,
    random::Random,
    telemetry::{Gauge, Introspect, Observers, names},
    time::SharedClock,
};

/// How many breakers those share who come when every place is taken.
const SHARED: usize = 16;
/// How many breakers are shown one by one; of the rest only the number is.
const SHOWN: usize = 256;

/// A breaker for each target, and for each part of one (an operation, a tenant, any key). Clones share them.
///
/// It keeps at most so many breakers of targets, and as many of parts. When there is no place, closed ones that nobody
/// holds and that were not asked for lately are forgotten: they begin anew, closed, when they are asked for again. When
/// none is left to forget, a new part shares its target's breaker, and a new target one of 16 that all such targets share,
/// until a look around, once a second, finds a place. Open and half-open ones are never forgotten.
#[derive(Clone)]
pub struct Breakers(Arc<Inner>);

struct Inner {
    max_keys: usize,
    shadow: bool,
    clock: SharedClock,
    random: Random,
    observers: Observers,
    hasher: RandomState,
    kept: RwLock<Map>,
}

struct Map {
    config: BreakerConfig,
    targets: HashMap<Arc<str>, Target>,
    /// How many targets have a breaker of their own.
    wholes: usize,
    parts: usize,
    shared: HashMap<usize, CircuitBreaker>,
    /// When it is worth looking for idle ones again: a look goes through all of them.
    look_again: Instant,
}

#[derive(Default)]
struct Target {
    whole: Option<Kept>,
    parts: HashMap<Arc<str>, Kept>,
}

struct Kept {
    breaker: CircuitBreaker,
    /// Asked for since the last time that a place was needed.
    used: AtomicBool,
}

impl Kept {
    const fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, used: AtomicBool::new(true) }
    }

    fn take(&self) -> CircuitBreaker {
        // A store that changes nothing would still take the cache line from the others.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        self.breaker.clone()
    }
}

impl Breakers {
    /// An empty registry of at most `max_keys` breakers of targets, and as many of parts.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong.
    pub fn new(config: BreakerConfig, max_keys: usize, clock: SharedClock) -> Result<Self> {
        Ok(Self::made(config.checked()?, max_keys, false, clock, Random::new(), Observers::default()))
    }

    pub(crate) fn made(
        config: BreakerConfig,
        max_keys: usize,
        shadow: bool,
        clock: SharedClock,
        random: Random,
        observers: Observers,
    ) -> Self {
        let (targets, shared, look_again) = (HashMap::new(), HashMap::new(), clock.now());
        let map = Map { config, targets, wholes: 0, parts: 0, shared, look_again };
        let (hasher, kept) = (RandomState::new(), RwLock::new(map));
        Self(Arc::new(Inner { max_keys: max_keys.max(1), shadow, clock, random, observers, hasher, kept }))
    }

    /// The breaker of a target.
    #[must_use]
    pub fn of(&self, target: &str) -> CircuitBreaker {
        let known = self.read(|map| Some(map.targets.get(target)?.whole.as_ref()?.take()));
        known.unwrap_or_else(|| self.whole(&mut self.write(), target))
    }

    /// The breaker of a part of a target: an operation, a tenant, any key.
    #[must_use]
    pub fn of_part(&self, target: &str, part: &str) -> CircuitBreaker {
        let known = self.read(|map| Some(map.targets.get(target)?.parts.get(part)?.take()));
        known.unwrap_or_else(|| self.part(&mut self.write(), target, part))
    }

    /// Every breaker that is kept, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<CircuitBreaker> {
        self.read(|map| {
            let kept = map.targets.values().flat_map(|target| target.whole.iter().chain(target.parts.values()));
            kept.map(|kept| &kept.breaker).chain(map.shared.values()).cloned().collect()
        })
    }

    /// How many breakers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read(|map| map.wholes + map.parts + map.shared.len())
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the settings of every breaker, and of those to come. States and windows stay.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong; the window's kind and size cannot change.
    pub fn reconfigure(&self, config: BreakerConfig) -> Result<()> {
        let config = config.checked()?;
        let mut map = self.write();
        // One that nobody has tells whether the change is allowed before any is changed, and nobody hears of it.
        let Inner { clock, random, .. } = &*self.0;
        let (clock, random, nobody) = (clock.clone(), random.clone(), Observers::default());
        CircuitBreaker::made("".into(), map.config.clone(), clock, random, nobody).reconfigure(config.clone())?;
        map.config = config.clone();
        drop(map);
        self.all().iter().try_for_each(|breaker| breaker.reconfigure(config.clone()))
    }

    fn whole(&self, map: &mut Map, target: &str) -> CircuitBreaker {
        if let Some(kept) = map.targets.get(target).and_then(|target| target.whole.as_ref()) {
            return kept.take();
        }
        if !map.has_room(self.0.max_keys, self.0.clock.now(), |map| map.wholes) {
            return self.shared(map, target);
        }
        let breaker = self.make(target.into(), map.config.clone());
        map.targets.entry(target.into()).or_default().whole = Some(Kept::new(breaker.clone()));
        map.wholes += 1;
        breaker
    }

    fn part(&self, map: &mut Map, target: &str, part: &str) -> CircuitBreaker {
        if let Some(kept) = map.targets.get(target).and_then(|target| target.parts.get(part)) {
            return kept.take();
        }
        if !map.has_room(self.0.max_keys, self.0.clock.now(), |map| map.parts) {
            return self.whole(map, target);
        }
        let breaker = self.make(format!("{target}/{part}").into(), map.config.clone());
        map.targets.entry(target.into()).or_default().parts.insert(part.into(), Kept::new(breaker.clone()));
        map.parts += 1;
        breaker
    }

    fn shared(&self, map: &mut Map, target: &str) -> CircuitBreaker {
        let which = self.0.hasher.hash_one(target) as usize % SHARED;
        let config = &map.config;
        let breaker = map.shared.entry(which).or_insert_with(|| self.make(names::OTHER.into(), config.clone()));
        breaker.clone()
    }

    fn make(&self, name: Arc<str>, config: BreakerConfig) -> CircuitBreaker {
        let Inner { clock, random, observers, .. } = &*self.0;
        let breaker = CircuitBreaker::made(name, config, clock.clone(), random.clone(), observers.clone());
        if self.0.shadow {
            breaker.metrics_only();
        }
        breaker
    }

    fn read<T>(&self, look: impl FnOnce(&Map) -> T) -> T {
        look(&self.0.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.0.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Map {
    /// Whether one more of those that are counted has its place. Makes room if need be: forgets who was not asked for since
    /// the last time, or else an eighth of all who can be forgotten.
    fn has_room(&mut self, max_keys: usize, now: Instant, count: impl Fn(&Self) -> usize) -> bool {
        if count(self) < max_keys {
            return true;
        }
        if now < self.look_again {
            return false;
        }
        self.sweep(usize::MAX, |kept| kept.breaker.is_idle() && !kept.used.swap(false, Ordering::Relaxed));
        if count(self) >= max_keys {
            self.sweep(max_keys.div_ceil(8), |kept| kept.breaker.is_idle());
        }
        let found = count(self) < max_keys;
        if !found {
            self.look_again = now + Duration::from_secs(1);
        }
        found
    }

    fn sweep(&mut self, most: usize, goes: impl Fn(&Kept) -> bool) {
        let (mut wholes, mut parts) = (0, 0);
        self.targets.retain(|_, target| {
            if wholes < most && target.whole.as_ref().is_some_and(&goes) {
                target.whole = None;
                wholes += 1;
            }
            target.parts.retain(|_, kept| {
                let stays = parts >= most || !goes(kept);
                parts += usize::from(!stays);
                stays
            });
            target.whole.is_some() || !target.parts.is_empty()
        });
        self.wholes -= wholes;
        self.parts -= parts;
    }
}

impl Introspect for Breakers {
    fn section(&self) -> &'static str {
        "breakers"
    }

    fn introspect(&self) -> Value {
        let mut all = self.all();
        let count = all.len();
        // Those that are not closed come first: they are what is looked for.
        all.sort_by_cached_key(|breaker| (breaker.state() == BreakerState::Closed, breaker.name().to_owned()));
        all.truncate(SHOWN);
        let shown: Vec<Value> = all
            .iter()
            .map(|breaker| {
                let mut value = json!(breaker.snapshot());
                let recent = breaker.recent().into_iter().rev().take(8).map(
                    |change| json!({"from": change.from.name(), "to": change.to.name(), "reason": change.reason.name()}),
                );
                value["recent"] = recent.collect();
                value
            })
            .collect();
        json!({"count": count, "max_keys": self.0.max_keys, "breakers": shown})
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        for breaker in self.all() {
            let value = f64::from(breaker.state().number());
            emit(Gauge { name: names::BREAKER_STATE, key: breaker.name(), value });
        }
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").field("len", &self.len()).field("max_keys", &self.0.max_keys).finish_non_exhaustive()
    }
}
