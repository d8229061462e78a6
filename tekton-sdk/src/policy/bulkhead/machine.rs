//! Who runs and who waits: it takes what it is told, and has neither clock nor lock of its own.

use std::time::Duration;

use super::super::{BulkheadConfig, line::Line};

/// Places, and the line of those that wait for one. `T` is how a waiter is called.
#[derive(Debug)]
pub(super) struct Machine<T> {
    running: u32,
    most: u32,
    line: Line<T>,
    /// How long places were held lately, as a moving average of those that were given back while somebody waited or was refused.
    held: Option<Duration>,
    /// Somebody was refused: the next one to give back its place says how long it was held, even if nobody waits.
    asks: bool,
}

/// What comes of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It runs.
    Runs,
    /// It waits under this number.
    Waits(u64),
    /// Too many wait.
    Full(Crowd),
    /// Its turn would come too late.
    Late(Crowd),
}

/// Who is there, as it is told to those that are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowd {
    pub(super) running: u32,
    pub(super) waiting: usize,
    /// When the next one to join would have its turn, if that can be said.
    pub(super) turn: Option<Duration>,
}

impl<T> Machine<T> {
    pub(super) fn new(most: u32) -> Self {
        Self { running: 0, most: most.max(1), line: Line::new(), held: None, asks: false }
    }

    /// Takes over how many run, as it was counted without the machine.
    pub(super) const fn runs(&mut self, running: u32) {
        self.running = running;
    }

    pub(super) const fn running(&self) -> u32 {
        self.running
    }

    /// Whether it has to hear of the next arrival and the next end.
    pub(super) fn listens(&self) -> bool {
        self.asks || !self.line.is_empty()
    }

    /// Lets so many run at once. Those that find a place by it run from then on. Who runs beyond it goes on.
    pub(super) fn resize(&mut self, most: u32) -> Vec<T> {
        self.most = most.max(1);
        let mut woken = Vec::new();
        while self.running < self.most {
            let Some(waiter) = self.line.pop() else { break };
            self.running += 1;
            woken.push(waiter);
        }
        woken
    }

    /// One more comes, whose deadline is so far away.
    pub(super) fn arrives(&mut self, config: &BulkheadConfig, left: Option<Duration>, waiter: T) -> Arrival {
        if self.running < self.most && self.line.is_empty() {
            self.running += 1;
            return Arrival::Runs;
        }
        let crowd = self.crowd();
        let too_late = config.shed && crowd.turn.zip(left).is_some_and(|(turn, left)| turn > left);
        self.asks |= too_late;
        if too_late {
            Arrival::Late(crowd)
        } else if crowd.waiting >= config.max_waiting as usize {
            self.asks = true;
            Arrival::Full(crowd)
        } else {
            Arrival::Waits(self.line.join(waiter))
        }
    }

    /// One gives its place back, which it held so long. Returns who runs in its place.
    pub(super) fn ends(&mut self, held: Option<Duration>) -> Option<T> {
        if let Some(held) = held {
            self.held = Some(self.held.map_or(held, |before| before - before / 8 + held / 8));
        }
        self.asks = false;
        if self.running <= self.most
            && let Some(waiter) = self.line.pop()
        {
            return Some(waiter);
        }
        self.running = self.running.saturating_sub(1);
        None
    }

    /// One waits no longer.
    pub(super) fn leaves(&mut self, number: u64) {
        self.line.leave(number);
    }

    pub(super) fn crowd(&self) -> Crowd {
        let waiting = self.line.len();
        // Of so many places one is given back each time that this fraction of a stay has passed.
        let turns = u32::try_from(waiting + 1).unwrap_or(u32::MAX);
        let turn = self.held.map(|held| held.saturating_mul(turns) / self.most);
        Crowd { running: self.running, waiting, turn }
    }

    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    pub(super) const fn held(&self) -> Option<Duration> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn config(most: u32, waiting: u32) -> BulkheadConfig {
        BulkheadConfig::default().with_max_concurrency(most).with_max_waiting(waiting)
    }

    fn machine(most: u32) -> Machine<u32> {
        Machine::new(most)
    }

    #[test]
    fn a_place_goes_to_the_longest_waiter() {
        let mut machine = machine(1);
        assert_eq!(machine.arrives(&config(1, 3), None, 0), Arrival::Runs);
        for n in 1..=3 {
            assert!(matches!(machine.arrives(&config(1, 3), None, n), Arrival::Waits(_)));
        }
        assert!(matches!(machine.arrives(&config(1, 3), None, 4), Arrival::Full(Crowd { waiting: 3, .. })));
        assert_eq!([machine.ends(None), machine.ends(None), machine.ends(None)], [Some(1), Some(2), Some(3)]);
        assert_eq!((machine.ends(None), machine.running(), machine.listens()), (None, 0, false));
    }

