use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    contract::{Capability, Measured, Score},
    directory::{Query, Rank},
};

const CAPABILITY: &str = "text.generate";

fn model(id: &str, score: f64, rate: f64, latency: f64, cost: f64) -> Entry {
    let mut entry = Entry::new(id, id, format!("memory://{id}"));
    entry.capabilities = vec![Capability::new(CAPABILITY, Score::new(score).ok())];
    entry.metadata.success_rate = Some(rate);
    entry.metadata.avg_response_time = Some(latency);
    entry.metadata.cost = Some(cost);
    entry
}

fn query(preference: Preference) -> Query {
    Query::capability(CAPABILITY).preferring(preference)
}

fn ids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

#[test]
fn marks_are_relative_to_the_best_and_their_weighted_mean_decides() {
    let models = vec![model("a", 0.8, 0.9, 0.2, 0.01), model("b", 0.4, 0.9, 0.1, 0.04)];
    let preference = Preference::new().score(1.0).success_rate(2.0).latency(1.0).cost(4.0);
    let chosen = query(preference).weigh(models, &|_| None);
    let told: Vec<_> = chosen.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a: 0.938 = score 0.8 -> 1.000 x 1, success_rate 0.9 -> 1.000 x 2, latency 0.2 -> 0.500 x 1, \
             cost 0.01 -> 1.000 x 4",
            "b: 0.562 = score 0.4 -> 0.500 x 1, success_rate 0.9 -> 1.000 x 2, latency 0.1 -> 1.000 x 1, \
             cost 0.04 -> 0.250 x 4",
        ]
    );
}

#[test]
fn what_is_unknown_or_makes_no_sense_counts_as_the_worst_that_is_known() {
    for senseless in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let mut models = vec![model("dear", 0.5, 1.0, 1.0, 9.0), model("fair", 0.5, 1.0, 1.0, 3.0)];
        let mut unknown = model("unknown", 0.5, senseless, senseless, senseless);
        unknown.capabilities[0].score = None;
        models.push(unknown);
        let chosen =
            query(Preference::new().score(1.0).success_rate(1.0).latency(1.0).cost(1.0)).weigh(models, &|_| None);
        let totals: Vec<_> = chosen.iter().map(|choice| (choice.entry.id.as_str(), choice.total)).collect();
        let dear = (3.0 + 3.0 / 9.0) / 4.0;
        assert_eq!(totals, [("fair", 1.0), ("dear", dear), ("unknown", dear)], "{senseless}");
    }
    let nobody_says = vec![Entry::new("b", "b", "memory://b"), Entry::new("a", "a", "memory://a")];
    let ordered = Query::everybody().preferring(Preference::new().cost(3.0)).order(nobody_says);
    assert_eq!(ids(&ordered), ["a", "b"]);
}

#[test]
fn free_and_instant_do_not_divide_by_zero() {
    let models = vec![model("free", 0.0, 0.0, 0.0, 0.0), model("dear", 0.0, 0.0, 2.0, 2.0)];
    let all = Preference::new().score(1.0).success_rate(1.0).latency(1.0).cost(1.0);
    let chosen = query(all).weigh(models, &|_| None);
    assert_eq!((chosen[0].entry.id.as_str(), chosen[0].total), ("free", 1.0));
    assert!(chosen[1].total.is_finite() && chosen[1].marks.iter().all(|mark| mark.mark > 0.0), "{}", chosen[1]);
}

#[test]
fn what_was_measured_counts_more_than_what_the_entry_says() {
    let models = vec![model("boaster", 0.5, 1.0, 0.001, 1.0), model("honest", 0.5, 0.9, 0.5, 1.0)];
    let seen = |entry: &Entry| match entry.id.as_str() {
        "boaster" => Some(Measured::new(Duration::from_secs(5), 0.2, 40)),
        // From no call nothing is known.
        _ => Some(Measured::new(Duration::from_secs(90), f64::NAN, 0)),
    };
    let latency = query(Preference::new().latency(1.0));
    assert_eq!(ids(&latency.order(models.clone())), ["boaster", "honest"]);
    let chosen = latency.weigh(models.clone(), &seen);
    assert_eq!(chosen[0].to_string(), "honest: 1.000 = latency 0.5 -> 1.000 x 1");
    assert_eq!(chosen[1].to_string(), "boaster: 0.100 = latency 5 (measured) -> 0.100 x 1");
    // The other ranks, and the least success rate, go by it as well.
    assert_eq!(
        ids(&Query::capability(CAPABILITY).ranked(Rank::Latency).order_by(models.clone(), &seen)),
        ["honest", "boaster"]
    );
    let reliable = Query::capability(CAPABILITY).with_min_success_rate(0.5);
    assert_eq!(ids(&reliable.order_by(models.clone(), &seen)), ["honest"]);
    assert_eq!(reliable.select(models).len(), 2);
}

#[test]
fn a_weight_that_is_none_is_told_and_does_not_count() {
    let wrong = Preference::new().score(f64::NAN).latency(f64::INFINITY).success_rate(-0.5).cost(1000.5);
    let error = query(wrong).with_min_success_rate(f64::NAN).check().unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(ToString::to_string).collect();
    assert_eq!(
        fields,
        [
            "preference.score: is NaN, and must be a number from 0 to 1000",
            "preference.success_rate: is -0.5, and must be a number from 0 to 1000",
            "preference.latency: is inf, and must be a number from 0 to 1000",
            "preference.cost: is 1000.5, and must be a number from 0 to 1000",
            "min_success_rate: is NaN, and must be a number from 0 to 1",
        ]
    );
    let models = vec![model("b", 0.1, 0.1, 1.0, 1.0), model("a", 0.9, 0.9, 1.0, 1.0)];
    let chosen = query(wrong).weigh(models.clone(), &|_| None);
    assert_eq!((chosen[0].entry.id.as_str(), chosen[0].total, chosen[0].marks.len()), ("a", 0.0, 0));
    assert!(query(wrong).with_min_success_rate(f64::NAN).select(models).is_empty());
}

