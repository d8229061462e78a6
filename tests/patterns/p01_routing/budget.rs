//! What a tree of calls may spend: set aside before an attempt is sent, counted when it is answered.

use std::{
    error::Error as _,
    future::{Future, IntoFuture},
    pin::pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::{future::join_all, poll};
use http::HeaderValue;
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Peer, Result, Sent, Tekton,
    context::{Allowance, Budget, Cost, Overdrawn},
    contract::{Descriptor, Operation},
    directory::{Preference, Query},
    host::Operations,
    patterns::{breaker::BreakerState, request::Reply},
    testing::{CallFault, FaultPlan, FaultyTransport, TestBed},
    transport::{MemoryTransport, Request, Response, Safety, Transport, TransportCapabilities},
    wire::headers,
};

use super::{SECOND, Seen, soon, through};

const THINK: Operation = Operation::read("think", "Spends what it is told to.").open();
const ASK: Operation = Operation::read("ask", "Asks the next one to think.").open();
const HANG: Operation = Operation::read("hang", "Spends, then never ends.").open();
const FREE: Operation = Operation::read("free", "Costs nothing.").open();
const LEAK: Operation = Operation::read("leak", "Keeps its budget after it has ended.").open();

/// Thinks for tokens, and asks another one to.
struct Mind {
    descriptor: Descriptor,
    next: Option<Peer>,
    seen: Seen,
    kept: Arc<Mutex<Option<Budget>>>,
}

impl Mind {
    fn new(name: &str) -> Self {
        Self { descriptor: Descriptor::new(name, "1.0.0"), next: None, seen: Seen::default(), kept: Arc::default() }
    }

    fn priced(mut self, cost: f64) -> Self {
        self.descriptor = self.descriptor.cost(cost).capability("mind.think");
        self
    }

    fn asking(mut self, next: Peer) -> Self {
        self.next = Some(next);
        self
    }

    fn spend(context: &Context, arguments: &Value) -> Result<()> {
        let Some(budget) = context.budget() else { return Ok(()) };
        let amount = |name: &str| arguments[name].as_u64().unwrap_or(0);
        budget.spend(Cost::tokens(amount("tokens")).with_micros(amount("micros")))
    }
}

impl Component for Mind {
    fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, THINK, |mind, context, args| async move {
                let _running = super::Running::new(&mind.seen);
                let arguments = args.whole::<Value>()?;
                Self::spend(&context, &arguments)?;
                match arguments["fail"].as_bool() {
                    Some(true) => Err(Error::invalid("as asked")),
                    _ => Ok(context.budget().map(|budget| budget.limit().to_string())),
                }
            })
            .on(&self, ASK, |mind, _, args| async move {
                let arguments = args.whole::<Value>()?;
                let next = mind.next.as_ref().ok_or_else(|| Error::internal("there is nobody to ask"))?;
                let call = next.request::<Value>("think").json(&arguments).safety(Safety::Read);
                let call = match arguments["at_most"].as_u64() {
                    Some(tokens) => call.spend_at_most(Allowance::tokens(tokens)),
                    None => call,
                };
                Ok(call.await?.into_inner())
            })
            .on(&self, HANG, |_, context, args| async move {
                Self::spend(&context, &args.whole::<Value>()?)?;
                std::future::pending::<Result<()>>().await
            })
            .on(&self, FREE, |_, _, _| async { Ok(()) })
            .on(&self, LEAK, |mind, context, args| async move {
                Self::spend(&context, &args.whole::<Value>()?)?;
                *mind.kept.lock().unwrap() = context.budget().cloned();
                Ok(())
            })
    }
}

/// A call to `think`, as a read.
async fn think(peer: &Peer, arguments: Value, limit: impl Into<Allowance>) -> Result<Reply<Value>> {
    peer.request("think").json(&arguments).safety(Safety::Read).spend_at_most(limit).await
}

