//! What a subscription has heard already, within bounds.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use foldhash::fast::RandomState;

/// How a place relates to those that were heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::patterns::events) enum Seen {
    /// It comes after all of them.
    Next,
    /// It lies before the last one, and was not heard as far as is known.
    Late,
    /// It was heard.
    Before,
}

/// The places that were heard last.
#[derive(Debug, Default)]
pub(in crate::patterns::events) struct Order {
    epoch: u64,
    last: u64,
    /// A ring, once it is full.
    recent: Vec<u64>,
    oldest: usize,
    window: usize,
}

impl Order {
    pub(in crate::patterns::events) fn new(window: usize) -> Self {
        Self { window, ..Self::default() }
    }

    /// Takes a place in, and says how it relates to those before. Of those further back than the window, it says `Late`: better
    /// heard twice than never.
    #[inline]
    pub(in crate::patterns::events) fn hear(&mut self, epoch: u64, sequence: u64) -> Seen {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.last = 0;
            self.recent.clear();
            self.oldest = 0;
        }
        let heard = if sequence > self.last {
            self.last = sequence;
            Seen::Next
        } else if self.recent.contains(&sequence) {
            return Seen::Before;
        } else {
            Seen::Late
        };
        if self.recent.len() < self.window {
            self.recent.push(sequence);
        } else if let Some(oldest) = self.recent.get_mut(self.oldest) {
            *oldest = sequence;
            self.oldest = if self.oldest + 1 == self.window { 0 } else { self.oldest + 1 };
        }
        heard
    }
}

/// The ids that were heard last.
#[derive(Debug, Default)]
pub(in crate::patterns::events) struct Ids {
    known: HashSet<Arc<str>, RandomState>,
    order: VecDeque<Arc<str>>,
    window: usize,
}

impl Ids {
    pub(in crate::patterns::events) fn new(window: usize) -> Self {
        Self { window, ..Self::default() }
    }

    /// Whether this id was not heard within the window; it has been from now on.
    pub(in crate::patterns::events) fn is_new(&mut self, id: &Arc<str>) -> bool {
        if self.window == 0 {
            return true;
        }
        if self.known.contains(id) {
            return false;
        }
        if self.order.len() == self.window
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(Arc::clone(id));
        self.order.push_back(Arc::clone(id));
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_new_once_within_the_window() {
        let mut ids = Ids::new(2);
        let came: Vec<_> = ["a", "a", "b", "a", "c", "a", "b"].iter().map(|id| ids.is_new(&Arc::from(*id))).collect();
        assert_eq!(came, [true, false, true, false, true, true, true]);
        assert!(ids.known.len() <= 2 && ids.order.len() <= 2);
        let mut off = Ids::new(0);
        assert!(off.is_new(&Arc::from("a")) && off.is_new(&Arc::from("a")));
    }

    #[test]
    fn another_epoch_begins_anew() {
        let mut order = Order::new(4);
        assert_eq!(order.hear(1, 5), Seen::Next);
        assert_eq!(order.hear(2, 1), Seen::Next);
        assert_eq!(order.hear(2, 1), Seen::Before);
    }

    proptest! {
        #[test]
        fn within_the_window_nothing_is_taken_for_another(places in prop::collection::vec(1_u64..20, 1..60)) {
            let mut order = Order::new(64);
            let (mut known, mut last) = (Vec::new(), 0);
            for place in places {
                let wanted = match place {
                    place if place > last => Seen::Next,
                    place if known.contains(&place) => Seen::Before,
                    _ => Seen::Late,
                };
                prop_assert_eq!(order.hear(1, place), wanted);
                known.push(place);
                last = last.max(place);
            }
        }

        #[test]
        fn the_window_is_a_bound(places in prop::collection::vec(1_u64..1000, 1..200), window in 0_usize..5) {
            let mut order = Order::new(window);
            for place in places {
                order.hear(1, place);
                prop_assert!(order.recent.len() <= window);
            }
        }
    }
}