    #[test]
    fn what_would_come_too_late_is_refused_once_it_is_known_how_long_it_takes() {
        let mut machine = machine(2);
        let config = config(2, 10);
        for _ in 0..2 {
            machine.arrives(&config, None, 0);
        }
        assert!(matches!(machine.arrives(&config, Some(SECOND), 0), Arrival::Waits(_)), "nothing is known yet");
        assert_eq!(machine.ends(Some(4 * SECOND)), Some(0));
        // Two places of four seconds: one is free every two.
        for (left, turn) in [(2, None), (3, Some(4)), (4, None), (5, Some(6))] {
            let arrival = machine.arrives(&config, Some(left * SECOND), 0);
            match turn {
                None => assert!(matches!(arrival, Arrival::Waits(_)), "{left}: {arrival:?}"),
                Some(turn) => assert!(
                    matches!(arrival, Arrival::Late(crowd) if crowd.turn == Some(turn * SECOND)),
                    "{left}: {arrival:?}"
                ),
            }
        }
        let shedless = config.with_shed(false);
        assert!(matches!(machine.arrives(&shedless, Some(SECOND), 0), Arrival::Waits(_)));
    }

    #[test]
    fn a_refusal_asks_for_the_next_stay_so_that_a_bad_time_is_forgotten() {
        let mut machine = machine(1);
        let config = config(1, 10);
        machine.arrives(&config, None, 0);
        machine.arrives(&config, None, 1);
        machine.ends(Some(100 * SECOND));
        let mut refused = 0;
        while let Arrival::Late(_) = machine.arrives(&config, Some(SECOND), 2) {
            assert!(machine.listens(), "it hears of the next end");
            assert_eq!(machine.ends(Some(SECOND / 100)), None);
            assert_eq!(machine.arrives(&config, Some(SECOND), 3), Arrival::Runs);
            refused += 1;
        }
        assert!((10..60).contains(&refused), "{refused}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Arrives(Option<u32>),
        Ends(u32),
        Leaves(usize),
        Resizes(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => proptest::option::of(0_u32..100).prop_map(Step::Arrives),
            4 => (0_u32..100).prop_map(Step::Ends),
            1 => (0_usize..8).prop_map(Step::Leaves),
            1 => (0_u32..6).prop_map(Step::Resizes),
        ]
    }

    proptest! {
        #[test]
        fn no_place_is_lost_or_given_twice_and_nobody_overtakes(
            steps in proptest::collection::vec(step(), 1..200),
            max_waiting in 0_u32..8,
            shed: bool,
        ) {
            let mut machine = Machine::new(1);
            let mut config = config(1, max_waiting).with_shed(shed);
            let mut waiting: VecDeque<(u64, u32)> = VecDeque::new();
            let (mut running, mut most, mut next) = (0_u32, 1_u32, 0_u32);
            for step in steps {
                match step {
                    Step::Arrives(left) => {
                        next += 1;
                        let left = left.map(|left| left * SECOND);
                        match machine.arrives(&config, left, next) {
                            Arrival::Runs => {
                                prop_assert!(waiting.is_empty() && running < most, "it overtook, or found no place");
                                running += 1;
                            }
                            Arrival::Waits(number) => {
                                prop_assert!(running >= most && waiting.len() < max_waiting as usize);
                                waiting.push_back((number, next));
                            }
                            Arrival::Full(crowd) => {
                                prop_assert_eq!(crowd.waiting, max_waiting as usize);
                                prop_assert!(running >= most);
                            }
                            Arrival::Late(crowd) => {
                                prop_assert!(shed && running >= most);
                                prop_assert!(crowd.turn.unwrap() > left.unwrap());
                            }
                        }
                    }
                    Step::Ends(held) if running > 0 => {
                        let called = machine.ends(Some(held * SECOND));
                        let expected = if running <= most { waiting.pop_front().map(|(_, waiter)| waiter) } else { None };
                        prop_assert_eq!(called, expected);
                        running -= u32::from(called.is_none());
                    }
                    Step::Ends(_) => {}
                    Step::Leaves(at) => {
                        if let Some((number, _)) = waiting.remove(at) {
                            machine.leaves(number);
                        }
                    }
                    Step::Resizes(to) => {
                        config = config.with_max_concurrency(to);
                        most = to.max(1);
                        let woken = machine.resize(to);
                        let expected: Vec<u32> = waiting
                            .drain(..waiting.len().min(most.saturating_sub(running) as usize))
                            .map(|(_, waiter)| waiter)
                            .collect();
                        running += u32::try_from(woken.len()).unwrap();
                        prop_assert_eq!(woken, expected);
                    }
                }
                prop_assert_eq!(machine.running(), running);
                prop_assert_eq!(machine.crowd().waiting, waiting.len());
                prop_assert!(waiting.is_empty() || running >= most, "a waiter sleeps beside a free place");
                prop_assert!(waiting.is_empty() || machine.listens());
            }
            // All end and nobody comes: everybody had a turn, in order.
            while running > 0 {
                let called = machine.ends(None);
                let expected = if running <= most { waiting.pop_front().map(|(_, waiter)| waiter) } else { None };
                prop_assert_eq!(called, expected);
                running -= u32::from(called.is_none());
            }
            prop_assert!(waiting.is_empty() && !machine.listens());
        }
    }
}
