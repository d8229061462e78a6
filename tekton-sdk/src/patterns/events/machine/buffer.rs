//! A bounded queue that does with what has no room as its policy says, and says what it lost.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::patterns::events::Backpressure;

/// What waits in a [`Buffer`].
pub(in crate::patterns::events) trait Item {
    /// Its place; of items that come later it is higher.
    fn sequence(&self) -> u64;
    /// Its size.
    fn bytes(&self) -> usize;
    /// What it is about.
    fn key(&self) -> &str;
}

/// Places that were lost: after `from`, up to and with `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::patterns::events) struct Lost {
    pub(in crate::patterns::events) from: u64,
    pub(in crate::patterns::events) to: u64,
    pub(in crate::patterns::events) count: u64,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::patterns::events) enum Pushed {
    /// It waits.
    Kept,
    /// It waits or not, and so many were lost for it.
    Dropped(u64),
    /// There is no room, and nothing changed.
    Full,
    /// There is no room, and the queue takes nothing more.
    Overflowed,
}

/// What comes next. Where an item is one pointer, this is two words and goes through registers.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::patterns::events) enum Popped<M> {
    Item(M),
    Lost(Box<Lost>),
    /// Nothing comes after this.
    Overflowed,
}

#[derive(Debug)]
enum Slot<M> {
    Item(M),
    /// In a box, because it is rare and items are small.
    Lost(Box<Lost>),
    /// A newer one of the key of what stood at this place waits further behind.
    Replaced(u64),
}

impl<M: Item> Slot<M> {
    fn place(&self) -> u64 {
        match self {
            Self::Item(item) => item.sequence(),
            Self::Lost(lost) => lost.to,
            Self::Replaced(sequence) => *sequence,
        }
    }
}

/// The queue. What is needed each time stands together: an event of many subscribers touches it in each of their queues.
#[derive(Debug)]
#[repr(C)]
pub(in crate::patterns::events) struct Buffer<M> {
    policy: Backpressure,
    overflowed: bool,
    /// What was lost before the first slot.
    front: Option<Box<Lost>>,
    slots: VecDeque<Slot<M>>,
    waiting: usize,
    bytes: usize,
    capacity: usize,
    capacity_bytes: usize,
    /// The last place that was given out, or lost and told.
    given: u64,
    /// The last place that was pushed.
    pushed: u64,
    /// Of each key, the sequence of the one that waits; only where the latest is kept.
    latest: HashMap<Box<str>, u64, RandomState>,
    replaced_slots: usize,
    dropped: u64,
    replaced: u64,
}

impl<M: Item> Buffer<M> {
    /// An empty queue for what comes after this place.
    pub(in crate::patterns::events) fn new(
        policy: Backpressure,
        capacity: usize,
        capacity_bytes: usize,
        after: u64,
    ) -> Self {
        Self {
            policy,
            capacity,
            capacity_bytes,
            slots: VecDeque::new(),
            front: None,
            latest: HashMap::default(),
            waiting: 0,
            bytes: 0,
            replaced_slots: 0,
            given: after,
            pushed: after,
            overflowed: false,
            dropped: 0,
            replaced: 0,
        }
    }

    pub(in crate::patterns::events) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(in crate::patterns::events) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(in crate::patterns::events) const fn replaced(&self) -> u64 {
        self.replaced
    }

