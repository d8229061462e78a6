//! What a target's budget holds: it takes the time, and has no clock of its own.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// How long a deposit can be spent, and after how long a taken reserve is back, in seconds.
pub(super) const WINDOW: u32 = 10;
/// Seconds that have a cell: a power of two beyond the window, so that none is written anew while it still counts.
const CELLS: usize = 16;
/// What one retry costs; a call deposits the percentage of it.
const RETRY: u32 = 1000;
/// A cell takes no more than this, so that a sum of the window fits, whatever is added at the same moment.
const FULL: u32 = 1 << 28;

/// A token bucket over a sliding window of seconds.
///
/// A deposit is one load and one addition to the cell of its second. A withdrawal takes a short lock that deposits never wait
/// for; it takes the oldest tokens first.
#[derive(Debug)]
pub(super) struct Budget {
    began: Instant,
    /// Thousandths of a retry that a call deposits.
    share: u32,
    /// Thousandths of retries that are there without any call.
    reserve: u32,
    /// The second in the upper half, the thousandths deposited in it and not yet spent in the lower.
    deposits: [AtomicU64; CELLS],
    /// What was taken of the reserve, by second.
    taken: Mutex<[(u32, u32); CELLS]>,
}

impl Budget {
    /// A budget to which each call adds `percent` of a retry, beside a reserve of whole retries.
    pub(super) fn new(began: Instant, percent: u32, reserve: u32) -> Self {
        Self {
            began,
            share: percent.min(100) * (RETRY / 100),
            reserve: reserve.min(FULL / RETRY) * RETRY,
            deposits: Default::default(),
            taken: Mutex::default(),
        }
    }

    /// Adds a call's share.
    pub(super) fn deposit(&self, now: Instant) {
        self.add(now, self.share);
    }

    /// Adds a call's share of so many percent, whatever the usual one is.
    pub(super) fn deposit_percent(&self, now: Instant, percent: u32) {
        self.add(now, percent.min(100) * (RETRY / 100));
    }

    fn add(&self, now: Instant, share: u32) {
        let second = self.second(now);
        let cell = &self.deposits[place(second)];
        let (of, held) = split(cell.load(Ordering::Relaxed));
        if of == second && held < FULL {
            cell.fetch_add(u64::from(share), Ordering::Relaxed);
        } else {
            Self::begin(cell, second, share);
        }
    }

    /// The first deposit of a second; out of line, because it is rare.
    #[cold]
    fn begin(cell: &AtomicU64, second: u32, share: u32) {
        // What comes too late for its cell, or finds it full, adds nothing.
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| match split(seen) {
            (of, _) if of < second => Some(join(second, share)),
            (of, held) if of == second && held < FULL => Some(seen + u64::from(share)),
            _ => None,
        });
    }

    /// Takes one retry out, if there is one.
    pub(super) fn withdraw(&self, now: Instant) -> bool {
        let second = self.second(now);
        let mut taken = self.taken();
        let spare = self.spare(&taken, second);
        if self.deposited(second) + spare < RETRY {
            return false;
        }
        let mut due = RETRY;
        for second in window(second) {
            let mut got = 0;
            let cell = &self.deposits[place(second)];
            let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                let (of, held) = split(seen);
                got = if of == second { held.min(due) } else { 0 };
                (got > 0).then(|| seen - u64::from(got))
            });
            due -= got;
        }
        let of_reserve = due.min(spare);
        if of_reserve > 0 {
            let (of, sum) = &mut taken[place(second)];
            *sum = of_reserve + if *of == second { *sum } else { 0 };
            *of = second;
        }
        // Less than was counted is there only if a cell was written anew meanwhile: then nothing is given out for it.
        due == of_reserve
    }

    /// How many retries are left, with their fraction.
    pub(super) fn left(&self, now: Instant) -> f64 {
        let second = self.second(now);
        let taken = self.taken();
        f64::from(self.deposited(second) + self.spare(&taken, second)) / f64::from(RETRY)
    }

    /// Whether it holds no more than a new one would.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let second = self.second(now);
        self.deposited(second) == 0 && self.spare(&self.taken(), second) == self.reserve
    }

    fn deposited(&self, second: u32) -> u32 {
        let held = |second| match split(self.deposits[place(second)].load(Ordering::Relaxed)) {
            (of, held) if of == second => held,
            _ => 0,
        };
        window(second).map(held).sum()
    }

    fn spare(&self, taken: &[(u32, u32); CELLS], second: u32) -> u32 {
        let lent = |second| match taken[place(second)] {
            (of, sum) if of == second => sum,
            _ => 0,
        };
        self.reserve.saturating_sub(window(second).map(lent).sum())
    }

    fn taken(&self) -> MutexGuard<'_, [(u32, u32); CELLS]> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds are counted from [`WINDOW`], so that what no second has written counts for none.
    fn second(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.began).as_secs();
        u32::try_from(passed).unwrap_or(u32::MAX).min(u32::MAX - 2 * WINDOW) + WINDOW
    }
}

