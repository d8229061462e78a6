//! The breaker as a layer of tower.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{ByResult, CircuitBreaker, OwnedPermit, Refused};
use crate::policy::Classify;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Puts a breaker around any [`Service`].
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::{patterns::breaker::{BreakerConfig, CircuitBreaker, CircuitBreakerLayer}, time::SharedClock};
///
/// let config = BreakerConfig::in_a_row(5, Duration::from_secs(60));
/// let breaker = CircuitBreaker::new("billing", config, SharedClock::default())?;
/// let layer = CircuitBreakerLayer::new(breaker.clone()); // for `tower::ServiceBuilder::layer`
/// # let _ = layer;
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[must_use = "a layer does nothing until it is put around a service"]
#[derive(Clone)]
pub struct CircuitBreakerLayer<C = ByResult> {
    breaker: CircuitBreaker,
    classify: C,
}

impl CircuitBreakerLayer {
    /// All services of this layer share the breaker.
    pub const fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, classify: ByResult }
    }
}

impl<C> CircuitBreakerLayer<C> {
    /// Judges outcomes by this classification, over `Result<S::Response, S::Error>` of the service. It is cloned for every
    /// call: share in an `Arc` what is large.
    pub fn with_classify<D>(self, classify: D) -> CircuitBreakerLayer<D> {
        CircuitBreakerLayer { breaker: self.breaker, classify }
    }
}

impl<S, C: Clone> Layer<S> for CircuitBreakerLayer<C> {
    type Service = CircuitBreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService { inner, breaker: self.breaker.clone(), classify: self.classify.clone() }
    }
}

/// A [`Service`] behind a breaker; made by [`CircuitBreakerLayer`]. Clones share the breaker.
///
/// It is ready when the service is: the breaker is asked when a call is made. What a refused call would have used of a
/// service that was ready is kept for the next one.
///
/// # Errors
/// Those of the service, boxed; or a boxed [`Refused`], and then the service was not called.
///
/// # Cancel safety
/// Dropping the response future drops the call and counts nothing. A panic of the service is a failure.
#[derive(Clone)]
pub struct CircuitBreakerService<S, C = ByResult> {
    inner: S,
    breaker: CircuitBreaker,
    classify: C,
}

impl<S, C, Q> Service<Q> for CircuitBreakerService<S, C>
where
    S: Service<Q>,
    S::Error: Into<BoxError>,
    C: Classify<Result<S::Response, S::Error>> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CircuitBreakerFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Q) -> Self::Future {
        let state = match self.breaker.acquire_owned() {
            Err(refused) => State::Refused { refused },
            Ok(permit) => {
                let work = self.inner.call(request);
                State::Called { work, permit: Some(permit), classify: self.classify.clone() }
            }
        };
        CircuitBreakerFuture { state }
    }
}

/// The answer of a [`CircuitBreakerService`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct CircuitBreakerFuture<F, C> {
    #[pin]
    state: State<F, C>,
}

#[pin_project(project = StateView)]
enum State<F, C> {
    Refused {
        refused: Refused,
    },
    Called {
        #[pin]
        work: F,
        /// `None` once the call has ended.
        permit: Option<OwnedPermit>,
        classify: C,
    },
}

impl<F, C, T, E> Future for CircuitBreakerFuture<F, C>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
    C: Classify<Result<T, E>>,
{
    type Output = Result<T, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateView::Refused { refused } => Poll::Ready(Err(refused.clone().into())),
            StateView::Called { work, permit, classify } => {
                let mut watch = Watch { permit, passed: false };
                let polled = work.poll(cx);
                watch.passed = true;
                let outcome = ready!(polled);
                if let Some(permit) = watch.permit.take() {
                    permit.settle(classify.classify(&outcome));
                }
                Poll::Ready(outcome.map_err(Into::into))
            }
        }
    }
}

/// Drops the permit where a poll panics: whoever catches the panic drops the future later, and nothing tells then that it
/// has failed.
struct Watch<'a> {
    permit: &'a mut Option<OwnedPermit>,
    passed: bool,
}

impl Drop for Watch<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.passed {
            drop(self.permit.take());
        }
    }
}

impl<C> fmt::Debug for CircuitBreakerLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerLayer").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, C> fmt::Debug for CircuitBreakerService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner, breaker, .. } = self;
        f.debug_struct("CircuitBreakerService").field("inner", inner).field("breaker", breaker).finish_non_exhaustive()
    }
}

impl<F, C> fmt::Debug for CircuitBreakerFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breaker: &dyn fmt::Debug = match &self.state {
            State::Refused { refused } => refused,
            State::Called { permit, .. } => permit,
        };
        f.debug_tuple("CircuitBreakerFuture").field(breaker).finish()
    }
}
