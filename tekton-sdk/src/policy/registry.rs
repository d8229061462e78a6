//! A value for each target, and for each part of one, in bounded memory.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;

/// How many values are kept.
pub(super) const MAX_KEYS: usize = 1024;
/// How many values are listed in introspection and at a scrape.
pub(super) const MAX_SHOWN: usize = 128;

/// What a [`Registry`] keeps.
pub(super) trait Kept {
    /// Whether it holds no more than a new one would. Asked only while nobody but the registry has it.
    fn is_idle(&self, now: Instant) -> bool;
}

/// Values by target and part; a value without a part has an empty one.
///
/// 1024 have a place. A new one takes the place of one that nobody holds and that is idle; where there is none, it shares one
/// value with all others that came too late. A look for idle ones goes through all of them, and so is made once a second.
pub(super) struct Registry<V>(RwLock<Known<V>>);

struct Known<V> {
    /// Hashed quickly: each call looks here, and who finds names that collide cannot make it longer than it is.
    values: HashMap<Key, Arc<V>, RandomState>,
    rest: Option<Arc<V>>,
    look_again: Option<Instant>,
}

/// What is shown of a registry: the values in the order of their keys, and how many are not among them.
pub(super) struct Shown<V> {
    pub(super) values: Vec<(Arc<str>, Arc<str>, Arc<V>)>,
    pub(super) left_out: usize,
    /// The value that the late ones share, once there were late ones.
    pub(super) rest: Option<Arc<V>>,
}

impl<V: Kept> Registry<V> {
    pub(super) fn new() -> Self {
        Self(RwLock::new(Known { values: HashMap::default(), rest: None, look_again: None }))
    }

    /// The value of this key, made if there is none.
    pub(super) fn of(
        &self,
        (target, part): (&str, &str),
        now: impl FnOnce() -> Instant,
        make: impl FnOnce() -> V,
    ) -> Arc<V> {
        let key = &(target, part) as &dyn Pair;
        if let Some(known) = self.read().values.get(key) {
            return Arc::clone(known);
        }
        let mut known = self.write();
        if let Some(known) = known.values.get(key) {
            return Arc::clone(known);
        }
        if !known.has_room(now()) {
            return Arc::clone(known.rest.get_or_insert_with(|| Arc::new(make())));
        }
        let value = Arc::new(make());
        known.values.insert(Key { target: target.into(), part: part.into() }, Arc::clone(&value));
        value
    }

    /// The value that those share who came too late for one of their own.
    pub(super) fn rest(&self, make: impl FnOnce() -> V) -> Arc<V> {
        Arc::clone(self.write().rest.get_or_insert_with(|| Arc::new(make())))
    }

    /// Puts another value in the place of this one, unless somebody else did; gives the one that is there.
    pub(super) fn replace(&self, (target, part): (&str, &str), old: &Arc<V>, make: impl FnOnce() -> V) -> Arc<V> {
        let mut known = self.write();
        let known = &mut *known;
        let Some(place) = known.values.get_mut(&(target, part) as &dyn Pair).or(known.rest.as_mut()) else {
            return Arc::clone(old);
        };
        if Arc::ptr_eq(place, old) {
            *place = Arc::new(make());
        }
        Arc::clone(place)
    }

    pub(super) fn len(&self) -> usize {
        self.read().values.len()
    }

    pub(super) fn shown(&self) -> Shown<V> {
        let known = self.read();
        let each = |(key, value): (&Key, &Arc<V>)| (Arc::clone(&key.target), Arc::clone(&key.part), Arc::clone(value));
        let (mut values, rest): (Vec<_>, _) = (known.values.iter().map(each).collect(), known.rest.clone());
        drop(known);
        values.sort_by(|(target, part, _), (other, other_part, _)| (target, part).cmp(&(other, other_part)));
        let left_out = values.len().saturating_sub(MAX_SHOWN);
        values.truncate(MAX_SHOWN);
        Shown { values, left_out, rest }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known<V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known<V>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Kept> Known<V> {
    /// Whether one more has its place, after the idle ones have gone.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.values.len() < MAX_KEYS {
            return true;
        }
        if self.look_again.is_some_and(|again| now < again) {
            return false;
        }
        self.look_again = now.checked_add(Duration::from_secs(1));
        // Under the lock nobody can begin to hold one that only the map holds.
        self.values.retain(|_, value| Arc::strong_count(value) > 1 || !value.is_idle(now));
        self.values.len() < MAX_KEYS
    }
}

