//! What it costs to choose among the instances of a component.

use tekton_sdk::{
    Verdict,
    contract::Entry,
    policy::{BalanceConfig, Balancer, Instances, StickyKey, Weights},
    random::Random,
    time::SharedClock,
};
use tekton_sdk_benches::{Selection, Table, keep};

pub(crate) fn run(selection: &Selection) {
    whole(selection);
    sticky(selection);
}

fn entries(count: usize) -> Vec<Entry> {
    let entry = |n: usize| {
        let mut entry =
            Entry::new(format!("engram-{n}"), "engram", format!("http://10.0.{}.{}:8005", n / 250, n % 250));
        entry.version = if n.is_multiple_of(10) { "1.3.0" } else { "1.2.0" }.to_owned();
        entry
    };
    (0..count).map(entry).collect()
}

fn balancer() -> Balancer {
    Balancer::new(BalanceConfig::default(), SharedClock::default(), Random::seeded(1))
}

/// Instances of which everything is known: each has answered.
fn known(balancer: &Balancer, count: usize) -> Instances {
    let instances = balancer.instances("engram", &entries(count)).expect("the endpoints can be read");
    for _ in 0..count * 20 {
        instances.pick().expect("nobody is kept out").settle(Verdict::Success);
    }
    instances
}

/// A choice and its end, as often as asked.
fn choices(instances: Instances) -> impl FnMut(u64) {
    move |operations| {
        for _ in 0..operations {
            instances.pick().expect("nobody is kept out").settle(Verdict::Success);
        }
    }
}

fn whole(selection: &Selection) {
    let title = "balance: an instance is chosen, and told that the call went well";
    if !selection.takes(title) {
        return;
    }
    let clock = SharedClock::default();
    let one_out = known(&balancer(), 1_000);
    for _ in 0..5 {
        // Five failures in a row of whoever keeps this key.
        let picked = one_out.pick_sticky(StickyKey::new("out")).expect("nobody is kept out");
        picked.settle(Verdict::Failure);
    }
    let weighed = balancer();
    weighed.set_weights("engram", Weights::of([("1.2", 95), ("1.3", 5)]).expect("they sum to 100"));
    Table::new(title)
        .case("two readings of the clock, which are part of it", move |operations| {
            for _ in 0..operations {
                keep((clock.now(), clock.now()));
            }
        })
        .case("of 1", choices(known(&balancer(), 1)))
        .case("of 10", choices(known(&balancer(), 10)))
        .case("of 1,000", choices(known(&balancer(), 1_000)))
        .case("of 1,000, one of them ejected", choices(one_out))
        .case("of 1,000, by weights of two versions", choices(known(&weighed, 1_000)))
        .run(selection);
}

fn sticky(selection: &Selection) {
    let title = "balance: the instance of a sticky key";
    if !selection.takes(title) {
        return;
    }
    let chosen = |count: usize| {
        let instances = known(&balancer(), count);
        move |operations: u64| {
            for n in 0..operations {
                let key = StickyKey::new(n.to_le_bytes());
                instances.pick_sticky(key).expect("nobody is kept out").settle(Verdict::Success);
            }
        }
    };
    Table::new(title)
        .case("of 10", chosen(10))
        .case("of 100", chosen(100))
        .case("of 1,000", chosen(1_000))
        .run(selection);
}
