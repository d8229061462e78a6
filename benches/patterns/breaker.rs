//! What a closed breaker costs a call that goes well, beside the others, on one thread and on two.

use std::{
    hint::black_box,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tekton_sdk::{
    patterns::breaker::{BreakerConfig, Breakers, CircuitBreaker},
    time::SharedClock,
};
use tekton_sdk_benches::{Selection, Table, keep};

pub(crate) fn run(selection: &Selection) {
    one_thread(selection);
    two_threads(selection);
    layers(selection);
}

fn breaker(config: BreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new("bench", config, SharedClock::default()).expect("the settings are within their bounds")
}

/// One call that goes well, as often as asked.
fn calls(breaker: &CircuitBreaker) -> impl Fn(u64) + Sync + '_ {
    move |operations| {
        for n in 0..operations {
            keep(breaker.call_sync(|| Ok::<_, tekton_sdk::Error>(black_box(n))).is_ok());
        }
    }
}

/// A breaker with a window that is never clean: every 64th call fails, and none of that is enough to open it.
fn stirred() -> CircuitBreaker {
    breaker(BreakerConfig::default().with_failure_threshold(None).with_failure_rate(Some(1.0)))
}

/// Calls of which every 64th fails.
fn mixed_calls(breaker: &CircuitBreaker) -> impl Fn(u64) + Sync + '_ {
    move |operations| {
        for n in 0..operations {
            let permit = breaker.acquire().expect("it stays closed");
            if n % 64 == 0 { permit.failure() } else { permit.success() }
        }
    }
}

#[cfg(feature = "peers")]
fn recloser() -> recloser::Recloser {
    recloser::Recloser::custom().error_rate(0.5).closed_len(100).half_open_len(10).build()
}

fn one_thread(selection: &Selection) {
    let title = "breaker: closed, success, one thread";
    if !selection.takes(title) {
        return;
    }
    let (exact, stirred) = (breaker(BreakerConfig::default()), stirred());
    let timed = breaker(BreakerConfig::default().with_slow_call(Some(Duration::from_secs(1))));
    let seconds = breaker(BreakerConfig::default().with_window_time(Some(Duration::from_secs(10))));
    let breakers = Breakers::new(BreakerConfig::default(), 1024, SharedClock::default()).expect("within bounds");
    for n in 0..100 {
        keep(breakers.of(&format!("peer-{n}")));
    }
    let (word, lock) = (AtomicU64::new(0), Mutex::new(0_u64));
    let table = Table::new(title);
    #[cfg(feature = "peers")]
    let table = {
        let recloser = recloser();
        let table = table.case("recloser", move |operations| {
            for n in 0..operations {
                keep(recloser.call(|| Ok::<_, ()>(black_box(n))).is_ok());
            }
        });
        let failsafe = failsafe::Config::new().build();
        table.case("failsafe", move |operations| {
            use failsafe::CircuitBreaker as _;
            for n in 0..operations {
                keep(failsafe.call(|| Ok::<_, ()>(black_box(n))).is_ok());
            }
        })
    };
    table
        .case("tekton, window of 100 calls", calls(&exact))
        .case("tekton, the same with failures in the window", mixed_calls(&stirred))
        .case("tekton, window of 10 s", calls(&seconds))
        .case("tekton, with a slow-call rule", calls(&timed))
        .case("tekton, found by key among 100", |operations| {
            for n in 0..operations {
                keep(breakers.of("peer-42").call_sync(|| Ok::<_, tekton_sdk::Error>(black_box(n))).is_ok());
            }
        })
        .case("limit: a relaxed load", |operations| {
            for _ in 0..operations {
                keep(word.load(Ordering::Relaxed));
            }
        })
        .case("limit: a relaxed fetch_add", |operations| {
            for _ in 0..operations {
                keep(word.fetch_add(1, Ordering::Relaxed));
            }
        })
        .case("limit: a mutex", |operations| {
            for _ in 0..operations {
                *lock.lock().expect("nobody panics") += 1;
            }
        })
        .case("limit: two readings of the clock", |operations| {
            for _ in 0..operations {
                keep(two_readings());
            }
        })
        .run(selection);
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
fn two_readings() -> Duration {
    let began = Instant::now();
    began.elapsed()
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
    let title = "breaker: closed, success, two threads on one";
    if !selection.takes(title) {
        return;
    }
    let (exact, stirred, word) = (breaker(BreakerConfig::default()), stirred(), AtomicU64::new(0));
    let table = Table::new(title);
    #[cfg(feature = "peers")]
    let table = {
        let recloser = recloser();
        let table = table.case(
            "recloser",
            twice(move |operations| {
                for n in 0..operations {
                    keep(recloser.call(|| Ok::<_, ()>(black_box(n))).is_ok());
                }
            }),
        );
        let failsafe = failsafe::Config::new().build();
        table.case(
            "failsafe",
            twice(move |operations| {
                use failsafe::CircuitBreaker as _;
                for n in 0..operations {
                    keep(failsafe.call(|| Ok::<_, ()>(black_box(n))).is_ok());
                }
            }),
        )
    };
    table
        .case("tekton, window of 100 calls", twice(calls(&exact)))
        .case("tekton, the same with failures in the window", twice(mixed_calls(&stirred)))
        .case(
            "limit: a shared fetch_add",
            twice(|operations| {
                for _ in 0..operations {
                    keep(word.fetch_add(1, Ordering::Relaxed));
                }
            }),
        )
        .run(selection);
}

#[cfg(not(feature = "peers"))]
fn layers(_selection: &Selection) {}

/// A service that answers at once, behind a layer. Every call is made ready, called and awaited.
#[cfg(feature = "peers")]
fn layers(selection: &Selection) {
    use tower::{Layer as _, Service, ServiceExt as _, service_fn};

    let title = "breaker: a tower layer over a service that answers at once";
    if !selection.takes(title) {
        return;
    }
    let runtime = crate::request::runtime();
    let inner = || service_fn(|n: u64| std::future::ready(Ok::<_, std::io::Error>(n)));
    let runtime = &runtime;
    fn each<S: Service<u64>>(runtime: &tokio::runtime::Runtime, mut service: S) -> impl FnMut(u64)
    where
        S::Error: std::fmt::Debug,
    {
        move |operations| {
            runtime.block_on(async {
                for n in 0..operations {
                    let ready = service.ready().await.expect("it is always ready");
                    keep(ready.call(black_box(n)).await.is_ok());
                }
            });
        }
    }
    let theirs =
        tower_resilience_circuitbreaker::CircuitBreakerLayer::builder().build().expect("the defaults are valid");
    let ours = tekton_sdk::patterns::breaker::CircuitBreakerLayer::new(breaker(BreakerConfig::default()));
    Table::new(title)
        .case("tower-resilience-circuitbreaker", each(runtime, theirs.layer(inner())))
        .case("tekton", each(runtime, ours.layer(inner())))
        .case("limit: the service alone", each(runtime, inner()))
        .run(selection);
}
