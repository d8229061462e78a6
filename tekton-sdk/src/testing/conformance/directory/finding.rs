//! Laws of finding.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use super::{DirectorySubject, NOWHERE, find, ids, register, registration, writable};
use crate::{
    contract::Score,
    directory::{Directory, HealthFilter, Query},
};

/// All three ways lead to the same entry.
pub async fn a_registered_component_is_found_by_name_id_and_capability<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let mut law = registration("law-1", "law");
    law.capabilities = vec!["text.summarize".to_owned()];
    register(directory, &law).await;
    register(directory, &registration("other-1", "other")).await;
    for query in [Query::name("law"), Query::id("law-1"), Query::capability("text.summarize")] {
        assert_eq!(ids(directory, query.clone()).await, ["law-1"], "{}", query.describe());
    }
    assert_eq!(ids(directory, Query::everybody()).await.len(), 2);
}

/// Names differ in case between the mesh's languages; ids do not.
pub async fn a_name_is_found_in_any_case_of_letters<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    register(directory, &registration("law-1", "LawGiver")).await;
    assert_eq!(ids(directory, Query::name("lawgiver")).await, ["law-1"]);
    assert_eq!(ids(directory, Query::name("LAWGIVER")).await, ["law-1"]);
    assert!(ids(directory, Query::id("LAW-1")).await.is_empty(), "an id is matched exactly");
}

/// Name, version, kind, endpoint, capabilities with their scores, and the metadata.
pub async fn what_was_registered_comes_back<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let mut law = registration("law-1", "law");
    law.kind = "rule".to_owned();
    law.capabilities = vec!["text.summarize".to_owned(), "text.translate".to_owned()];
    law.metadata.description = Some("Gives the law; \"quoted\", döner 🥙.".to_owned());
    law.metadata.instance = Some("1".to_owned());
    law.metadata.api_versions = vec!["1".to_owned(), "2".to_owned()];
    law.metadata.dependencies = vec!["engram".to_owned()];
    law.metadata.scores.insert("text.summarize".to_owned(), 0.9);
    law.metadata.context_window = Some(8_000);
    law.metadata.cost = Some(0.25);
    register(directory, &law).await;
    let found = find(directory, Query::id("law-1")).await;
    let entry = found.first().expect("a registered component is found");
    assert_eq!((entry.name.as_str(), entry.version.as_str()), ("law", "1.2.0"));
    assert_eq!((entry.kind.as_deref(), entry.endpoint.as_str()), (Some("rule"), NOWHERE));
    let mut capabilities: Vec<_> = entry.capabilities.iter().map(|c| (c.name.as_str(), c.score)).collect();
    capabilities.sort_by_key(|(name, _)| *name);
    assert_eq!(capabilities, [("text.summarize", Some(score(0.9))), ("text.translate", None)]);
    assert_eq!(entry.metadata.description, law.metadata.description);
    assert_eq!(entry.metadata.instance, law.metadata.instance);
    assert_eq!(entry.metadata.api_versions, law.metadata.api_versions);
    assert_eq!(entry.metadata.dependencies, law.metadata.dependencies);
    assert_eq!(entry.metadata.context_window, law.metadata.context_window);
    assert_eq!(entry.metadata.cost, law.metadata.cost);
}

/// That nobody matches is no error.
pub async fn finding_nobody_is_an_empty_list<S: DirectorySubject + ?Sized>(subject: &S) {
    let directory = subject.directory();
    for query in [Query::name("nobody-at-all"), Query::id("nobody-1"), Query::capability("nothing.at.all")] {
        assert!(find(directory, query.clone()).await.is_empty(), "{}", query.describe());
        let healthy = directory.find(&query.clone().with_health(HealthFilter::Healthy)).await;
        assert!(healthy.expect("a directory that is up finds").is_empty(), "{}", query.describe());
    }
}

/// By default; equal ones by id. The ids are in the opposite order, so that the order of ids does not pass.
pub async fn the_newest_registration_comes_first<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    for id in ["law-a", "law-b", "law-c"] {
        register(directory, &registration(id, "law")).await;
        subject.tick().await;
    }
    assert_eq!(ids(directory, Query::name("law")).await, ["law-c", "law-b", "law-a"]);
    register(directory, &registration("law-a", "law")).await;
    assert_eq!(ids(directory, Query::name("law")).await, ["law-a", "law-c", "law-b"], "a renewal counts");
}

