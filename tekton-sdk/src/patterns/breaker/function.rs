//! The breaker of one function: what `#[circuit_breaker]` expands to.

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{BreakerConfig, ByResult, CircuitBreaker, Refused};
use crate::{error::Verdict, policy::Classify, random::Random, telemetry::Observers, time::SharedClock};

/// Those that were made: at most one for each `#[circuit_breaker]` in the program.
static MADE: Mutex<Vec<CircuitBreaker>> = Mutex::new(Vec::new());

/// The breakers of all functions with `#[circuit_breaker]` that were called so far, in the order of their first calls.
///
/// They are the functions' own: to reset one here, or to force it open, is felt by the next call.
///
/// ```
/// use tekton_sdk::{Error, Result, patterns::breaker::{BreakerState, function_breakers}};
///
/// #[tekton_sdk::circuit_breaker(failure_threshold = 1, timeout = "30s", name = "billing.charge")]
/// fn charge() -> Result<()> {
///     Err(Error::internal("it is down"))
/// }
///
/// assert!(charge().is_err());
/// let breaker = function_breakers().into_iter().find(|breaker| breaker.name() == "billing.charge").unwrap();
/// assert_eq!(breaker.state(), BreakerState::Open);
/// breaker.reset();
/// assert_eq!(charge().unwrap_err().kind(), tekton_sdk::ErrorKind::Internal);
/// ```
#[must_use]
pub fn function_breakers() -> Vec<CircuitBreaker> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The breaker of one function, on the runtime's clock; made at the first call.
pub struct FunctionBreaker {
    name: &'static str,
    failure_threshold: u32,
    open_wait: Duration,
    made: OnceLock<CircuitBreaker>,
}

impl FunctionBreaker {
    /// One that is not made yet; it opens after this many failures in a row, one at least.
    #[must_use]
    pub const fn new(name: &'static str, failure_threshold: u32, open_wait: Duration) -> Self {
        Self { name, failure_threshold, open_wait, made: OnceLock::new() }
    }

    /// Makes a call through it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work and counts nothing.
    pub async fn call<R: Guarded, F: Future<Output = R>>(&self, work: F) -> R {
        match self.get().acquire() {
            Err(refused) => R::refused(refused),
            Ok(permit) => {
                let outcome = work.await;
                permit.settle(outcome.verdict());
                outcome
            }
        }
    }

    /// Makes a synchronous call through it.
    pub fn call_sync<R: Guarded, F: FnOnce() -> R>(&self, work: F) -> R {
        match self.get().acquire() {
            Err(refused) => R::refused(refused),
            Ok(permit) => {
                let outcome = work();
                permit.settle(outcome.verdict());
                outcome
            }
        }
    }

    #[inline]
    fn get(&self) -> &CircuitBreaker {
        self.made.get_or_init(|| {
            let config = BreakerConfig::in_a_row(self.failure_threshold.max(1), self.open_wait);
            let (clock, random) = (SharedClock::default(), Random::new());
            let breaker = CircuitBreaker::made(self.name.into(), config, clock, random, Observers::default());
            MADE.lock().unwrap_or_else(PoisonError::into_inner).push(breaker.clone());
            breaker
        })
    }
}

impl fmt::Debug for FunctionBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionBreaker")
            .field("name", &self.name)
            .field("made", &self.made.get())
            .finish_non_exhaustive()
    }
}

/// What a function with a breaker returns: a `Result`, under whatever alias, whose error can be made of a [`Refused`].
///
/// ```compile_fail,E0277
/// #[tekton_sdk::circuit_breaker]
/// fn read() -> std::io::Result<u8> {
///     Ok(1)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a function with a breaker returns a `Result` whose error can be a refusal, and `{Self}` is none",
    label = "the breaker cannot say here that it refused",
    note = "return a `tekton_sdk::Result`, or give your error `From<tekton_sdk::patterns::breaker::Refused>`",
    note = "what returns a future is written as an `async fn`, outside of `#[async_trait]`"
)]
pub trait Guarded: Sized {
    /// What is returned instead of a call.
    fn refused(refused: Refused) -> Self;

    /// What it says of the work.
    fn verdict(&self) -> Verdict;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Refused> + 'static> Guarded for Result<T, E> {
    fn refused(refused: Refused) -> Self {
        Err(refused.into())
    }

    #[inline]
    fn verdict(&self) -> Verdict {
        ByResult.classify(self)
    }
}