/// A bed whose handle meets faults on its way.
fn faulty(bed: &TestBed) -> (Tekton, FaultPlan) {
    let (transport, faults) = FaultyTransport::new(bed.transport().clone(), bed.tekton().clock().clone());
    (bed.tekton_with(|builder| builder.transport(transport)).unwrap(), faults)
}

async fn within<T>(budget: &Budget, work: impl Future<Output = T>) -> T {
    Context::new().with_budget(budget.clone()).scope(work).await
}

#[tokio::test]
async fn an_allotment_is_the_callees_budget_and_what_it_spent_is_counted() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind")).await.unwrap();
    let (budget, mind) = (Budget::tokens(1_000), bed.tekton().peer("mind"));
    let reply = within(&budget, think(&mind, json!({"tokens": 120}), Allowance::tokens(400))).await.unwrap();
    assert_eq!((&*reply, reply.spent()), (&json!("400 tokens"), Some(Cost::tokens(120))));
    assert_eq!((budget.spent(), budget.left()), (Cost::tokens(120), Allowance::tokens(880)));
    // A failure has cost what it has cost too.
    let failed = within(&budget, think(&mind, json!({"tokens": 80, "fail": true}), Allowance::tokens(400))).await;
    assert_eq!(failed.unwrap_err().remote().unwrap().status(), 422);
    assert_eq!((budget.spent(), budget.left()), (Cost::tokens(200), Allowance::tokens(800)));
    // Without a budget a call has its own limit, and without that none.
    let reply = think(&mind, json!({"tokens": 5}), Allowance::micros(7)).await.unwrap();
    assert_eq!((&*reply, reply.spent()), (&json!("7 micros"), Some(Cost::tokens(5))));
    let reply: Reply<Value> = mind.request("think").json(&json!({"tokens": 5})).await.unwrap();
    assert_eq!((&*reply, reply.spent()), (&json!(null), None));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_is_refused_before_it_is_overdrawn_and_nothing_is_sent() {
    let bed = TestBed::new().unwrap();
    let mind = Mind::new("mind");
    let seen = mind.seen.clone();
    bed.serve(mind).await.unwrap();
    let (budget, mind) = (Budget::tokens(100), bed.tekton().peer("mind"));
    budget.spend(Cost::tokens(30)).unwrap();
    for _ in 0..20 {
        let error = within(&budget, think(&mind, json!({}), Allowance::tokens(80))).await.unwrap_err();
        assert_eq!((error.kind(), error.sent(), error.target()), (ErrorKind::Rejected, Sent::No, Some("mind")));
        let told = "budget: 80 tokens were asked for, and 70 tokens are left; ask for less, or allow more at the root";
        assert_eq!((error.to_string().as_str(), error.attempts()), (told, 1));
        assert!(error.source().unwrap().is::<Overdrawn>());
    }
    assert_eq!((seen.began(), budget.spent()), (0, Cost::tokens(30)));
    // Twenty refusals in a row say nothing about the component.
    let breakers = bed.tekton().introspect()["breakers"].to_string();
    assert!(!breakers.contains(BreakerState::Open.name()), "{breakers}");
    within(&budget, think(&mind, json!({"tokens": 70}), Allowance::tokens(70))).await.unwrap();
    // Exhausted, even what costs nothing is refused: who does not know about budgets costs all the same.
    let error = within(&budget, async { mind.request::<()>("free").await }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn calls_at_once_cannot_overdraw_it_together() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind")).await.unwrap();
    let (budget, mind) = (Budget::tokens(1_000), bed.tekton().peer("mind"));
    let calls = (0..10).map(|_| think(&mind, json!({"tokens": 300}), Allowance::tokens(300)));
    let done = within(&budget, join_all(calls)).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count() as u64 * 300, budget.spent().tokens);
    assert!(budget.spent().tokens >= 900 && budget.spent().tokens <= 1_000, "{budget:?}");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_call_that_says_nothing_may_spend_the_price_that_the_chosen_component_declares() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("dear").priced(0.02)).await.unwrap();
    bed.serve(Mind::new("cheap").priced(0.002)).await.unwrap();
    let budget = Budget::micros(9_000);
    let query = Query::capability("mind.think").preferring(Preference::new().cost(1.0));
    let cheap = bed.tekton().peer_for(query);
    let reply: Reply<Value> = within(&budget, async { cheap.request("think").json(&json!({})).await }).await.unwrap();
    // What it spends is not told by the operation, so it costs what the component declares.
    assert_eq!((&*reply, reply.spent()), (&json!("2000 micros"), Some(Cost::micros(2_000))));
    let failing = async { cheap.request::<Value>("think").json(&json!({"fail": true})).await };
    within(&budget, failing).await.unwrap_err();
    assert_eq!(budget.spent(), Cost::micros(4_000));
    // One that says its own price is believed.
    let exact = async { cheap.request::<Value>("think").json(&json!({"micros": 25})).await };
    within(&budget, exact).await.unwrap();
    assert_eq!(budget.spent(), Cost::micros(4_025));
    let dear = bed.tekton().peer("dear");
    let error = within(&budget, async { dear.request::<Value>("think").await }).await.unwrap_err();
    assert!(error.to_string().starts_with("budget: 20000 micros were asked for, and 4975 micros are left"), "{error}");
    // The call's own limit, too, is refused at once where the price is above it.
    let error = think(&dear, json!({}), Allowance::micros(19_999)).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::No));
    // At a fixed endpoint no entry is known; the component itself refuses to work for less.
    let endpoint = bed.tekton().choose(&Query::name("dear")).await.unwrap()[0].entry.endpoint.clone();
    let there = bed.tekton().peer_at(&endpoint).unwrap();
    let error = think(&there, json!({}), Allowance::micros(500)).await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!((remote.status(), remote.code()), (402, Some("budget_exhausted")));
    assert!(remote.detail().unwrap().contains("20000 micros were asked for, and 500 micros are left"), "{error:?}");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_instance_of_a_scatter_is_paid_its_declared_price() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("one").priced(0.001)).await.unwrap();
    bed.serve(Mind::new("two").priced(0.002)).await.unwrap();
    for instances in [false, true] {
        let budget = Budget::micros(2_500);
        let scatter = bed.tekton().scatter(Query::capability("mind.think").preferring(Preference::new().cost(1.0)));
        let scatter = if instances { scatter.instances() } else { scatter };
        let outcomes = within(&budget, scatter.request::<Value>("think").json(&json!({})).read().all()).await.unwrap();
        let told: Vec<_> = outcomes.iter().map(|outcome| outcome.result.is_ok()).collect();
        assert_eq!(told, [true, false], "{outcomes:?}");
        assert_eq!(budget.spent(), Cost::micros(1_000));
    }
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_budget_goes_down_the_tree_and_a_refusal_comes_up_as_what_it_is() {
    let bed = TestBed::new().unwrap();
    let leaf = Mind::new("leaf");
    let seen = leaf.seen.clone();
    bed.serve(leaf).await.unwrap();
    bed.serve(Mind::new("middle").asking(bed.tekton().peer("leaf"))).await.unwrap();
    let (budget, middle) = (Budget::tokens(1_000), bed.tekton().peer("middle"));
    let ask = |arguments: Value, limit: u64| {
        let call = middle.request::<Value>("ask").json(&arguments).safety(Safety::Read);
        // Nobody moves the clock: who would try again waits for ever.
        soon(within(&budget, call.spend_at_most(Allowance::tokens(limit)).into_future()))
    };
    let reply = ask(json!({"tokens": 50, "at_most": 100}), 200).await.unwrap();
    assert_eq!((&*reply, budget.spent()), (&json!("100 tokens"), Cost::tokens(50)));
    // The middle one may not spend what the leaf needs: it refuses, and nobody tries again.
    let error = ask(json!({"tokens": 50, "at_most": 100}), 60).await.unwrap_err();
    assert_eq!((error.remote().unwrap().status(), error.attempts()), (402, 1), "{error:?}");
    // The leaf itself runs out: the same comes up through both.
    let error = ask(json!({"tokens": 50, "at_most": 20}), 60).await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!((remote.status(), remote.code(), error.attempts()), (402, Some("budget_exhausted"), 1));
    assert_eq!((seen.began(), budget.spent()), (2, Cost::tokens(50)));
    // What is not said is nothing, and what costs nothing may be done for it.
    let error = ask(json!({"tokens": 1}), 60).await.unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 402);
    ask(json!({"tokens": 0}), 60).await.unwrap();
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_refused_and_never_taken_for_no_limit() {
    let bed = TestBed::new().unwrap();
    let mind = Mind::new("mind");
    let seen = mind.seen.clone();
    bed.serve(mind).await.unwrap();
    let mind = bed.tekton().peer("mind");
    for text in ["", "lots", "tokens=-5", "tokens=1;tokens=2", "tokens=1, micros=2"] {
        let call = mind.request::<Value>("think").json(&json!({"tokens": 5}));
        let error = call.header(headers::BUDGET, HeaderValue::from_static(text)).await.unwrap_err();
        let remote = error.remote().unwrap();
        assert_eq!((remote.status(), remote.code()), (400, Some("malformed_budget")), "{text:?}");
    }
    assert_eq!(seen.began(), 0);
    bed.shutdown().await.unwrap();
}

