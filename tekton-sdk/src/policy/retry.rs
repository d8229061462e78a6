//! Another attempt for what was certainly not sent.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::{Next, Policy, RetryConfig};
use crate::{
    error::{Error, Result, RetryHint},
    random::Random,
    time::{BoxFuture, SharedClock},
    transport::{Request, Response},
};

/// Tries again, after a wait, what was certainly not sent: the connection could not be made.
///
/// The wait is drawn evenly from zero up to a bound that doubles with each attempt ("full jitter": Brooker, *Exponential
/// Backoff and Jitter*, 2015). A request whose body is a stream is tried once. The wait never outlasts the deadline: if the
/// next attempt could not begin in time, the failure is returned at once.
#[derive(Clone, Debug)]
pub struct Retry {
    config: RetryConfig,
    clock: SharedClock,
    random: Random,
}

impl Retry {
    /// Retries as configured.
    #[must_use]
    pub const fn new(config: RetryConfig, clock: SharedClock, random: Random) -> Self {
        Self { config, clock, random }
    }

    fn bounds(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(self.config.base_delay)
            .with_max_delay(self.config.max_delay)
            .with_max_times(self.config.max_attempts.saturating_sub(1) as usize)
            .build()
    }

    async fn again(&self, mut spare: Request, next: Next<'_>, mut failed: Error) -> Result<Response> {
        for bound in self.bounds() {
            if failed.retry_hint() != RetryHint::Always {
                break;
            }
            let wait = self.random.up_to(bound);
            if spare.call.deadline.is_some_and(|deadline| deadline.remaining(self.clock.now()) <= wait) {
                break;
            }
            self.clock.sleep(wait).await;
            spare.call.attempt += 1;
            let Some(request) = spare.try_clone() else { break };
            match next.run(request).await {
                Ok(response) => return Ok(response),
                Err(error) => failed = error,
            }
        }
        Err(failed.with_attempts(spare.call.attempt))
    }
}

impl Policy for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let spare = if self.config.max_attempts > 1 { request.try_clone() } else { None };
        let first = next.run(request);
        Box::pin(async move {
            match (first.await, spare) {
                (Ok(response), _) => Ok(response),
                (Err(error), None) => Err(error.with_attempts(1)),
                // Boxed, because most calls never come here: their future need not have room for it.
                (Err(error), Some(spare)) => Box::pin(self.again(spare, next, error)).await,
            }
        })
    }
}
