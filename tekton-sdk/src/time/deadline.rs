//! A point in monotonic time after which nobody waits for the answer.

use std::time::{Duration, Instant};

/// When the answer is no longer wanted. It crosses the wire as the time that remains, because clocks differ.
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::time::{Clock, Deadline, ManualClock};
///
/// let clock = ManualClock::new();
/// let deadline = Deadline::after(clock.now(), Duration::from_secs(2));
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(deadline.remaining(clock.now()), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The longest span a deadline can have: 30 days. Longer ones are cut to it, so that no arithmetic overflows.
    pub const MAX: Duration = Duration::from_secs(30 * 24 * 3600);

    /// The deadline this long after `now`.
    #[must_use]
    pub fn after(now: Instant, span: Duration) -> Self {
        Self(now.checked_add(span.min(Self::MAX)).unwrap_or(now))
    }

    /// The time left; zero once it has passed.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_past(self, now: Instant) -> bool {
        now >= self.0
    }

    /// The point itself.
    pub(crate) const fn instant(self) -> Instant {
        self.0
    }

    /// The earlier of the two.
    #[must_use]
    pub fn earlier(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| self.min(other))
    }
}
