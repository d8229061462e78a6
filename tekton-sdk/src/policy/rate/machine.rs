//! How fast a callee that answers 429 or 503 may be called: it takes what it is told, and has no clock of its own.

use std::time::{Duration, Instant};

/// The lowest rate, so that somebody finds out when the callee is well again.
pub(super) const FLOOR: f64 = 0.5;
/// What is left of the rate after a cut.
const KEPT: f64 = 0.7;
/// How fast the rate comes back, in attempts a second per cubic second.
const GROWTH: f64 = 0.4;
/// The shortest time between two cuts, and the shortest over which it is measured how fast the callee was called.
const INTERVAL: Duration = Duration::from_millis(250);
/// How much of what a timer oversleeps is made up for.
const LATE: Duration = Duration::from_millis(5);
/// The longest time that a callee can ask to be left alone.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The rate between [`FLOOR`] and what is configured.
///
/// It is cut to seven tenths by a refusal of the callee, and then comes back along a cubic curve, as TCP's congestion window does
/// in RFC 9438: fast up to where it was cut, slowly around it, and faster again beyond. An attempt that went out before a cut says
/// nothing about the rate after it, so a refusal cuts only if its attempt is younger than the last cut.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many cuts there were.
    epoch: u64,
    cut: Option<Cut>,
    /// Nothing is sent before.
    paused: Option<Instant>,
    /// When the next one may go, where the rate is cut.
    next: Option<Instant>,
    /// How many went since the last cut.
    sent: u32,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    /// The rate that was too high.
    from: f64,
    at: Instant,
    /// Since when the rate grows, and the attempts are counted: not while nothing may be sent.
    grows: Instant,
}

impl Pace {
    /// The rate at this moment.
    pub(super) fn rate(&self, ceiling: f64, now: Instant) -> f64 {
        let Some(cut) = self.cut else { return ceiling };
        let grown = now.saturating_duration_since(cut.grows).as_secs_f64();
        let back = (cut.from * (1.0 - KEPT) / GROWTH).cbrt();
        (cut.from + GROWTH * (grown - back).powi(3)).clamp(FLOOR.min(ceiling), ceiling)
    }

