//! State, window and thresholds together: what a call asks of a breaker that is not open.

use super::super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{CountWindow, Counts, Mark, Mode, StateCell, TimeWindow, number, pack, tag};

/// When a closed breaker opens. A rate that is `None` is no rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Rules {
    pub(in super::super) min_calls: u32,
    pub(in super::super) failure_rate: Option<f64>,
    pub(in super::super) slow_rate: Option<f64>,
    pub(in super::super) in_a_row: Option<u32>,
    /// Whether every rule must hold, rather than any.
    pub(in super::super) all: bool,
}

/// Which rule opened a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Tripped {
    FailureRate,
    SlowRate,
    InARow,
    All,
}

impl Rules {
    /// Which rule holds of these counts, and of this many failures in a row.
    pub(in super::super) fn judge(&self, counts: Counts, in_a_row: u32) -> Option<Tripped> {
        let enough = counts.calls > 0 && counts.calls >= u64::from(self.min_calls);
        // A division rounds a fraction just as the setting was rounded when it was read: 7 of 100 is 0.07, exactly.
        let over = |part: u64, rate: f64| enough && part as f64 / counts.calls as f64 >= rate;
        let failed = self.failure_rate.map(|rate| over(counts.failed, rate));
        let slow = self.slow_rate.map(|rate| over(counts.slow, rate));
        let row = self.in_a_row.map(|limit| in_a_row >= limit);
        if self.all {
            let rules = [failed, slow, row];
            let hold = rules.iter().flatten().all(|holds| *holds) && rules.iter().flatten().next().is_some();
            return hold.then_some(Tripped::All);
        }
        match (failed, slow, row) {
            (Some(true), ..) => Some(Tripped::FailureRate),
            (_, Some(true), _) => Some(Tripped::SlowRate),
            (.., Some(true)) => Some(Tripped::InARow),
            _ => None,
        }
    }
}

/// The rules, exchanged while calls read them. A reader in the middle of a change may see old and new ones mixed, once.
#[derive(Debug)]
struct RulesCell {
    min_calls: AtomicU32,
    /// The bits of the rate; [`OFF`] is none.
    failure_rate: AtomicU64,
    slow_rate: AtomicU64,
    /// [`OFF`] in its lower half is none.
    in_a_row: AtomicU32,
    all: AtomicU32,
}

const OFF: u64 = u64::MAX;

impl RulesCell {
    fn new(rules: Rules) -> Self {
        let cell = Self {
            min_calls: AtomicU32::new(0),
            failure_rate: AtomicU64::new(OFF),
            slow_rate: AtomicU64::new(OFF),
            in_a_row: AtomicU32::new(OFF as u32),
            all: AtomicU32::new(0),
        };
        cell.set(rules);
        cell
    }

    fn set(&self, rules: Rules) {
        self.min_calls.store(rules.min_calls, Ordering::Relaxed);
        self.failure_rate.store(rules.failure_rate.map_or(OFF, f64::to_bits), Ordering::Relaxed);
        self.slow_rate.store(rules.slow_rate.map_or(OFF, f64::to_bits), Ordering::Relaxed);
        self.in_a_row.store(rules.in_a_row.unwrap_or(OFF as u32), Ordering::Relaxed);
        self.all.store(u32::from(rules.all), Ordering::Relaxed);
    }

    fn get(&self) -> Rules {
        let rate = |cell: &AtomicU64| {
            let bits = cell.load(Ordering::Relaxed);
            (bits != OFF).then(|| f64::from_bits(bits))
        };
        let in_a_row = self.in_a_row.load(Ordering::Relaxed);
        Rules {
            min_calls: self.min_calls.load(Ordering::Relaxed),
            failure_rate: rate(&self.failure_rate),
            slow_rate: rate(&self.slow_rate),
            in_a_row: (in_a_row != OFF as u32).then_some(in_a_row),
            all: self.all.load(Ordering::Relaxed) != 0,
        }
    }
}

