use std::{
    error::Error as _,
    sync::{Arc, Barrier},
    thread,
};

use proptest::prelude::*;

use super::*;

fn both(tokens: u64, micros: u64) -> Cost {
    Cost::tokens(tokens).with_micros(micros)
}

#[test]
fn a_refusal_names_what_was_asked_and_what_is_left() {
    let budget = Budget::new(Allowance::tokens(100).with_micros(50));
    budget.spend(both(30, 0)).unwrap();
    let _held = budget.reserve(both(20, 10)).unwrap();
    let error = budget.reserve(both(60, 5)).unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::No));
    let told = "budget: 60 tokens and 5 micros were asked for, and 50 tokens and 40 micros are left; \
                ask for less, or allow more at the root";
    assert_eq!((error.to_string().as_str(), error.report().as_str()), (told, told));
    let overdrawn = error.source().unwrap().downcast_ref::<Overdrawn>().unwrap();
    assert_eq!((overdrawn.asked, overdrawn.left), (both(60, 5), Allowance::from(both(50, 40))));
    assert_eq!(budget.left(), Allowance::from(both(50, 40)), "a refusal sets nothing aside");
}

#[test]
fn a_reservation_is_settled_given_back_or_else_spent() {
    let budget = Budget::tokens(100);
    assert_eq!(budget.reserve(Cost::tokens(40)).unwrap().settle(Cost::tokens(15)), Cost::tokens(15));
    budget.reserve(Cost::tokens(40)).unwrap().give_back();
    drop(budget.reserve(Cost::tokens(40)).unwrap());
    assert_eq!((budget.spent(), budget.left()), (Cost::tokens(55), Allowance::tokens(45)));
    // What was not set aside is counted as far as it can be.
    assert_eq!(budget.reserve(Cost::tokens(5)).unwrap().settle(Cost::tokens(900)), Cost::tokens(45));
    assert_eq!(budget.spent(), Cost::tokens(100));
}

#[test]
fn an_exhausted_budget_refuses_what_costs_nothing_and_one_of_zero_does_not() {
    let budget = Budget::new(Allowance::tokens(10));
    budget.spend(Cost::micros(u64::MAX)).unwrap();
    budget.spend(Cost::micros(u64::MAX)).unwrap();
    assert_eq!(
        budget.spent(),
        Cost::micros(u64::MAX),
        "what is not limited is counted, and stays at the largest number"
    );
    let under_way = budget.reserve(Cost::tokens(10)).unwrap();
    budget.spend(Cost::ZERO).unwrap();
    drop(under_way);
    assert_eq!(budget.spend(Cost::ZERO).unwrap_err().kind(), ErrorKind::Rejected);
    let nothing = Budget::new(Allowance::from(Cost::ZERO));
    nothing.spend(Cost::ZERO).unwrap();
    nothing.spend(Cost::tokens(1)).unwrap_err();
}

#[test]
#[cfg(feature = "host")]
fn closed_it_counts_what_is_set_aside_and_refuses_the_rest() {
    let budget = Budget::tokens(100);
    budget.spend(Cost::tokens(10)).unwrap();
    let under_way = budget.reserve(Cost::tokens(20)).unwrap();
    assert_eq!(budget.close(), Cost::tokens(30));
    under_way.give_back();
    assert_eq!((budget.close(), budget.spent()), (Cost::tokens(30), Cost::tokens(30)));
    assert!(budget.reserve(Cost::ZERO).is_err());
}

#[test]
#[cfg(feature = "host")]
fn the_declared_price_is_charged_unless_the_work_says_its_own() {
    let price = Cost::micros(30);
    let silent = Budget::micros(100);
    silent.hold(Cost::micros(5)).unwrap().settle(Cost::micros(5));
    silent.spend(Cost::tokens(7)).unwrap();
    silent.charge_declared(price);
    assert_eq!(silent.spent(), Cost::micros(35).with_tokens(7));
    let exact = Budget::micros(100);
    exact.spend(Cost::micros(12)).unwrap();
    exact.charge_declared(price);
    assert_eq!(exact.spent(), Cost::micros(12));
    let cached = Budget::micros(100);
    cached.reserve(price).unwrap().give_back();
    cached.charge_declared(price);
    assert_eq!(cached.spent(), Cost::ZERO);
    let small = Budget::micros(20);
    small.charge_declared(price);
    assert_eq!(small.spent(), Cost::micros(20), "never more than there is");
}

#[test]
fn threads_cannot_overdraw_it_together() {
    let (budget, start) = (Budget::tokens(1_000), Arc::new(Barrier::new(8)));
    let spent: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (budget, start) = (budget.clone(), Arc::clone(&start));
                scope.spawn(move || {
                    start.wait();
                    (0..100).filter(|_| budget.spend(Cost::tokens(3)).is_ok()).count() as u64 * 3
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!((spent, budget.spent().tokens), (999, 999));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(Cost),
    Settle(usize, Cost),
    GiveBack(usize),
    Drop(usize),
}

fn cost() -> impl Strategy<Value = Cost> {
    let amount = || prop_oneof![8 => 0..60_u64, 1 => Just(u64::MAX)];
    (amount(), amount()).prop_map(|(tokens, micros)| both(tokens, micros))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => cost().prop_map(Step::Reserve),
        1 => (0..8_usize, cost()).prop_map(|(at, cost)| Step::Settle(at, cost)),
        1 => (0..8_usize).prop_map(Step::GiveBack),
        1 => (0..8_usize).prop_map(Step::Drop),
    ]
}

proptest! {
    /// Against a model that adds up by hand.
    #[test]
    fn it_is_never_overdrawn_and_counts_what_was_settled(
        tokens in proptest::option::of(0..200_u64),
        micros in proptest::option::of(0..200_u64),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let limit = Allowance { tokens, micros };
        let budget = Budget::new(limit);
        let mut open: Vec<Reservation> = Vec::new();
        let mut spent = Cost::ZERO;
        for step in steps {
            match step {
                Step::Reserve(cost) => {
                    let left = budget.left();
                    match budget.reserve(cost) {
                        Ok(reservation) => {
                            prop_assert!(left.covers(cost));
                            open.push(reservation);
                        }
                        Err(error) => prop_assert_eq!(error.sent(), Sent::No),
                    }
                }
                Step::Settle(at, actual) if at < open.len() => {
                    let held = open[at].held();
                    let charged = open.swap_remove(at).settle(actual);
                    spent = spent.plus(charged);
                    prop_assert!(charged.tokens <= actual.tokens && charged.micros <= actual.micros);
                    prop_assert!(charged.tokens >= actual.tokens.min(held.tokens));
                    prop_assert!(charged.micros >= actual.micros.min(held.micros));
                }
                Step::GiveBack(at) if at < open.len() => open.swap_remove(at).give_back(),
                Step::Drop(at) if at < open.len() => spent = spent.plus(open.swap_remove(at).held()),
                _ => {}
            }
            prop_assert_eq!(budget.spent(), spent);
            let held = |of: fn(Cost) -> u64| open.iter().map(|r| u128::from(of(r.held()))).sum::<u128>();
            for (limit, spent, held) in [
                (limit.tokens, spent.tokens, held(|cost| cost.tokens)),
                (limit.micros, spent.micros, held(|cost| cost.micros)),
            ] {
                if let Some(limit) = limit {
                    prop_assert!(u128::from(spent) + held <= u128::from(limit));
                }
            }
        }
    }
}
