//! How often a loss is told: at once, then once per window with what came together.

use std::time::{Duration, Instant};

/// What was lost and not told yet.
#[derive(Debug)]
pub(in crate::patterns::events) struct Told {
    window: Duration,
    last: Option<Instant>,
    untold: u64,
}

impl Told {
    pub(in crate::patterns::events) const fn new(window: Duration) -> Self {
        Self { window, last: None, untold: 0 }
    }

    /// So many were lost; what is to be told now, if anything is.
    pub(in crate::patterns::events) fn on(&mut self, now: Instant, lost: u64) -> Option<u64> {
        self.untold += lost;
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.window);
        if !due || self.untold == 0 {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// What was never told, at the end.
    pub(in crate::patterns::events) fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.untold)).filter(|untold| *untold > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    proptest! {
        #[test]
        fn it_is_told_once_a_window_and_nothing_is_forgotten(steps in prop::collection::vec((0_u64..4, 0_u64..5), 1..60)) {
            let clock = ManualClock::new();
            let mut told = Told::new(Duration::from_secs(10));
            let (mut lost, mut sum, mut last) = (0, 0, None::<Instant>);
            for (seconds, count) in steps {
                clock.advance(Duration::from_secs(seconds));
                lost += count;
                if let Some(count) = told.on(clock.now(), count) {
                    prop_assert!(count > 0);
                    prop_assert!(last.is_none_or(|last| clock.now() - last >= Duration::from_secs(10)));
                    last = Some(clock.now());
                    sum += count;
                }
                prop_assert!(last.is_some() || lost == 0, "the first loss is told at once");
            }
            sum += told.rest().unwrap_or(0);
            prop_assert_eq!(sum, lost);
        }
    }
}