/// The calls that are remembered.
#[derive(Debug)]
enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

/// What every call touches.
#[derive(Debug)]
pub(in super::super) struct Front {
    state: StateCell,
    window: Window,
    /// The failures since the last success, tagged with the epoch.
    row: AtomicU64,
    rules: RulesCell,
}

impl Front {
    /// A closed breaker over the last `calls`, or over the last `seconds` if they are given. Its first epoch is 1.
    pub(in super::super) fn new(calls: u32, seconds: Option<u32>, rules: Rules) -> Self {
        let window = match seconds {
            Some(seconds) => Window::Time(TimeWindow::new(seconds, 1)),
            None => Window::Count(CountWindow::new(calls, 1)),
        };
        Self {
            state: StateCell::new(Mode::Closed, 1),
            window,
            row: AtomicU64::new(pack(1, 0)),
            rules: RulesCell::new(rules),
        }
    }

    /// The state and its epoch.
    #[inline]
    pub(in super::super) fn state(&self) -> (Mode, u32) {
        self.state.get()
    }

    /// Whether a record asks which second it is.
    pub(in super::super) const fn counts_seconds(&self) -> bool {
        matches!(self.window, Window::Time(_))
    }

    /// Whether a swift success would change nothing: then there is nothing to record.
    #[inline]
    pub(in super::super) fn is_settled(&self, epoch: u32) -> bool {
        match &self.window {
            Window::Count(window) => window.is_full_of_successes(epoch),
            Window::Time(_) => false,
        }
    }

    /// Records a call of a state that records calls, and says which rule that made hold.
    /// A result of an older epoch counts nothing.
    pub(in super::super) fn record(&self, epoch: u32, second: u32, mark: Mark) -> Option<Tripped> {
        if !self.state.is_in(epoch) {
            return None;
        }
        // The row before the window: a window that is full of successes then vouches for a row of none.
        let in_a_row = self.run_on(epoch, mark.failed)?;
        let counts = match &self.window {
            Window::Count(window) => window.record(epoch, mark)?,
            Window::Time(window) => window.record(epoch, second, mark)?,
        };
        if counts.failed == 0 && counts.slow == 0 && in_a_row == 0 {
            return None;
        }
        self.rules.get().judge(counts, in_a_row)
    }

    /// What the window holds at this second, of whatever epoch it is.
    pub(in super::super) fn shown(&self, second: u32) -> Counts {
        match &self.window {
            Window::Count(window) => window.shown(),
            Window::Time(window) => window.shown(second),
        }
    }

    /// The rules.
    pub(in super::super) fn rules(&self) -> Rules {
        self.rules.get()
    }

    /// Changes the rules; what is remembered stays.
    pub(in super::super) fn set_rules(&self, rules: Rules) {
        self.rules.set(rules);
    }

    /// Begins another epoch, in a state that has its own record (`fresh`) or keeps showing the last one. Called by
    /// whoever holds the machine's lock.
    pub(in super::super) fn enter(&self, mode: Mode, epoch: u32, fresh: bool) {
        if fresh {
            self.row.swap(pack(epoch, 0), Ordering::AcqRel);
            match &self.window {
                Window::Count(window) => window.reset(epoch),
                Window::Time(window) => window.reset(epoch),
            }
        }
        self.state.set(mode, epoch);
    }

    /// Counts one more failure in a row, or ends the row; `None` if the epoch is over.
    fn run_on(&self, epoch: u32, failed: bool) -> Option<u32> {
        let mut word = self.row.load(Ordering::Acquire);
        loop {
            if tag(word) != epoch {
                return None;
            }
            let row = if failed { number(word).saturating_add(1) } else { 0 };
            if row == number(word) {
                return Some(row);
            }
            match self.row.compare_exchange_weak(word, pack(epoch, row), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(row),
                Err(changed) => word = changed,
            }
        }
    }
}
