//! Events that were handed over and are not done: who has them, until when, and which are due again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::patterns::events::Outcome;

/// What is handed over and not done, by place.
#[derive(Debug)]
pub(in crate::patterns::events) struct Unsettled<M> {
    wait: Duration,
    held: BTreeMap<u64, Held<M>>,
    due: BTreeSet<(Instant, u64)>,
}

#[derive(Debug)]
struct Held<M> {
    item: M,
    delivery: u32,
    due: Instant,
    /// Who works on it; `None` while it waits to be handed over again.
    member: Option<u64>,
}

impl<M: Clone> Unsettled<M> {
    /// Nothing, and each event may take so long.
    pub(in crate::patterns::events) const fn new(wait: Duration) -> Self {
        Self { wait, held: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// How many are not done.
    pub(in crate::patterns::events) fn len(&self) -> usize {
        self.held.len()
    }

    /// Hands an event over for the first time.
    pub(in crate::patterns::events) fn hand_over(&mut self, now: Instant, member: u64, sequence: u64, item: M) {
        let due = later(now, self.wait);
        self.due.insert((due, sequence));
        self.held.insert(sequence, Held { item, delivery: 1, due, member: Some(member) });
    }

    /// Hands over again what is due, the longest due first: the event and which delivery it is.
    pub(in crate::patterns::events) fn take_due(&mut self, now: Instant, member: u64) -> Option<(M, u32)> {
        let (due, sequence) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.due.remove(&(due, sequence));
        let held = self.held.get_mut(&sequence)?;
        held.delivery = held.delivery.saturating_add(1);
        held.member = Some(member);
        held.due = later(now, self.wait);
        self.due.insert((held.due, sequence));
        Some((held.item.clone(), held.delivery))
    }

    /// When the next one is due.
    pub(in crate::patterns::events) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes an outcome in; `false` if it changes nothing.
    pub(in crate::patterns::events) fn settle(
        &mut self,
        now: Instant,
        sequence: u64,
        delivery: u32,
        outcome: Outcome,
    ) -> bool {
        let Some(held) = self.held.get_mut(&sequence) else { return false };
        let newest = held.delivery == delivery && held.member.is_some();
        let wait = match outcome {
            // Whoever did the work, it is done.
            Outcome::Ack => {
                self.due.remove(&(held.due, sequence));
                self.held.remove(&sequence);
                return true;
            }
            Outcome::Nack(wait) if newest => {
                held.member = None;
                wait
            }
            Outcome::Progress if newest => self.wait,
            Outcome::Nack(_) | Outcome::Progress => return false,
        };
        self.due.remove(&(held.due, sequence));
        held.due = later(now, wait);
        self.due.insert((held.due, sequence));
        true
    }

    /// Makes due at once what this member has; gives how many that were.
    pub(in crate::patterns::events) fn release(&mut self, now: Instant, member: u64) -> usize {
        let mut released = 0;
        for (sequence, held) in self.held.iter_mut().filter(|(_, held)| held.member == Some(member)) {
            self.due.remove(&(held.due, *sequence));
            held.member = None;
            held.due = now;
            self.due.insert((now, *sequence));
            released += 1;
        }
        released
    }
}

/// A time that does not exist is one that never comes: 30 days are as good.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait.min(Duration::from_secs(30 * 24 * 3600))).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    const WAIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_late_acknowledgement_counts_and_a_late_refusal_does_not() {
        let clock = ManualClock::new();
        let mut unsettled = Unsettled::new(WAIT);
        unsettled.hand_over(clock.now(), 1, 7, "x");
        assert_eq!(unsettled.take_due(clock.now(), 2), None);
        clock.advance(WAIT);
        assert_eq!(unsettled.take_due(clock.now(), 2), Some(("x", 2)));
        assert!(!unsettled.settle(clock.now(), 7, 1, Outcome::Nack(Duration::ZERO)));
        assert!(!unsettled.settle(clock.now(), 7, 1, Outcome::Progress));
        assert!(unsettled.settle(clock.now(), 7, 1, Outcome::Ack));
        assert!(!unsettled.settle(clock.now(), 7, 2, Outcome::Ack));
        assert_eq!((unsettled.len(), unsettled.next_due()), (0, None));
    }

    #[test]
    fn what_is_under_way_has_the_whole_time_again() {
        let clock = ManualClock::new();
        let mut unsettled = Unsettled::new(WAIT);
        unsettled.hand_over(clock.now(), 1, 7, "x");
        clock.advance(WAIT / 2);
        assert!(unsettled.settle(clock.now(), 7, 1, Outcome::Progress));
        clock.advance(WAIT / 2);
        assert_eq!(unsettled.take_due(clock.now(), 1), None);
        clock.advance(WAIT / 2);
        assert_eq!(unsettled.take_due(clock.now(), 1), Some(("x", 2)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Hand,
        Take,
        Settle(usize, u8),
        Release(u64),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Hand),
            Just(Step::Take),
            (0_usize..8, 0_u8..3).prop_map(|(at, outcome)| Step::Settle(at, outcome)),
            (0_u64..3).prop_map(Step::Release),
            (0_u64..8).prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// What was handed over and not acknowledged comes again, with a higher number each time.
        #[test]
        fn nothing_goes_but_by_an_acknowledgement(steps in prop::collection::vec(step(), 1..80)) {
            let clock = ManualClock::new();
            let mut unsettled = Unsettled::new(WAIT);
            let mut open: BTreeMap<u64, u32> = BTreeMap::new();
            let mut next = 0;
            for (turn, step) in steps.into_iter().enumerate() {
                let member = turn as u64 % 3;
                match step {
                    Step::Hand => {
                        next += 1;
                        unsettled.hand_over(clock.now(), member, next, next);
                        open.insert(next, 1);
                    }
                    Step::Take => {
                        if let Some((item, delivery)) = unsettled.take_due(clock.now(), member) {
                            let known = open.get_mut(&item).expect("it is not acknowledged");
                            prop_assert_eq!(delivery, *known + 1);
                            *known = delivery;
                        }
                    }
                    Step::Settle(at, outcome) => {
                        let Some((&item, &delivery)) = open.iter().nth(at) else { continue };
                        let outcome = match outcome {
                            0 => Outcome::Ack,
                            1 => Outcome::Nack(Duration::from_secs(3)),
                            _ => Outcome::Progress,
                        };
                        unsettled.settle(clock.now(), item, delivery, outcome);
                        if outcome == Outcome::Ack {
                            open.remove(&item);
                        }
                    }
                    Step::Release(member) => drop(unsettled.release(clock.now(), member)),
                    Step::Pass(seconds) => clock.advance(Duration::from_secs(seconds)),
                }
                prop_assert_eq!((unsettled.len(), unsettled.due.len()), (open.len(), open.len()));
            }
            clock.advance(WAIT);
            let mut again = BTreeSet::new();
            while let Some((item, _)) = unsettled.take_due(clock.now(), 0) {
                prop_assert!(again.insert(item), "it is handed over once");
            }
            prop_assert_eq!(again, open.into_keys().collect::<BTreeSet<_>>());
        }
    }
}
