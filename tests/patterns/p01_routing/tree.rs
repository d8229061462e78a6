//! Random trees of calls with failures, retries, lost answers and callers that go away: whatever happens, no more is spent than
//! the root allows, and everything that was spent is counted.

use std::{
    future::IntoFuture,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{future::join_all, poll};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Peer, Result,
    context::{Allowance, Budget, Cost},
    contract::{Descriptor, Operation},
    host::Operations,
    testing::{CallFault, FaultyTransport, TestBed},
    transport::Safety,
};

/// What one operation does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    /// What it spends itself, before and after it has asked others.
    spends: Vec<(u64, u64)>,
    asks: Vec<Ask>,
    /// Whether it asks them all at once.
    at_once: bool,
    /// Whether it asks somebody who goes on after it has answered.
    leaks: bool,
    ends: Ends,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ask {
    tokens: Option<u64>,
    micros: Option<u64>,
    /// After so many polls it is given up, if it is not done.
    patience: Option<usize>,
    plan: Plan,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Ends {
    Well,
    Failing,
    Overloaded,
    Never,
}

const WORK: Operation = Operation::read("work", "Does as planned.").open();

struct Worker {
    peer: Peer,
    truth: Arc<Truth>,
}

/// What was spent indeed, as far as a budget said yes.
#[derive(Debug, Default)]
struct Truth {
    tokens: AtomicU64,
    micros: AtomicU64,
}

impl Truth {
    fn spent(&self) -> Cost {
        Cost::tokens(self.tokens.load(Ordering::SeqCst)).with_micros(self.micros.load(Ordering::SeqCst))
    }
}

impl Worker {
    fn spend(&self, context: &Context, (tokens, micros): (u64, u64)) {
        let cost = Cost::tokens(tokens).with_micros(micros);
        if context.budget().is_some_and(|budget| budget.spend(cost).is_ok()) {
            self.truth.tokens.fetch_add(tokens, Ordering::SeqCst);
            self.truth.micros.fetch_add(micros, Ordering::SeqCst);
        }
    }

    async fn work(self: Arc<Self>, context: Context, plan: Plan) -> Result<()> {
        let mut spends = plan.spends.into_iter();
        if let Some(cost) = spends.next() {
            self.spend(&context, cost);
        }
        let asks = plan.asks.into_iter().map(|planned| ask(self.peer.clone(), planned));
        if plan.at_once {
            join_all(asks).await;
        } else {
            for asking in asks {
                asking.await;
            }
        }
        spends.for_each(|cost| self.spend(&context, cost));
        if plan.leaks {
            let (worker, late) = (Arc::clone(&self), context.clone());
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                worker.spend(&late, (1, 1));
            });
        }
        match plan.ends {
            Ends::Well => Ok(()),
            Ends::Failing => Err(Error::invalid("as planned")),
            Ends::Overloaded => Err(Error::new(ErrorKind::Closed, "as planned")),
            Ends::Never => std::future::pending().await,
        }
    }
}

impl Component for Worker {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("worker", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new().on(&self, WORK, |worker, context, args| async move {
            let plan = serde_json::from_value(args.whole::<Value>()?["plan"].clone());
            worker.work(context, plan.map_err(|_| Error::internal("no plan"))?).await
        })
    }
}