/// A road on which the callee says something else.
#[derive(Debug)]
struct Said {
    inner: MemoryTransport,
    said: Option<&'static str>,
}

#[async_trait]
impl Transport for Said {
    async fn send(&self, request: Request) -> Result<Response> {
        let mut response = self.inner.send(request).await?;
        response.headers.remove(headers::SPENT);
        if let Some(said) = self.said {
            response.headers.insert(headers::SPENT, HeaderValue::from_static(said));
        }
        Ok(response)
    }

    fn capabilities(&self) -> TransportCapabilities {
        self.inner.capabilities()
    }
}

#[tokio::test]
async fn what_a_callee_says_is_capped_and_where_it_says_nothing_its_price_is_counted() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind").priced(0.002)).await.unwrap();
    let limit = Allowance::tokens(40).with_micros(5_000);
    for (said, spent) in [
        (Some("tokens=900;micros=900000"), Cost::tokens(40).with_micros(5_000)),
        (Some("tokens=3"), Cost::tokens(3)),
        (Some("tokens=much"), Cost::tokens(40).with_micros(2_000)),
        (None, Cost::tokens(40).with_micros(2_000)),
    ] {
        let road = Said { inner: bed.transport().clone(), said };
        let tekton = bed.tekton_with(|builder| builder.transport(road)).unwrap();
        let budget = Budget::new(Allowance::tokens(1_000).with_micros(100_000));
        within(&budget, think(&tekton.peer("mind"), json!({}), limit)).await.unwrap();
        assert_eq!(budget.spent(), spent, "{said:?}");
        assert_eq!(budget.left().tokens, Some(1_000 - spent.tokens));
    }
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_attempt_that_may_have_been_carried_out_has_cost() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind")).await.unwrap();
    let (tekton, faults) = faulty(&bed);
    let (budget, mind) = (Budget::tokens(250), tekton.peer("mind"));
    // Not sent: nothing. Lost on the way back: all of it. Answered: what it was.
    faults.next(1, CallFault::FailBefore(ErrorKind::Connect)).next(1, CallFault::FailAfter(ErrorKind::Interrupted));
    let work = within(&budget, think(&mind, json!({"tokens": 7}), Allowance::tokens(100)));
    let reply = through(bed.clock(), work).await.unwrap();
    assert_eq!((reply.attempts(), budget.spent()), (3, Cost::tokens(107)));
    // The second attempt cannot pay any more: it is refused, and the first one stays counted.
    faults.next(5, CallFault::FailAfter(ErrorKind::Interrupted));
    let work = within(&budget, think(&mind, json!({"tokens": 7}), Allowance::tokens(100)));
    let error = through(bed.clock(), work).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Rejected, 2), "{error:?}");
    assert_eq!((budget.spent(), budget.left()), (Cost::tokens(207), Allowance::tokens(43)));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_or_that_is_too_late_has_cost_all_of_it() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind")).await.unwrap();
    let mind = bed.tekton().peer("mind");
    let hang = |limit: u64| {
        let call = mind.request::<()>("hang").json(&json!({"tokens": 5})).timeout(SECOND);
        call.spend_at_most(Allowance::tokens(limit))
    };
    let budget = Budget::tokens(100);
    {
        let mut work = pin!(within(&budget, hang(30).into_future()));
        assert!(poll!(work.as_mut()).is_pending());
        assert_eq!((budget.spent(), budget.left()), (Cost::ZERO, Allowance::tokens(70)));
    }
    assert_eq!((budget.spent(), budget.left()), (Cost::tokens(30), Allowance::tokens(70)));
    let late = through(bed.clock(), within(&budget, hang(20).into_future())).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    // Both sides end at the same moment: the host may still say what was spent.
    assert!([35, 50].contains(&budget.spent().tokens), "{budget:?}");
    assert_eq!(budget.left().tokens, Some(100 - budget.spent().tokens), "nothing stays set aside");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn nothing_can_be_spent_after_the_answer() {
    let bed = TestBed::new().unwrap();
    let mind = Mind::new("mind");
    let kept = Arc::clone(&mind.kept);
    bed.serve(mind).await.unwrap();
    let budget = Budget::tokens(100);
    let mind = bed.tekton().peer("mind");
    let call = mind.request::<()>("leak").json(&json!({"tokens": 10}));
    within(&budget, call.spend_at_most(Allowance::tokens(60)).into_future()).await.unwrap();
    let leaked = kept.lock().unwrap().take().unwrap();
    assert_eq!(leaked.spend(Cost::tokens(1)).unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!((leaked.spent(), budget.spent()), (Cost::tokens(10), Cost::tokens(10)));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_host_has_a_limit_of_its_own() {
    let bed = TestBed::new().unwrap();
    bed.serve_with(Mind::new("mind"), |serve| serve.spend_at_most(Allowance::tokens(50))).await.unwrap();
    let mind = bed.tekton().peer("mind");
    for (limit, told) in [(Some(20), "20 tokens"), (Some(900), "50 tokens"), (None, "50 tokens")] {
        let call = mind.request::<Value>("think").json(&json!({}));
        let call = match limit {
            Some(tokens) => call.spend_at_most(Allowance::tokens(tokens)),
            None => call,
        };
        assert_eq!(*call.await.unwrap(), json!(told));
    }
    let error = soon(think(&mind, json!({"tokens": 51}), Allowance::tokens(900))).await.unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 402);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_was_not_begun_is_told_to_have_cost_nothing() {
    let bed = TestBed::new().unwrap();
    bed.serve(Mind::new("mind").priced(0.001)).await.unwrap();
    let mind = bed.tekton().peer("mind");
    let budget = Budget::micros(10_000);
    for call in [
        mind.request::<Value>("unknown"),
        mind.request("think").path("/nowhere"),
        mind.request("think").body(HeaderValue::from_static("application/json"), bytes::Bytes::from_static(b"no json")),
    ] {
        within(&budget, call.into_future()).await.unwrap_err();
        assert_eq!((budget.spent(), budget.left()), (Cost::ZERO, Allowance::micros(10_000)));
    }
    bed.shutdown().await.unwrap();
}
