//! What a budget adds to a call, and what choosing by several criteria costs.

use std::time::Duration;

use tekton_sdk::{
    Context, Peer,
    context::{Allowance, Budget, Cost},
    contract::Entry,
    directory::{Preference, Query},
};
use tekton_sdk_benches::{Selection, Table, keep};

use super::{pipeline::tekton, runtime};

pub(super) fn run(selection: &Selection) {
    budget(selection);
    choose(selection);
}

fn budget(selection: &Selection) {
    let title = "routing: a budget of what a call may spend, over a transport that answers at once";
    if !selection.takes(title) {
        return;
    }
    let (runtime, tekton) = (runtime(), tekton());
    let (alone, found) = (Budget::tokens(u64::MAX), tekton.peer("echo"));
    let fixed = tekton.peer_at(super::pipeline::ENDPOINT).expect("a constant");
    let call = |peer: &Peer, context: Context, limit: Option<Allowance>| {
        let (runtime, peer) = (&runtime, peer.clone());
        move |operations| {
            runtime.block_on(context.clone().scope(async {
                for _ in 0..operations {
                    let call = peer.request::<()>("echo").timeout(Duration::from_secs(5));
                    let call = match limit {
                        Some(limit) => call.spend_at_most(limit),
                        None => call,
                    };
                    keep(call.await.expect("it answers"));
                }
            }));
        }
    };
    let paying = || Context::new().with_budget(Budget::tokens(u64::MAX));
    Table::new(title)
        .case("a reservation, settled", move |operations| {
            for _ in 0..operations {
                let held = alone.reserve(Cost::tokens(1)).expect("there is enough");
                keep(held.settle(Cost::ZERO));
            }
        })
        .case("a call, found by name, without a budget", call(&found, Context::new(), None))
        .case("a call, found by name, with a budget", call(&found, paying(), None))
        .case("a call, at an endpoint, without a budget", call(&fixed, Context::new(), None))
        .case("a call, at an endpoint, with a budget", call(&fixed, paying(), None))
        .case("a call, at an endpoint, with a limit too", call(&fixed, paying(), Some(Allowance::tokens(1))))
        .run(selection);
}

fn choose(selection: &Selection) {
    let title = "routing: components in the order of four weights, entries cloned";
    if !selection.takes(title) {
        return;
    }
    let preference = Preference::new().score(1.0).success_rate(2.0).latency(1.0).cost(0.5);
    let query = Query::everybody().preferring(preference);
    let entries = |count: usize| {
        (0..count).map(move |n| {
            let mut entry = Entry::new(format!("m{n}"), format!("m{n}"), format!("http://127.0.0.1:{}", 1_000 + n));
            let share = (n * 37 % count) as f64 / count as f64;
            entry.metadata.success_rate = Some(share);
            entry.metadata.avg_response_time = Some(0.1 + share);
            entry.metadata.cost = Some(1.1 - share);
            entry
        })
    };
    let order = |count: usize, query: Query| {
        let entries: Vec<_> = entries(count).collect();
        move |operations| {
            for _ in 0..operations {
                keep(query.order(entries.clone()));
            }
        }
    };
    Table::new(title)
        .case("10, the newest first", order(10, Query::everybody()))
        .case("10", order(10, query.clone()))
        .case("1000, the newest first", order(1_000, Query::everybody()))
        .case("1000", order(1_000, query))
        .run(selection);
}