    /// Whether there is anything to give out.
    pub(in crate::patterns::events) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.front.is_none() && self.slots.is_empty() && !self.overflowed
    }

    /// The last place that was pushed.
    pub(in crate::patterns::events) const fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Says that what is not in the queue was given out up to this place.
    pub(in crate::patterns::events) fn passed(&mut self, sequence: u64) {
        self.given = self.given.max(sequence);
        self.pushed = self.pushed.max(sequence);
    }

    /// Whether an item of this size has room. One has, whatever its size, in an empty queue.
    pub(in crate::patterns::events) const fn has_room(&self, bytes: usize) -> bool {
        self.waiting == 0 || (self.waiting < self.capacity && self.bytes.saturating_add(bytes) <= self.capacity_bytes)
    }

    /// Takes the next item in.
    #[inline]
    pub(in crate::patterns::events) fn push(&mut self, item: M) -> Pushed {
        if self.overflowed {
            return Pushed::Overflowed;
        }
        if self.policy == Backpressure::KeepLatest {
            self.replace(item.key());
        }
        if self.has_room(item.bytes()) {
            self.keep(item);
            return Pushed::Kept;
        }
        self.push_full(item)
    }

    #[cold]
    fn push_full(&mut self, item: M) -> Pushed {
        match self.policy {
            Backpressure::Block => Pushed::Full,
            Backpressure::Fail => {
                self.overflowed = true;
                Pushed::Overflowed
            }
            Backpressure::DropNewest => {
                self.lose_newest(item.sequence());
                Pushed::Dropped(1)
            }
            Backpressure::DropOldest | Backpressure::KeepLatest => {
                let mut lost = 0;
                while !self.has_room(item.bytes()) {
                    lost += u64::from(self.lose_oldest());
                }
                self.keep(item);
                Pushed::Dropped(lost)
            }
        }
    }

    /// What comes next; `None` if nothing waits.
    #[inline]
    pub(in crate::patterns::events) fn pop(&mut self) -> Option<Popped<M>> {
        if let Some(lost) = self.front.take() {
            self.given = lost.to;
            return Some(Popped::Lost(lost));
        }
        loop {
            match self.slots.pop_front() {
                None => return self.overflowed.then_some(Popped::Overflowed),
                Some(Slot::Replaced(_)) => self.replaced_slots -= 1,
                Some(Slot::Lost(lost)) => {
                    self.given = lost.to;
                    return Some(Popped::Lost(lost));
                }
                Some(Slot::Item(item)) => {
                    self.forget(&item);
                    self.given = item.sequence();
                    return Some(Popped::Item(item));
                }
            }
        }
    }

    #[inline]
    fn keep(&mut self, item: M) {
        self.waiting += 1;
        self.bytes += item.bytes();
        self.pushed = item.sequence();
        if self.policy == Backpressure::KeepLatest {
            self.latest.insert(item.key().into(), item.sequence());
        }
        self.slots.push_back(Slot::Item(item));
    }

    #[inline]
    fn forget(&mut self, item: &M) {
        self.waiting -= 1;
        self.bytes -= item.bytes();
        if self.policy == Backpressure::KeepLatest {
            self.latest.remove(item.key());
        }
    }

    /// Takes the item of this key out of its slot.
    fn replace(&mut self, key: &str) {
        let Some(sequence) = self.latest.get(key).copied() else { return };
        // Slots rise by their places.
        let Ok(at) = self.slots.binary_search_by_key(&sequence, Slot::place) else { return };
        if let Slot::Item(item) = std::mem::replace(&mut self.slots[at], Slot::Replaced(sequence)) {
            self.forget(&item);
            self.replaced += 1;
            self.replaced_slots += 1;
        }
        if self.replaced_slots > self.capacity {
            self.slots.retain(|slot| !matches!(slot, Slot::Replaced(_)));
            self.replaced_slots = 0;
        }
    }

    fn lose_newest(&mut self, sequence: u64) {
        self.dropped += 1;
        let from = std::mem::replace(&mut self.pushed, sequence);
        match self.slots.back_mut() {
            Some(Slot::Lost(lost)) => {
                lost.to = sequence;
                lost.count += 1;
            }
            _ => self.slots.push_back(Slot::Lost(Box::new(Lost { from, to: sequence, count: 1 }))),
        }
    }

    /// Whether an item was lost.
    fn lose_oldest(&mut self) -> bool {
        let (lost, is_item) = match self.slots.pop_front() {
            None => return false,
            Some(Slot::Replaced(_)) => {
                self.replaced_slots -= 1;
                return false;
            }
            Some(Slot::Lost(lost)) => (*lost, false),
            Some(Slot::Item(item)) => {
                self.forget(&item);
                self.dropped += 1;
                (Lost { from: self.given, to: item.sequence(), count: 1 }, true)
            }
        };
        match &mut self.front {
            Some(front) => {
                front.to = lost.to;
                front.count += lost.count;
            }
            None => self.front = Some(Box::new(Lost { from: self.given, ..lost })),
        }
        is_item
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Thing(u64, usize, &'static str);

    impl Item for Thing {
        fn sequence(&self) -> u64 {
            self.0
        }

        fn bytes(&self) -> usize {
            self.1
        }

        fn key(&self) -> &str {
            self.2
        }
    }

    fn drained(buffer: &mut Buffer<Thing>) -> Vec<Result<u64, Lost>> {
        let mut out = Vec::new();
        loop {
            match buffer.pop() {
                Some(Popped::Item(item)) => out.push(Ok(item.0)),
                Some(Popped::Lost(lost)) => out.push(Err(*lost)),
                Some(Popped::Overflowed) | None => return out,
            }
        }
    }

    #[test]
    fn each_policy_loses_what_it_says() {
        let lost = |from, to, count| Err(Lost { from, to, count });
        let run = |policy| {
            let mut buffer = Buffer::new(policy, 2, 1000, 9);
            let came: Vec<_> = (10..15).map(|n| buffer.push(Thing(n, 1, "k"))).collect();
            let kept = buffer.waiting();
            (came, kept, drained(&mut buffer))
        };
        let (_, kept, came) = run(Backpressure::DropOldest);
        assert_eq!((kept, came), (2, vec![lost(9, 12, 3), Ok(13), Ok(14)]));
        let (_, kept, came) = run(Backpressure::DropNewest);
        assert_eq!((kept, came), (2, vec![Ok(10), Ok(11), lost(11, 14, 3)]));
        let (pushed, _, came) = run(Backpressure::Block);
        assert_eq!((pushed[2], came), (Pushed::Full, vec![Ok(10), Ok(11)]));
        let (pushed, _, came) = run(Backpressure::Fail);
        assert_eq!((pushed[2], came), (Pushed::Overflowed, vec![Ok(10), Ok(11)]));
        let (_, kept, came) = run(Backpressure::KeepLatest);
        assert_eq!((kept, came), (1, vec![Ok(14)]));
    }

    #[test]
    fn one_item_has_room_whatever_its_size() {
        let mut buffer = Buffer::new(Backpressure::DropOldest, 10, 100, 0);
        assert_eq!(buffer.push(Thing(1, 5000, "")), Pushed::Kept);
        assert_eq!(buffer.push(Thing(2, 60, "")), Pushed::Dropped(1));
        assert_eq!(buffer.push(Thing(3, 60, "")), Pushed::Dropped(1));
        assert_eq!(drained(&mut buffer), [Err(Lost { from: 0, to: 2, count: 2 }), Ok(3)]);
    }

    fn policy() -> impl Strategy<Value = Backpressure> {
        prop_oneof![
            Just(Backpressure::Block),
            Just(Backpressure::DropOldest),
            Just(Backpressure::DropNewest),
            Just(Backpressure::Fail),
            Just(Backpressure::KeepLatest),
        ]
    }

    proptest! {
        /// Every item is given out, lost in a gap that covers it, replaced by a newer one of its key, or still waits.
        #[test]
        fn no_item_is_lost_in_silence(
            policy in policy(),
            capacity in 1_usize..5,
            capacity_bytes in 1_usize..40,
            steps in prop::collection::vec((0_u8..3, 1_usize..20, prop_oneof![Just("a"), Just("b"), Just("c")]), 1..80),
        ) {
            let mut buffer = Buffer::new(policy, capacity, capacity_bytes, 0);
            let mut open = BTreeMap::new();
            let (mut sequence, mut last, mut over) = (0, 0, false);
            let mut dropped = 0;
            let check = |popped: Popped<Thing>, open: &mut BTreeMap<u64, Thing>, last: &mut u64| match popped {
                Popped::Item(item) => {
                    prop_assert!(item.sequence() > *last, "in order");
                    *last = item.sequence();
                    prop_assert_eq!(open.remove(&item.sequence()), Some(item));
                    Ok(0)
                }
                Popped::Lost(lost) => {
                    prop_assert!(lost.from >= *last && lost.to > lost.from, "{:?} after {}", lost, last);
                    *last = lost.to;
                    let within: Vec<_> = open.range(lost.from + 1..=lost.to).map(|(place, _)| *place).collect();
                    open.retain(|place, _| !within.contains(place));
                    prop_assert_eq!(within.len() as u64, lost.count);
                    Ok(lost.count)
                }
                Popped::Overflowed => Ok(0),
            };
            for (act, bytes, key) in steps {
                if act == 0 {
                    if let Some(popped) = buffer.pop() {
                        dropped += check(popped, &mut open, &mut last)?;
                    }
                    continue;
                }
                sequence += 1;
                let item = Thing(sequence, bytes, key);
                let replaced = buffer.replaced();
                match buffer.push(item.clone()) {
                    Pushed::Full | Pushed::Overflowed => {
                        prop_assert!(matches!(policy, Backpressure::Block | Backpressure::Fail));
                        over |= policy == Backpressure::Fail;
                    }
                    Pushed::Kept | Pushed::Dropped(_) => {
                        prop_assert!(!over);
                        if buffer.replaced() > replaced {
                            prop_assert_eq!(policy, Backpressure::KeepLatest);
                            let newest = open.iter().rfind(|(_, other)| other.2 == key).map(|(place, _)| *place);
                            open.remove(&newest.expect("one of its key waited"));
                        }
                        open.insert(sequence, item);
                    }
                }
                prop_assert!(buffer.waiting() <= capacity);
                prop_assert!(buffer.slots.len() <= 3 * capacity + 1);
                prop_assert!(buffer.waiting() == 1 || buffer.bytes <= capacity_bytes);
            }
            while let Some(popped) = buffer.pop() {
                if popped == Popped::Overflowed {
                    break;
                }
                dropped += check(popped, &mut open, &mut last)?;
            }
            prop_assert!(open.is_empty(), "{:?} vanished", open);
            prop_assert_eq!(dropped, buffer.dropped());
            prop_assert_eq!((buffer.waiting(), buffer.bytes), (0, 0));
        }
    }
}
