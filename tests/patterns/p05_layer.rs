//! Room 5 as a layer of tower.

use std::{
    error::Error as StdError,
    future::{Pending, Ready, pending, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, poll, task::noop_waker};
use tekton_sdk::{
    Verdict,
    patterns::breaker::{
        BreakerConfig, BreakerState, CircuitBreaker, CircuitBreakerLayer, CircuitBreakerService, Refused,
    },
    time::{ManualClock, SharedClock},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};

type BoxError = Box<dyn StdError + Send + Sync>;

/// A breaker that opens after two failures in a row, for ten seconds of this clock.
fn breaker() -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let config = BreakerConfig::in_a_row(2, Duration::from_secs(10));
    (CircuitBreaker::new("billing", config, SharedClock::new(clock.clone())).unwrap(), clock)
}

fn half_open(probes: u32) -> CircuitBreaker {
    let config = BreakerConfig::in_a_row(2, Duration::from_secs(10)).with_half_open_calls(probes);
    let breaker = CircuitBreaker::new("billing", config, SharedClock::new(ManualClock::new())).unwrap();
    breaker.half_open();
    breaker
}

/// Answers an even number with its half, and fails on an odd one.
fn halve(number: u32) -> Ready<io::Result<u32>> {
    ready(if number.is_multiple_of(2) { Ok(number / 2) } else { Err(io::Error::other("it is odd")) })
}

fn is_refused(outcome: &Result<u32, BoxError>) -> bool {
    outcome.as_ref().is_err_and(|error| error.is::<Refused>())
}

#[tokio::test]
async fn an_open_breaker_refuses_without_calling_and_closes_by_a_probe() {
    let (breaker, clock) = breaker();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let mut service =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(breaker.clone())).service(service_fn(move |number| {
            counted.fetch_add(1, Ordering::Relaxed);
            halve(number)
        }));

    assert_eq!(service.ready().await.unwrap().call(4).await.unwrap(), 2);
    for _ in 0..2 {
        let failed = service.ready().await.unwrap().call(1).await.unwrap_err();
        assert!(failed.downcast_ref::<io::Error>().is_some(), "an error of the service comes as it is");
    }
    let refused = service.ready().await.unwrap().call(4).await.unwrap_err();
    let refused = refused.downcast_ref::<Refused>().unwrap();
    assert_eq!((&*refused.breaker, refused.retry_after), ("billing", Some(Duration::from_secs(10))));
    assert_eq!(calls.load(Ordering::Relaxed), 3);

    clock.advance(Duration::from_millis(10_001));
    assert_eq!(service.ready().await.unwrap().call(4).await.unwrap(), 2);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test]
async fn clones_and_all_services_of_a_layer_share_the_breaker() {
    let (breaker, _clock) = breaker();
    let layer = CircuitBreakerLayer::new(breaker);
    let one = layer.layer(service_fn(halve));
    let another = layer.clone().layer(service_fn(halve));
    assert!(!is_refused(&one.clone().oneshot(1).await));
    assert!(!is_refused(&another.clone().oneshot(1).await));
    assert!(is_refused(&one.oneshot(4).await) && is_refused(&another.oneshot(4).await));
}

/// A service whose readiness and answers are planned.
#[derive(Clone, Debug)]
struct Planned(Poll<Result<(), &'static str>>);

impl Service<u32> for Planned {
    type Response = u32;
    type Error = BoxError;
    type Future = Pending<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.map_err(Into::into)
    }

    fn call(&mut self, _: u32) -> Self::Future {
        panic!("planned")
    }
}

#[tokio::test]
async fn it_is_as_ready_as_the_service_even_while_it_is_open() {
    let (breaker, _clock) = breaker();
    let waker = noop_waker();
    let cx = &mut Context::from_waker(&waker);
    for _ in 0..2 {
        let ready = |planned, cx: &mut Context<'_>| {
            CircuitBreakerLayer::new(breaker.clone()).layer(Planned(planned)).poll_ready(cx)
        };
        assert!(ready(Poll::Pending, cx).is_pending());
        assert!(matches!(ready(Poll::Ready(Ok(())), cx), Poll::Ready(Ok(()))));
        let Poll::Ready(Err(error)) = ready(Poll::Ready(Err("it is gone")), cx) else { panic!("it is not ready") };
        assert_eq!(error.to_string(), "it is gone");
        breaker.open();
    }
    let mut cloned = CircuitBreakerLayer::new(breaker.clone()).layer(Planned(Poll::Ready(Ok(())))).clone();
    assert!(cloned.call(1).await.unwrap_err().is::<Refused>(), "the service is not called");
}