    /// Whether the callee is called less often than is configured, or not at all.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut.is_some() || self.paused.is_some()
    }

    /// Whether nothing is sent at this moment because the callee said so.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.paused.is_some_and(|until| now < until)
    }

    /// How many cuts there were.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Forgets a pause that is over and a cut that has healed.
    pub(super) fn settle(&mut self, ceiling: f64, now: Instant) {
        self.paused = self.paused.filter(|until| now < *until);
        if self.cut.is_some() && self.rate(ceiling, now) >= ceiling {
            (self.cut, self.next) = (None, None);
        }
    }

    /// Forgets everything but the number of cuts.
    pub(super) const fn reset(&mut self) {
        (self.cut, self.paused, self.next) = (None, None, None);
    }

    /// When the next one may go, not before `now`.
    pub(super) fn turn(&self, now: Instant) -> Instant {
        [self.paused, self.next].into_iter().flatten().fold(now, Instant::max)
    }

    /// One goes.
    pub(super) fn goes(&mut self, ceiling: f64, now: Instant) {
        if self.cut.is_some() {
            self.sent = self.sent.saturating_add(1);
            let due = self.next.unwrap_or(now).max(now.checked_sub(LATE).unwrap_or(now));
            self.next = due.checked_add(self.spacing(ceiling, now));
        }
    }

    /// How far apart two of them are.
    pub(super) fn spacing(&self, ceiling: f64, now: Instant) -> Duration {
        Duration::from_secs_f64(self.rate(ceiling, now).recip())
    }

    /// The callee refused an attempt that went out in this epoch, and asks to be left alone for so long.
    pub(super) fn refused(&mut self, epoch: u64, ceiling: f64, wait: Option<Duration>, now: Instant) {
        let fresh = |cut: Cut| now.saturating_duration_since(cut.at) >= INTERVAL;
        if epoch == self.epoch && self.cut.is_none_or(fresh) {
            let rate = self.rate(ceiling, now);
            // A rate that nobody used says nothing of what the callee bears.
            let from = self.measured(now).map_or(rate, |measured| rate.min(measured.max(FLOOR)));
            self.cut = Some(Cut { from, at: now, grows: now });
            (self.epoch, self.sent) = (self.epoch + 1, 0);
            // What went just now counts at the rate that holds from now on.
            self.next = now.checked_add(self.spacing(ceiling, now));
        }
        let asked = wait.and_then(|wait| now.checked_add(wait.min(MAX_PAUSE)));
        self.paused = self.paused.max(asked);
        if let (Some(cut), Some(until)) = (&mut self.cut, self.paused) {
            cut.grows = cut.grows.max(until);
        }
    }

    /// How fast the callee was called since the last cut.
    fn measured(&self, now: Instant) -> Option<f64> {
        let over = now.saturating_duration_since(self.cut?.grows);
        (over >= INTERVAL).then(|| f64::from(self.sent) / over.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    const SECOND: Duration = Duration::from_secs(1);

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn a_refusal_cuts_to_seven_tenths_and_the_rate_comes_back() {
        let now = ManualClock::new().now();
        let mut pace = Pace::default();
        pace.refused(0, 100.0, None, now);
        assert!(close(pace.rate(100.0, now), 70.0));
        // The cube root of 100 · 0.3 / 0.4.
        let back = Duration::from_secs_f64(75_f64.cbrt());
        assert!(close(pace.rate(100.0, now + back), 100.0), "{}", pace.rate(100.0, now + back));
        assert!(pace.rate(100.0, now + back / 2) > 95.0, "most of it comes back soon");
        assert!(pace.rate(200.0, now + 2 * back) > 129.0, "and goes on beyond");
        pace.settle(100.0, now + back + SECOND);
        assert!(!pace.is_cut());
    }

    #[test]
    fn what_went_out_before_a_cut_does_not_cut_again() {
        let now = ManualClock::new().now();
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.refused(0, 100.0, None, now);
        }
        assert_eq!(pace.epoch(), 1);
        pace.refused(0, 100.0, None, now + 10 * INTERVAL);
        assert_eq!(pace.epoch(), 1, "it was under way before the cut, however late it comes");
        pace.refused(1, 100.0, None, now + INTERVAL / 2);
        assert_eq!(pace.epoch(), 1, "that is too soon");
        pace.refused(1, 100.0, None, now + INTERVAL);
        assert_eq!(pace.epoch(), 2);
    }

    #[test]
    fn a_second_cut_goes_by_how_fast_the_callee_was_called() {
        let now = ManualClock::new().now();
        let mut pace = Pace::default();
        pace.refused(0, 1000.0, None, now);
        for _ in 0..10 {
            pace.goes(1000.0, now + SECOND);
        }
        pace.refused(1, 1000.0, None, now + SECOND);
        assert!(close(pace.rate(1000.0, now + SECOND), 7.0), "{}", pace.rate(1000.0, now + SECOND));
    }

    #[test]
    fn a_pause_holds_everything_and_the_rate_grows_after_it() {
        let now = ManualClock::new().now();
        let mut pace = Pace::default();
        pace.refused(0, 100.0, Some(60 * SECOND), now);
        assert_eq!(pace.turn(now), now + 60 * SECOND);
        assert!(close(pace.rate(100.0, now + 60 * SECOND), 70.0));
        pace.refused(0, 100.0, Some(5 * SECOND), now);
        assert_eq!(pace.turn(now), now + 60 * SECOND, "the longest that was asked for");
        pace.refused(0, 100.0, Some(86_400 * SECOND), now);
        assert_eq!(pace.turn(now), now + MAX_PAUSE);
        pace.settle(100.0, now + MAX_PAUSE);
        assert!(!pace.is_paused(now + MAX_PAUSE) && pace.is_cut());
    }

    #[test]
    fn attempts_are_spread_while_the_rate_is_cut() {
        let now = ManualClock::new().now();
        let mut pace = Pace::default();
        pace.goes(10.0, now);
        assert_eq!(pace.turn(now), now);
        pace.refused(0, 10.0, None, now);
        assert!(pace.turn(now) > now + SECOND / 8);
        let turn = pace.turn(now);
        pace.goes(10.0, turn);
        assert!(pace.turn(turn) > turn + SECOND / 10);
    }

    #[test]
    fn what_a_timer_oversleeps_is_made_up_for() {
        let (start, millis) = (ManualClock::new().now(), Duration::from_millis);
        let mut pace = Pace::default();
        pace.refused(0, 5000.0, None, start);
        let (mut now, mut went) = (start, 0);
        while now < start + millis(100) {
            while pace.turn(now) <= now {
                pace.goes(5000.0, now);
                went += 1;
            }
            now += millis(1);
        }
        assert!((340..=380).contains(&went), "{went} in 100 ms at 3500 a second and a little more");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Passes(u64),
        Goes,
        Refused { behind: u64, wait: Option<u64> },
        Settles,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..5000).prop_map(Step::Passes),
            Just(Step::Goes),
            (0_u64..3, proptest::option::of(0_u64..100_000)).prop_map(|(behind, wait)| Step::Refused { behind, wait }),
            Just(Step::Settles),
        ]
    }

    proptest! {
        #[test]
        fn the_rate_stays_within_its_bounds_falls_by_refusals_only_and_comes_back(
            ceiling in 1_u32..1_000_000,
            steps in proptest::collection::vec(step(), 1..100),
        ) {
            let ceiling = f64::from(ceiling);
            let (mut pace, mut now) = (Pace::default(), ManualClock::new().now());
            for step in steps {
                let before = pace.rate(ceiling, now);
                match step {
                    Step::Passes(millis) => {
                        now += Duration::from_millis(millis);
                        prop_assert!(pace.rate(ceiling, now) >= before - 1e-6, "it fell by itself");
                    }
                    Step::Goes => {
                        pace.goes(ceiling, now);
                        prop_assert!(close(pace.rate(ceiling, now), before));
                        let wait = Duration::from_secs_f64(before.recip()).saturating_sub(LATE + Duration::from_nanos(1));
                        prop_assert!(pace.cut.is_none() || pace.turn(now) >= now + wait);
                    }
                    Step::Refused { behind, wait } => {
                        let epoch = pace.epoch().saturating_sub(behind);
                        let wait = wait.map(Duration::from_millis);
                        pace.refused(epoch, ceiling, wait, now);
                        prop_assert!(pace.rate(ceiling, now) <= before + 1e-6, "a refusal made it faster");
                        if let Some(wait) = wait {
                            prop_assert!(pace.turn(now) >= now + wait.min(MAX_PAUSE));
                        }
                    }
                    Step::Settles => {
                        pace.settle(ceiling, now);
                        prop_assert!(close(pace.rate(ceiling, now), before));
                    }
                }
                prop_assert!((FLOOR.min(ceiling)..=ceiling).contains(&pace.rate(ceiling, now)));
                prop_assert!(pace.turn(now) <= now + MAX_PAUSE + 2 * SECOND, "it never stops");
            }
            // Left alone, it is as it was: after the pause and twice the cube root of what there is to regain.
            let longest = MAX_PAUSE + Duration::from_secs_f64(2.0 * (ceiling / GROWTH).cbrt() + 1.0);
            pace.settle(ceiling, now + longest);
            prop_assert!(!pace.is_cut(), "{pace:?}");
        }
    }
}
