//! What a policy costs, and what the SDK adds to a call, over a transport that answers at once.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use tekton_sdk::{
    Config, Result, Tekton,
    config::TargetSpec,
    contract::Entry,
    directory::MemoryDirectory,
    policy::{Next, Pipeline, Policy, RetryBudgets, RetryConfig},
    time::{BoxFuture, SharedClock},
    transport::{Body, CallInfo, Endpoint, Request, Response, Safety, Transport, TransportCapabilities},
};
use tekton_sdk_benches::{Selection, Table, keep};

use super::runtime;

pub(super) const ENDPOINT: &str = "http://127.0.0.1:8005";

/// Answers `null` at once.
#[derive(Debug)]
struct AnswersAtOnce;

#[async_trait]
impl Transport for AnswersAtOnce {
    async fn send(&self, request: Request) -> Result<Response> {
        keep(request);
        Ok(Response::new(StatusCode::OK, Bytes::from_static(b"null")))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

/// Hands every request on.
#[derive(Debug)]
struct HandsOn;

impl Policy for HandsOn {
    fn name(&self) -> &'static str {
        "hands-on"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        next.run(request)
    }
}

/// Waits for the rest in a future of its own, as a policy does that looks at the answer.
#[derive(Debug)]
struct LooksAtTheAnswer;

impl Policy for LooksAtTheAnswer {
    fn name(&self) -> &'static str {
        "looks-at-the-answer"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        Box::pin(async move {
            let response = next.run(request).await?;
            keep(response.status);
            Ok(response)
        })
    }
}

fn request(target: &Arc<str>, endpoint: &Endpoint) -> Request {
    let call = CallInfo::new(Arc::clone(target), Arc::clone(target), Safety::Write);
    Request::new(Method::POST, "/api/v1/echo", call).with_endpoint(endpoint.clone()).with_body(body())
}

fn body() -> Body {
    Body::full(Bytes::from_static(b"{}"))
}

pub(super) fn tekton() -> Tekton {
    built(|_| {})
}

fn by_a_named_policy() -> Tekton {
    built(|config| {
        let echo = TargetSpec::new().with_policy("patient").with_op("echo", "standard");
        *config = std::mem::take(config).with_target("echo", echo);
    })
}

fn built(change: impl FnOnce(&mut Config)) -> Tekton {
    let directory = MemoryDirectory::fixed([Entry::new("echo-1", "echo", ENDPOINT)]);
    let builder = Tekton::builder().named("bench").transport(AnswersAtOnce).directory(directory);
    // Calls that never wait leave the runtime no moment to refresh the directory's answer beside them.
    let builder = builder.configure(change).configure(|config| config.directory.ttl = Duration::from_secs(3600));
    builder.build().expect("the settings are within their bounds")
}

pub(super) fn run(selection: &Selection) {
    policies(selection);
    whole(selection);
    budget(selection);
}

fn budget(selection: &Selection) {
    let title = "budget: what a call adds to its target's budget of retries";
    if !selection.takes(title) {
        return;
    }
    let clock = SharedClock::default();
    let budgets = RetryBudgets::new(&RetryConfig::default(), clock.clone());
    let (budget, full, now) = (budgets.of("echo"), budgets.of("full"), clock.now());
    Table::new(title)
        .case("two readings of a clock", move |operations| {
            for _ in 0..operations {
                keep((clock.now(), clock.now()));
            }
        })
        .case("a deposit", move |operations| {
            for _ in 0..operations {
                budget.deposit(std::hint::black_box(now));
            }
        })
        .case("a deposit and a withdrawal", move |operations| {
            for _ in 0..operations {
                full.deposit(std::hint::black_box(now));
                keep(full.withdraw(now));
            }
        })
        .run(selection);
}

fn policies(selection: &Selection) {
    let title = "pipeline: policies over a transport that answers at once";
    if !selection.takes(title) {
        return;
    }
    let runtime = runtime();
    let (target, endpoint) = (Arc::from("echo"), Endpoint::parse(ENDPOINT).expect("a constant"));
    let through = |policies: Vec<Arc<dyn Policy>>| {
        let pipeline = Pipeline::new(policies, Arc::new(AnswersAtOnce), SharedClock::default());
        let (runtime, target, endpoint) = (&runtime, &target, &endpoint);
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    keep(pipeline.send(request(target, endpoint)).await.expect("it answers"));
                }
            });
        }
    };
    let stages = |count: usize, policy: &Arc<dyn Policy>| through(vec![Arc::clone(policy); count]);
    let (hands_on, looks): (Arc<dyn Policy>, Arc<dyn Policy>) = (Arc::new(HandsOn), Arc::new(LooksAtTheAnswer));
    Table::new(title)
        .case("no policy", stages(0, &hands_on))
        .case("1 that hands on", stages(1, &hands_on))
        .case("5 that hand on", stages(5, &hands_on))
        .case("1 that looks at the answer", stages(1, &looks))
        .case("5 that look at the answer", stages(5, &looks))
        .run(selection);
}

fn whole(selection: &Selection) {
    let title = "whole: the default pipeline over a transport that answers at once";
    if !selection.takes(title) {
        return;
    }
    let runtime = runtime();
    let tekton = tekton();
    let (found, fixed) = (tekton.peer("echo"), tekton.peer_at(ENDPOINT).expect("a constant"));
    let (target, endpoint) = (Arc::from("echo"), Endpoint::parse(ENDPOINT).expect("a constant"));
    let bare = Pipeline::new(Vec::new(), Arc::new(AnswersAtOnce), SharedClock::default());
    let (runtime, target, endpoint) = (&runtime, &target, &endpoint);
    let call = |peer| {
        move |operations| {
            let peer: &tekton_sdk::Peer = &peer;
            runtime.block_on(async {
                for _ in 0..operations {
                    let call = peer.request::<()>("echo").body(HeaderValue::from_static("application/json"), body());
                    keep(call.timeout(Duration::from_secs(5)).await.expect("it answers"));
                }
            });
        }
    };
    let send = found.clone();
    Table::new(title)
        .case("the transport and its stage alone", move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    keep(bare.send(request(target, endpoint)).await.expect("it answers"));
                }
            });
        })
        .case("Peer::send, found by name", move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    let call = CallInfo::new(Arc::clone(target), Arc::clone(target), Safety::Write);
                    let mut request = Request::new(Method::POST, "/api/v1/echo", call).with_body(body());
                    request.call.collect = Some(1 << 20);
                    keep(send.send(request).await.expect("it answers"));
                }
            });
        })
        .case("a call, found by name", call(found))
        .case("a call, found by name, by a named policy", call(by_a_named_policy().peer("echo")))
        .case("a call, at an endpoint", call(fixed))
        .case(
            "a call, at an endpoint, with one attempt",
            call({
                let directory = MemoryDirectory::fixed([Entry::new("echo-1", "echo", ENDPOINT)]);
                let builder = Tekton::builder().named("bench").transport(AnswersAtOnce).directory(directory);
                let tekton = builder.configure(|config| config.retry.max_attempts = 1).build();
                tekton.and_then(|tekton| tekton.peer_at(ENDPOINT)).expect("constants")
            }),
        )
        .run(selection);
}
