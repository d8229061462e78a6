//! What the limits of a caller cost an attempt that is not refused: over a transport that answers at once, less that transport.

use std::{num::NonZeroU32, sync::Arc, thread};

use async_trait::async_trait;
use bytes::Bytes;
use governor::{Quota, RateLimiter};
use http::{Method, StatusCode};
use tekton_sdk::{
    Result,
    policy::{Bulkhead, BulkheadConfig, Pipeline, Policy, RateConfig, RateLimit, RetryBudgets, RetryConfig, Rules},
    time::SharedClock,
    transport::{CallInfo, Endpoint, Request, Response, Safety, Transport, TransportCapabilities},
};
use tekton_sdk_benches::{Selection, Table, keep};
use tokio::sync::Semaphore;

use crate::request::runtime;

/// Answers nothing at once.
#[derive(Debug)]
struct AnswersAtOnce;

#[async_trait]
impl Transport for AnswersAtOnce {
    async fn send(&self, request: Request) -> Result<Response> {
        keep(request);
        Ok(Response::new(StatusCode::OK, Bytes::new()))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

pub(crate) fn run(selection: &Selection) {
    policies(selection);
    primitives(selection);
    two_threads(selection);
    layers(selection);
}

fn places() -> BulkheadConfig {
    BulkheadConfig::default()
}

/// A rate that no benchmark comes to.
fn plenty() -> RateConfig {
    RateConfig::default().with_per_second(1_000_000_000).with_burst(1_000_000)
}

fn bulkhead(config: Option<BulkheadConfig>) -> Vec<Arc<dyn Policy>> {
    vec![Arc::new(Bulkhead::new(config, SharedClock::default()))]
}

fn rate(config: Option<RateConfig>) -> Vec<Arc<dyn Policy>> {
    vec![Arc::new(RateLimit::new(config, SharedClock::default()))]
}

/// A pipeline that has seen a hundred other targets.
fn known(policies: Vec<Arc<dyn Policy>>, rules: Option<&Arc<Rules>>, runtime: &tokio::runtime::Runtime) -> Pipeline {
    let pipeline = Pipeline::new(policies, Arc::new(AnswersAtOnce), SharedClock::default());
    for n in 0..100 {
        let target: Arc<str> = format!("component-{n}").into();
        keep(runtime.block_on(pipeline.send(request(&target, &endpoint(), rules))).is_ok());
    }
    pipeline
}

fn endpoint() -> Endpoint {
    Endpoint::parse("http://127.0.0.1:8005").expect("a constant")
}

fn request(target: &Arc<str>, endpoint: &Endpoint, rules: Option<&Arc<Rules>>) -> Request {
    let mut call = CallInfo::new(Arc::clone(target), Arc::clone(target), Safety::Write);
    call.rules = rules.cloned();
    Request::new(Method::POST, "/api/v1/echo", call).with_endpoint(endpoint.clone())
}

fn policies(selection: &Selection) {
    let title = "limits: a stage over a transport that answers at once";
    if !selection.takes(title) {
        return;
    }
    let runtime = runtime();
    let (runtime, target) = (&runtime, Arc::<str>::from("component-42"));
    let (target, endpoint) = (&target, &endpoint());
    let mut named = Rules::standard();
    (named.bulkhead, named.rate) = (Some(places()), Some(plenty()));
    let named = Arc::new(named);
    let through = |policies: Vec<Arc<dyn Policy>>, rules: Option<Arc<Rules>>| {
        let pipeline = known(policies, rules.as_ref(), runtime);
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    keep(pipeline.send(request(target, endpoint, rules.as_ref())).await.expect("it answers"));
                }
            });
        }
    };
    Table::new(title)
        .case("no stage", through(Vec::new(), None))
        .case("bulkhead, off", through(bulkhead(None), None))
        .case("bulkhead", through(bulkhead(Some(places())), None))
        .case("bulkhead, without shedding", through(bulkhead(Some(places().with_shed(false))), None))
        .case("rate, off", through(rate(None), None))
        .case("rate", through(rate(Some(plenty())), None))
        .case("rate, not adaptive", through(rate(Some(plenty().with_adaptive(false))), None))
        .case("no stage, with rules", through(Vec::new(), Some(Arc::clone(&named))))
        .case("bulkhead, by rules", through(bulkhead(None), Some(Arc::clone(&named))))
        .case("rate, by rules", through(rate(None), Some(named)))
        .run(selection);
}