impl<V: Kept> fmt::Debug for Registry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("len", &self.len()).finish_non_exhaustive()
    }
}

struct Key {
    target: Arc<str>,
    part: Arc<str>,
}

/// A key, owned or not: a look-up makes no string.
trait Pair {
    fn pair(&self) -> (&str, &str);
}

impl Pair for Key {
    fn pair(&self) -> (&str, &str) {
        (&self.target, &self.part)
    }
}

impl Pair for (&str, &str) {
    fn pair(&self) -> (&str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Pair + 'a> for Key {
    fn borrow(&self) -> &(dyn Pair + 'a) {
        self
    }
}

impl Hash for dyn Pair + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (target, part) = self.pair();
        state.write(target.as_bytes());
        if !part.is_empty() {
            state.write(part.as_bytes());
        }
    }
}

impl PartialEq for dyn Pair + '_ {
    fn eq(&self, other: &Self) -> bool {
        let ((target, part), (other_target, other_part)) = (self.pair(), other.pair());
        // An empty string points nowhere, and comparing its bytes takes processors that mask loads longer than all the rest.
        target == other_target && part.len() == other_part.len() && (part.is_empty() || part == other_part)
    }
}

impl Eq for dyn Pair + '_ {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self as &dyn Pair).hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        *(self as &dyn Pair) == *(other as &dyn Pair)
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::time::{Clock, ManualClock};

    #[derive(Default)]
    struct Value {
        idle: AtomicBool,
    }

    impl Kept for Value {
        fn is_idle(&self, _now: Instant) -> bool {
            self.idle.load(Ordering::Relaxed)
        }
    }

    fn of(registry: &Registry<Value>, clock: &ManualClock, target: &str, part: &str) -> Arc<Value> {
        registry.of((target, part), || clock.now(), Value::default)
    }

    #[test]
    fn a_part_is_no_piece_of_the_targets_name() {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let one = of(&registry, &clock, "ab", "c");
        assert!(Arc::ptr_eq(&one, &of(&registry, &clock, "ab", "c")));
        assert!(!Arc::ptr_eq(&one, &of(&registry, &clock, "a", "bc")));
        assert!(!Arc::ptr_eq(&one, &of(&registry, &clock, "ab", "")));
        assert_eq!(registry.len(), 3);
    }

    #[test]
    fn a_hundred_thousand_keys_take_no_more_room_than_a_thousand() {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        for number in 0..100_000 {
            of(&registry, &clock, &format!("target-{number}"), "p");
        }
        assert_eq!(registry.len(), MAX_KEYS);
        assert!(Arc::ptr_eq(&of(&registry, &clock, "late", "p"), &of(&registry, &clock, "later", "p")));
        let shown = registry.shown();
        assert_eq!((shown.values.len(), shown.left_out), (MAX_SHOWN, MAX_KEYS - MAX_SHOWN));
        assert!(shown.rest.is_some());
    }

    #[test]
    fn only_what_is_idle_and_held_by_nobody_makes_room_and_it_is_looked_for_once_a_second() {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let held = of(&registry, &clock, "held", "");
        held.idle.store(true, Ordering::Relaxed);
        for number in 1..MAX_KEYS {
            of(&registry, &clock, &format!("target-{number}"), "");
        }
        let rest = of(&registry, &clock, "late", "");
        for number in 1..10 {
            of(&registry, &clock, &format!("target-{number}"), "").idle.store(true, Ordering::Relaxed);
        }
        assert!(Arc::ptr_eq(&rest, &of(&registry, &clock, "late", "")), "nobody looks again within a second");
        clock.advance(Duration::from_secs(1));
        assert!(!Arc::ptr_eq(&rest, &of(&registry, &clock, "late", "")));
        assert_eq!(registry.len(), MAX_KEYS - 9 + 1);
        assert!(Arc::ptr_eq(&held, &of(&registry, &clock, "held", "")));
    }

    #[test]
    fn of_two_that_replace_a_value_one_does() {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let old = of(&registry, &clock, "a", "");
        let new = registry.replace(("a", ""), &old, Value::default);
        assert!(!Arc::ptr_eq(&old, &new));
        assert!(Arc::ptr_eq(&new, &registry.replace(("a", ""), &old, Value::default)));
        assert!(Arc::ptr_eq(&new, &of(&registry, &clock, "a", "")));
    }
}