#[test]
fn equal_queries_are_equal_keys_and_other_weights_are_other_keys() {
    let of = |cost: f64| query(Preference::new().score(0.0).cost(cost)).with_min_success_rate(cost);
    let keys: HashSet<_> = [of(0.5), of(0.5), of(-0.0), of(0.0), of(f64::NAN), of(f64::NAN), of(1.0)].into();
    assert_eq!(keys.len(), 4);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..2.0_f64, 1 => Just(0.0), 1 => any::<f64>()]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let known = || proptest::option::of(number());
    let one = (proptest::option::of(0.0..=1.0_f64), known(), known(), known(), proptest::option::of(any::<bool>()));
    proptest::collection::vec(one, 1..12).prop_map(|all| {
        let entries = all.into_iter().enumerate().map(|(place, (score, rate, latency, cost, healthy))| {
            let id = format!("m{place}");
            let mut entry = Entry::new(&id, &id, format!("memory://{id}"));
            entry.capabilities = vec![Capability::new(CAPABILITY, score.and_then(|score| Score::new(score).ok()))];
            entry.metadata.success_rate = rate;
            entry.metadata.avg_response_time = latency;
            entry.metadata.cost = cost;
            entry.healthy = healthy;
            entry
        });
        entries.collect()
    })
}

fn preference() -> impl Strategy<Value = Preference> {
    let weight = || prop_oneof![4 => 0.0..5.0_f64, 1 => Just(0.0), 1 => any::<f64>()];
    (weight(), weight(), weight(), weight()).prop_map(|(score, rate, latency, cost)| {
        Preference::new().score(score).success_rate(rate).latency(latency).cost(cost)
    })
}

/// The same entry, better or equal by one criterion; no entry may say how much better that is.
fn improved(entry: &Entry, criterion: Criterion, by: f64) -> Option<Entry> {
    let mut entry = entry.clone();
    let less = |value: Option<f64>| value.filter(|value| (0.0..=f64::MAX).contains(value)).map(|value| value * by);
    match criterion {
        Criterion::Score => {
            let score = entry.capabilities[0].score?.get();
            entry.capabilities[0].score = Score::new(score + (1.0 - score) * (1.0 - by)).ok();
        }
        Criterion::SuccessRate => {
            let rate = entry.metadata.success_rate.filter(|rate| (0.0..=1.0).contains(rate))?;
            entry.metadata.success_rate = Some((rate + (1.0 - rate) * (1.0 - by)).min(1.0));
        }
        Criterion::Latency => entry.metadata.avg_response_time = Some(less(entry.metadata.avg_response_time)?),
        Criterion::Cost => entry.metadata.cost = Some(less(entry.metadata.cost)?),
    }
    Some(entry)
}

proptest! {
    #[test]
    fn the_order_is_total_and_does_not_depend_on_the_order_of_arrival(
        entries in entries(), preference in preference(), turn in 0..12_usize,
    ) {
        let query = query(preference);
        let ordered = query.order(entries.clone());
        prop_assert_eq!(ordered.len(), entries.len(), "nobody is lost");
        let mut turned = entries;
        let turn = turn % turned.len();
        turned.rotate_left(turn);
        turned.reverse();
        let again = query.order(turned);
        prop_assert_eq!(ids(&again), ids(&ordered));
    }

    #[test]
    fn marks_and_totals_are_from_0_to_1_and_the_best_of_each_criterion_has_1(
        entries in entries(), preference in preference(),
    ) {
        let chosen = query(preference).weigh(entries, &|_| None);
        for choice in &chosen {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&choice.total), "{}", choice);
            prop_assert!(choice.marks.iter().all(|mark| (0.0..=1.0).contains(&mark.mark)), "{}", choice);
        }
        for place in 0..chosen[0].marks.len() {
            prop_assert!(chosen.iter().any(|choice| choice.marks[place].mark == 1.0));
        }
    }

    #[test]
    fn who_gets_better_by_one_criterion_does_not_fall_behind(
        entries in entries(),
        preference in preference(),
        who in 0..12_usize,
        criterion in prop::sample::select(Criterion::ALL.to_vec()),
        by in 0.0..=1.0_f64,
    ) {
        let who = who % entries.len();
        let Some(better) = improved(&entries[who], criterion, by) else { return Ok(()) };
        let query = query(preference);
        let totals = |entries: Vec<Entry>| {
            let chosen = query.weigh(entries, &|_| None);
            chosen.into_iter().map(|choice| (choice.entry.id, choice.total)).collect::<std::collections::HashMap<_, _>>()
        };
        let id = entries[who].id.clone();
        let before = totals(entries.clone());
        let mut changed = entries;
        changed[who] = better;
        let after = totals(changed);
        for (other, total) in &before {
            // Equal but for rounding is not behind.
            let lead = |totals: &std::collections::HashMap<String, f64>, other: &String| totals[&id] - totals[other];
            prop_assert!(lead(&after, other) >= (before[&id] - total) - 1e-9, "{} against {}", id, other);
        }
    }
}