fn quota() -> Quota {
    let number = |number| NonZeroU32::new(number).expect("not zero");
    Quota::per_second(number(1_000_000_000)).allow_burst(number(1_000_000))
}

/// What the stages are made of.
fn primitives(selection: &Selection) {
    let title = "limits: what others take for a place or a turn";
    if !selection.takes(title) {
        return;
    }
    let semaphore = Semaphore::new(64);
    let shared = Arc::new(Semaphore::new(64));
    let budgets = |targets: u32| {
        let budgets = RetryBudgets::new(&RetryConfig::default(), SharedClock::default());
        (0..targets).for_each(|n| keep(budgets.of(&format!("component-{n}"))));
        move |operations| {
            for _ in 0..operations {
                keep(budgets.of(std::hint::black_box("component-42")));
            }
        }
    };
    let clock = SharedClock::default();
    let limiter = RateLimiter::direct_with_clock(quota(), governor::clock::MonotonicClock);
    Table::new(title)
        .case("tokio's Semaphore, try_acquire", |operations| {
            for _ in 0..operations {
                keep(semaphore.try_acquire().is_ok());
            }
        })
        .case("tokio's Semaphore, owned", |operations| {
            for _ in 0..operations {
                keep(Arc::clone(&shared).try_acquire_owned().is_ok());
            }
        })
        .case("the registry's look-up, one target", budgets(0))
        .case("the registry's look-up, 100 targets", budgets(100))
        .case("the registry's look-up, 1000 targets", budgets(1000))
        .case("a reading of the clock", |operations| {
            for _ in 0..operations {
                keep(clock.now());
            }
        })
        .case("governor, a direct limiter", |operations| {
            for _ in 0..operations {
                keep(limiter.check().is_ok());
            }
        })
        .run(selection);
}

/// The same work on two threads at once, each doing all of it.
fn twice(work: impl Fn(u64) + Sync) -> impl FnMut(u64) {
    move |operations| {
        thread::scope(|scope| {
            scope.spawn(|| work(operations));
            work(operations);
        });
    }
}

fn two_threads(selection: &Selection) {
    let title = "limits: a stage over a transport that answers at once, two threads on one target";
    if !selection.takes(title) {
        return;
    }
    let (target, endpoint) = (&Arc::<str>::from("component-42"), &endpoint());
    let through = |policies: Vec<Arc<dyn Policy>>| {
        let pipeline = known(policies, None, &runtime());
        twice(move |operations| {
            runtime().block_on(async {
                for _ in 0..operations {
                    keep(pipeline.send(request(target, endpoint, None)).await.expect("it answers"));
                }
            });
        })
    };
    Table::new(title)
        .case("no stage", through(Vec::new()))
        .case("bulkhead", through(bulkhead(Some(places()))))
        .case("rate", through(rate(Some(plenty()))))
        .run(selection);
}

#[cfg(not(feature = "peers"))]
fn layers(_selection: &Selection) {}

/// A service that answers at once, behind a layer of tower's. Every call is made ready, called and awaited.
#[cfg(feature = "peers")]
fn layers(selection: &Selection) {
    use tower::{Layer, Service, ServiceExt as _, limit, service_fn};

    let title = "limits: tower's layers over a service that answers at once";
    if !selection.takes(title) {
        return;
    }
    let runtime = runtime();
    let runtime = &runtime;
    fn each<S: Service<u64>>(runtime: &tokio::runtime::Runtime, mut service: S) -> impl FnMut(u64)
    where
        S::Error: std::fmt::Debug,
    {
        move |operations| {
            runtime.block_on(async {
                for n in 0..operations {
                    let ready = service.ready().await.expect("it is always ready");
                    keep(ready.call(n).await.is_ok());
                }
            });
        }
    }
    let inner = || service_fn(|n: u64| std::future::ready(Ok::<_, std::io::Error>(n)));
    let (places, turns) = {
        let _entered = runtime.enter();
        (
            limit::ConcurrencyLimitLayer::new(64).layer(inner()),
            limit::RateLimitLayer::new(u64::MAX, std::time::Duration::from_secs(1)).layer(inner()),
        )
    };
    Table::new(title)
        .case("limit: the service alone", each(runtime, inner()))
        .case("ConcurrencyLimit", each(runtime, places))
        .case("RateLimit", each(runtime, turns))
        .run(selection);
}
