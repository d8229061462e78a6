//! How long to wait between attempts.

use std::{fmt, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::random::Random;

/// The waits of one call.
pub(super) type Waits = Box<dyn Iterator<Item = Duration> + Send>;

/// Makes the waits between the attempts of a call.
///
/// Unless another is given the wait is drawn evenly from zero up to a bound that doubles with each attempt, from
/// `retry.base_delay` up to `retry.max_delay` ("full jitter": Brooker, *Exponential Backoff and Jitter*, 2015).
///
/// Any iterator of waits serves, and so every builder of `backon`:
///
/// ```
/// use std::time::Duration;
///
/// use backon::{BackoffBuilder, FibonacciBuilder};
/// use tekton_sdk::{Tekton, policy::Backoff};
///
/// let fibonacci = Backoff::new(|| FibonacciBuilder::default().with_min_delay(Duration::from_millis(50)).build());
/// let tekton = Tekton::builder().backoff(fibonacci).build()?;
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Backoff(Arc<dyn Fn() -> Waits + Send + Sync>);

impl Backoff {
    /// Asks `waits` for an iterator at the first failure of a call. Each of its items is a wait as it is, without jitter added;
    /// where it ends, the attempts end, if `retry.max_attempts` does not end them before.
    pub fn new<W>(waits: impl Fn() -> W + Send + Sync + 'static) -> Self
    where
        W: Iterator<Item = Duration> + Send + 'static,
    {
        Self(Arc::new(move || Box::new(waits())))
    }

    /// Full jitter below bounds that double.
    pub(super) fn full_jitter(base_delay: Duration, max_delay: Duration, random: Random) -> Self {
        let bounds = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(base_delay)
            .with_max_delay(max_delay)
            .without_max_times();
        Self::new(move || {
            let random = random.clone();
            bounds.build().map(move |bound| random.up_to(bound))
        })
    }

    /// The waits of a new call.
    pub(super) fn waits(&self) -> Waits {
        (self.0)()
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_lie_below_bounds_that_double_up_to_the_longest() {
        let backoff = Backoff::full_jitter(Duration::from_millis(100), Duration::from_secs(1), Random::seeded(1));
        let bounds = [100, 200, 400, 800, 1000, 1000].map(Duration::from_millis);
        let mut highest = [Duration::ZERO; 6];
        for _ in 0..200 {
            for (at, (wait, bound)) in backoff.waits().zip(bounds).enumerate() {
                assert!(wait <= bound, "{wait:?} of {bound:?}");
                highest[at] = highest[at].max(wait);
            }
        }
        assert!(highest.iter().zip(bounds).all(|(highest, bound)| *highest > bound / 10 * 9), "{highest:?}");
    }
}
