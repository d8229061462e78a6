//! How many calls one connection may make in a second: the GCRA over one moment. Pure.

use std::time::{Duration, Instant};

/// So many in a second, and as many at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    each: Duration,
    per_second: u32,
    /// When the next call would be due if calls came evenly.
    due: Option<Instant>,
}

impl Gate {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        Self { each: Duration::from_secs(1) / per_second, per_second, due: None }
    }

    pub(super) const fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Counts a call.
    ///
    /// # Errors
    /// How long it has to wait; it was not counted.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let due = self.due.map_or(now, |due| due.max(now));
        let ahead = due.saturating_duration_since(now);
        let most = self.each * (self.per_second - 1);
        if ahead > most {
            return Err(ahead.saturating_sub(most));
        }
        self.due = due.checked_add(self.each);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, ManualClock};

    #[test]
    fn a_burst_of_a_second_passes_and_then_one_at_a_time() {
        let (mut gate, mut now) = (Gate::new(10), ManualClock::new().now());
        assert!((0..10).all(|_| gate.take(now).is_ok()));
        for _ in 0..5 {
            assert_eq!(gate.take(now), Err(Duration::from_millis(100)));
            now += Duration::from_millis(100);
            assert_eq!(gate.take(now), Ok(()));
        }
        now += Duration::from_secs(100);
        assert_eq!((0..20).filter(|_| gate.take(now).is_ok()).count(), 10, "what was not used is not saved up");
    }
}