async fn scored(directory: &dyn Directory, id: &str, capabilities: &[(&str, Option<f64>)]) {
    let mut law = registration(id, "law");
    for (name, score) in capabilities {
        law.capabilities.push((*name).to_owned());
        law.metadata.scores.extend(score.map(|score| ((*name).to_owned(), score)));
    }
    register(directory, &law).await;
}

fn score(score: f64) -> Score {
    Score::new(score).expect("the laws' scores are between 0 and 1")
}

/// The minimum itself passes; one without a score passes a minimum of 0 only.
pub async fn a_score_below_the_minimum_is_no_match<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    scored(directory, "low-1", &[("sum", Some(0.4))]).await;
    scored(directory, "just-1", &[("sum", Some(0.5))]).await;
    scored(directory, "silent-1", &[("sum", None)]).await;
    assert_eq!(ids(directory, Query::default().with_min_score("sum", score(0.5))).await, ["just-1"]);
    assert_eq!(ids(directory, Query::capability("sum")).await.len(), 3);
}

/// The minimum itself passes; who does not say is no match.
pub async fn a_context_window_below_the_minimum_is_no_match<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    for (id, window) in [("small-1", Some(7_999)), ("just-1", Some(8_000)), ("silent-1", None)] {
        let mut law = registration(id, "law");
        law.metadata.context_window = window;
        register(directory, &law).await;
    }
    assert_eq!(ids(directory, Query::name("law").with_min_context_window(8_000)).await, ["just-1"]);
}

/// `with_capability` twice means both.
pub async fn every_capability_of_all_is_needed<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    scored(directory, "one-1", &[("sum", None)]).await;
    scored(directory, "both-1", &[("sum", None), ("mean", None)]).await;
    assert_eq!(ids(directory, Query::capability("sum").with_capability("mean")).await, ["both-1"]);
}

/// `with_any` means at least one.
pub async fn one_capability_of_any_is_enough<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    scored(directory, "sum-1", &[("sum", None)]).await;
    scored(directory, "mean-1", &[("mean", None)]).await;
    scored(directory, "other-1", &[("max", None)]).await;
    let mut found = ids(directory, Query::default().with_any(["sum", "mean"])).await;
    found.sort();
    assert_eq!(found, ["mean-1", "sum-1"]);
}

/// [`HealthFilter::Healthy`] lists only entries that say so; [`HealthFilter::Usable`] drops nobody.
pub async fn who_is_not_known_to_be_well_is_no_healthy_match<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    register(directory, &registration("law-1", "law")).await;
    subject.tick().await;
    register(directory, &registration("law-2", "law")).await;
    let find = |filter| async move {
        directory.find(&Query::name("law").with_health(filter)).await.expect("a directory that is up finds")
    };
    let well = find(HealthFilter::Healthy).await;
    assert!(well.iter().all(|entry| entry.healthy == Some(true)), "not known to be well: {well:?}");
    assert!(well.is_empty(), "nobody listens there: {well:?}");
    assert_eq!(find(HealthFilter::Usable).await.len(), 2);
    assert_eq!(find(HealthFilter::Any).await.len(), 2);
}

/// What others registered is theirs: it is handed out as it is, and is no error under any filter.
pub async fn a_malformed_endpoint_is_listed<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let mut law = registration("law-1", "law");
    law.endpoint = "no endpoint:at all/".to_owned();
    let lease = register(directory, &law).await;
    for filter in [HealthFilter::Any, HealthFilter::Usable] {
        let found = directory.find(&Query::name("law").with_health(filter)).await.expect("it is no error");
        assert_eq!(found.iter().map(|e| e.endpoint.as_str()).collect::<Vec<_>>(), [law.endpoint.as_str()]);
    }
    let well = directory.find(&Query::name("law").with_health(HealthFilter::Healthy)).await;
    assert!(well.expect("it is no error").is_empty(), "who cannot be reached is not well");
    assert!(directory.unregister(&lease).await.expect("the own entry is removed"));
}

/// Five hundred, each once.
pub async fn many_entries_are_all_found<S: DirectorySubject + ?Sized>(subject: &S) {
    let Some(directory) = writable(subject) else { return };
    let mut expected: Vec<_> = (0..500).map(|n| format!("law-{n:03}")).collect();
    for id in &expected {
        register(directory, &registration(id, "law")).await;
    }
    let mut found = ids(directory, Query::name("law")).await;
    found.sort();
    assert_eq!(found, expected);
    let last = expected.pop().expect("there are 500");
    assert_eq!(ids(directory, Query::id(last.as_str())).await, [last]);
}