async fn ask(peer: Peer, planned: Ask) {
    let mut limit = Allowance::default();
    if let Some(tokens) = planned.tokens {
        limit = limit.with_tokens(tokens);
    }
    if let Some(micros) = planned.micros {
        limit = limit.with_micros(micros);
    }
    let call = peer.request::<Value>("work").json(&serde_json::json!({ "plan": planned.plan }));
    let call = call.safety(Safety::Read).timeout(Duration::from_secs(10)).spend_at_most(limit);
    let mut call = pin!(call.into_future());
    let mut polled = 0;
    // Whatever comes of it: given up, refused, lost or answered.
    std::future::poll_fn(|cx| {
        polled += 1;
        match call.as_mut().poll(cx) {
            Poll::Pending if planned.patience.is_none_or(|patience| polled <= patience) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

fn plan() -> impl Strategy<Value = Plan> {
    let spends = || proptest::collection::vec((0..40_u64, 0..40_u64), 0..3);
    let ends = || prop_oneof![6 => Just(Ends::Well), 1 => Just(Ends::Failing), 1 => Just(Ends::Overloaded), 1 => Just(Ends::Never)];
    let leaf = (spends(), any::<bool>(), ends()).prop_map(|(spends, leaks, ends)| Plan {
        spends,
        asks: Vec::new(),
        at_once: false,
        leaks,
        ends,
    });
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let asks = proptest::collection::vec(asking(inner), 0..4);
        (spends(), asks, any::<bool>(), any::<bool>(), ends()).prop_map(|(spends, asks, at_once, leaks, ends)| Plan {
            spends,
            asks,
            at_once,
            leaks,
            ends,
        })
    })
}

fn asking(plan: impl Strategy<Value = Plan>) -> impl Strategy<Value = Ask> {
    let limit = || proptest::option::weighted(0.8, 0..120_u64);
    let patience = proptest::option::weighted(0.2, 0..4_usize);
    (limit(), limit(), patience, plan).prop_map(|(tokens, micros, patience, plan)| Ask {
        tokens,
        micros,
        patience,
        plan,
    })
}

fn fault() -> impl Strategy<Value = CallFault> {
    prop_oneof![
        Just(CallFault::FailBefore(ErrorKind::Connect)),
        Just(CallFault::FailAfter(ErrorKind::Interrupted)),
        Just(CallFault::BreakBody(1)),
        Just(CallFault::Delay(Duration::from_secs(3))),
        Just(CallFault::Hang),
    ]
}

/// Runs the root's calls inside a budget, on a road with these faults. Gives what the budget says, and what is true.
async fn run(limit: Allowance, asks: Vec<Ask>, faults: Vec<(usize, CallFault)>, polls: usize) -> (Budget, Cost) {
    let bed = TestBed::new().unwrap();
    let (transport, plan) = FaultyTransport::new(bed.transport().clone(), bed.tekton().clock().clone());
    for (nth, fault) in faults {
        plan.every(nth, fault);
    }
    let tekton = bed.tekton_with(|builder| builder.transport(transport)).unwrap();
    let (peer, truth) = (tekton.peer("worker"), Arc::new(Truth::default()));
    bed.serve(Worker { peer: peer.clone(), truth: Arc::clone(&truth) }).await.unwrap();
    let budget = Budget::new(limit);
    {
        let asks = join_all(asks.into_iter().map(|planned| ask(peer.clone(), planned)));
        let mut work = pin!(Context::new().with_budget(budget.clone()).scope(asks));
        for _ in 0..polls {
            if poll!(work.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
            bed.clock().advance(Duration::from_millis(500));
        }
    }
    // Whoever was left running for itself tries its luck now.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    (budget, truth.spent())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_tree_never_spends_more_than_its_root_allows_and_all_of_it_is_counted(
        tokens in proptest::option::of(0..400_u64),
        micros in proptest::option::of(0..400_u64),
        asks in proptest::collection::vec(asking(plan()), 1..4),
        faults in proptest::collection::vec((2..7_usize, fault()), 0..3),
        polls in prop_oneof![3 => Just(2_000), 1 => 1..40_usize],
    ) {
        let limit = match (tokens, micros) {
            (Some(tokens), Some(micros)) => Allowance::tokens(tokens).with_micros(micros),
            (Some(tokens), None) => Allowance::tokens(tokens),
            (None, Some(micros)) => Allowance::micros(micros),
            (None, None) => Allowance::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (budget, truth) = runtime.block_on(run(limit, asks, faults, polls));
        let spent = budget.spent();
        prop_assert!(limit.covers(spent), "{:?}", budget);
        prop_assert!(limit.covers(truth), "{:?}, and {} were spent", budget, truth);
        // Of what the root does not limit nobody can know what a lost answer has cost.
        prop_assert!(tokens.is_none() || truth.tokens <= spent.tokens, "{:?}, and {} were spent", budget, truth);
        prop_assert!(micros.is_none() || truth.micros <= spent.micros, "{:?}, and {} were spent", budget, truth);
        // Nothing stays set aside when all is over.
        prop_assert_eq!(budget.left().tokens, limit.tokens.map(|tokens| tokens - spent.tokens));
        prop_assert_eq!(budget.left().micros, limit.micros.map(|micros| micros - spent.micros));
    }
}