/// The seconds that count, the oldest first.
fn window(second: u32) -> impl Iterator<Item = u32> {
    second + 1 - WINDOW..=second
}

const fn place(second: u32) -> usize {
    second as usize % CELLS
}

const fn split(cell: u64) -> (u32, u32) {
    ((cell >> 32) as u32, cell as u32)
}

const fn join(second: u32, held: u32) -> u64 {
    (second as u64) << 32 | held as u64
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    fn start() -> Instant {
        ManualClock::new().now()
    }

    /// The same, kept as a list of what was put in and taken out.
    #[derive(Default)]
    struct Model {
        deposits: VecDeque<(u64, u32)>,
        taken: VecDeque<(u64, u32)>,
        reserve: u32,
    }

    impl Model {
        fn expire(&mut self, second: u64) {
            for list in [&mut self.deposits, &mut self.taken] {
                list.retain(|(at, _)| at + u64::from(WINDOW) > second);
            }
        }

        fn left(&self) -> u32 {
            let sum = |list: &VecDeque<(u64, u32)>| list.iter().map(|(_, held)| held).sum::<u32>();
            sum(&self.deposits) + self.reserve - sum(&self.taken)
        }

        fn withdraw(&mut self, second: u64) -> bool {
            if self.left() < RETRY {
                return false;
            }
            let mut due = RETRY;
            for (_, held) in &mut self.deposits {
                let got = due.min(*held);
                (*held, due) = (*held - got, due - got);
            }
            self.taken.push_back((second, due));
            true
        }
    }

    #[test]
    fn a_lone_call_has_the_reserve_and_no_more() {
        let (budget, now) = (Budget::new(start(), 10, 3), start());
        budget.deposit(now);
        assert_eq!((0..9).filter(|_| budget.withdraw(now)).count(), 3);
        assert!((budget.left(now) - 0.1).abs() < 1e-9);
        let later = now + Duration::from_secs(10);
        assert_eq!((0..9).filter(|_| budget.withdraw(later)).count(), 3, "the reserve is back after the window");
    }

    #[test]
    fn ten_calls_pay_for_one_retry_until_the_window_has_passed() {
        let begin = start();
        let budget = Budget::new(begin, 10, 1);
        assert!(budget.withdraw(begin) && !budget.withdraw(begin));
        for _ in 0..25 {
            budget.deposit(begin);
        }
        assert!(budget.withdraw(begin) && budget.withdraw(begin) && !budget.withdraw(begin));
        for _ in 0..10 {
            budget.deposit(begin + Duration::from_secs(1));
        }
        assert!(!budget.is_idle(begin + Duration::from_secs(10)));
        assert!(budget.is_idle(begin + Duration::from_secs(11)));
    }

    #[test]
    fn extremes_saturate() {
        let begin = start();
        let budget = Budget::new(begin, u32::MAX, u32::MAX);
        let cell = &budget.deposits[place(budget.second(begin))];
        budget.deposit(begin);
        cell.store(join(budget.second(begin), FULL), Ordering::Relaxed);
        budget.deposit(begin);
        assert_eq!(split(cell.load(Ordering::Relaxed)).1, FULL);
        assert!(budget.left(begin) > 500_000.0 && budget.withdraw(begin));
        let before = begin.checked_sub(Duration::from_secs(1)).unwrap_or(begin);
        assert!(budget.withdraw(before), "a reading from before the start counts as the start");
        let far = begin.checked_add(Duration::from_secs(1 << 33)).unwrap_or(begin);
        budget.deposit(far);
        assert!(budget.withdraw(far));
    }

    #[test]
    fn threads_together_get_no_more_than_is_there() {
        let begin = start();
        let budget = Budget::new(begin, 10, 3);
        let got: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5_000)
                            .filter(|_| {
                                budget.deposit(begin);
                                budget.withdraw(begin)
                            })
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(got, 2_003);
        assert!(budget.left(begin).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn no_more_is_taken_than_was_put_in_within_the_window(
            percent in 1..=100_u32,
            reserve in 0..5_u32,
            steps in proptest::collection::vec((0..4_000_u64, 0..30_u32, 0..6_u32), 1..60),
        ) {
            let begin = start();
            let budget = Budget::new(begin, percent, reserve);
            let mut model = Model { reserve: reserve * RETRY, ..Model::default() };
            let mut passed = 0;
            for (millis, calls, retries) in steps {
                // Four of five steps stay in their second.
                passed += if millis % 5 == 0 { millis } else { 0 };
                let now = begin + Duration::from_millis(passed);
                model.expire(passed / 1000);
                for _ in 0..calls {
                    budget.deposit(now);
                    model.deposits.push_back((passed / 1000, percent * 10));
                }
                for _ in 0..retries {
                    prop_assert_eq!(budget.withdraw(now), model.withdraw(passed / 1000));
                }
                prop_assert!((budget.left(now) - f64::from(model.left()) / 1000.0).abs() < 1e-9);
            }
        }
    }
}