#[tokio::test]
async fn what_a_ready_service_has_put_aside_serves_the_call_after_a_refused_one() {
    let (breaker, _clock) = breaker();
    let layers =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(breaker.clone())).layer(ConcurrencyLimitLayer::new(1));
    let mut service = layers.service(service_fn(halve));
    breaker.force_open();
    for _ in 0..3 {
        assert!(is_refused(&service.ready().await.unwrap().call(4).await));
    }
    breaker.close();
    assert_eq!(service.ready().await.unwrap().call(4).await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_response_counts_nothing_and_gives_its_probe_back() {
    let breaker = half_open(1);
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let hanging = layer.layer(service_fn(|_: u32| pending::<io::Result<u32>>()));
    for polled in [false, true] {
        let mut response = Box::pin(hanging.clone().oneshot(1));
        if polled {
            assert!(poll!(response.as_mut()).is_pending());
            assert!(is_refused(&layer.layer(service_fn(halve)).oneshot(4).await), "the one probe is under way");
        }
    }
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(layer.layer(service_fn(halve)).oneshot(4).await.unwrap(), 2);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_half_open_breaker_lets_its_probes_through_and_no_more() {
    let breaker = half_open(3);
    let (calls, layer) = (Arc::new(AtomicU32::new(0)), CircuitBreakerLayer::new(breaker.clone()));
    let counted = Arc::clone(&calls);
    let mut service = layer.layer(service_fn(move |_: u32| {
        counted.fetch_add(1, Ordering::Relaxed);
        pending::<io::Result<u32>>()
    }));
    let responses: Vec<_> = (0..1000).map(|number| service.call(number)).collect();
    let refused = responses.into_iter().filter_map(FutureExt::now_or_never).filter(is_refused).count();
    assert_eq!((refused, calls.load(Ordering::Relaxed)), (997, 3));
}

#[tokio::test]
async fn a_panic_is_a_failure_whoever_catches_it() {
    let panicking = || service_fn(|_: u32| async { if true { panic!("planned") } else { io::Result::Ok(1) } });

    let (breaker, _clock) = breaker();
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(panicking());
    assert!(tokio::spawn(service.clone().oneshot(1)).await.unwrap_err().is_panic());
    // Here the future is dropped after the panic is over.
    assert!(AssertUnwindSafe(service.clone().oneshot(1)).catch_unwind().await.is_err());
    assert_eq!(breaker.state(), BreakerState::Open);

    let breaker = half_open(1);
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Planned(Poll::Ready(Ok(()))));
    assert!(catch_unwind(AssertUnwindSafe(|| service.call(1))).is_err());
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test]
async fn a_classification_of_ones_own_judges_results_as_well_as_errors() {
    let (breaker, _clock) = breaker();
    let classify = |outcome: &io::Result<u32>| match outcome {
        Ok(0) => Verdict::Failure,
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Ignored,
    };
    let service: CircuitBreakerService<_, _> =
        CircuitBreakerLayer::new(breaker.clone()).with_classify(classify).layer(service_fn(halve));
    for number in [0, 1, 1, 4, 0, 1] {
        assert!(!is_refused(&service.clone().oneshot(number).await));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 0);
    assert!(is_refused(&service.oneshot(4).await));
}

#[tokio::test]
async fn a_refused_response_says_so_however_often_it_is_asked() {
    let (breaker, _clock) = breaker();
    breaker.force_open();
    let mut response = pin!(CircuitBreakerLayer::new(breaker).layer(service_fn(halve)).call(4));
    for _ in 0..2 {
        assert!(matches!(poll!(response.as_mut()), Poll::Ready(Err(error)) if error.is::<Refused>()));
    }
}
