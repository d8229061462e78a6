//! Whom to take, and why.

use tekton_sdk::{
    ErrorKind, Sent,
    directory::{Preference, Query},
    patterns::request::Reply,
    testing::TestBed,
};

use super::{CAPABILITY, Does, Model};

async fn models(bed: &TestBed) {
    for (name, window, cost, score) in
        [("small", 8_000, 0.001, 0.4), ("middle", 64_000, 0.004, 0.8), ("large", 200_000, 0.02, 1.0)]
    {
        let model = Model::new(bed, name, Does::Answer(name.into()));
        let described = model.describe(|model| {
            let mut model = model.context_window(window).cost(cost);
            model.capabilities = vec![(CAPABILITY.to_owned(), Some(score))];
            model
        });
        bed.serve(described).await.unwrap();
    }
}

fn names(chosen: &[tekton_sdk::directory::Choice]) -> Vec<&str> {
    chosen.iter().map(|choice| choice.entry.name.as_str()).collect()
}

#[tokio::test]
async fn one_query_chooses_by_window_score_and_cost_and_says_why() {
    let bed = TestBed::new().unwrap();
    models(&bed).await;
    let able = Query::capability(CAPABILITY).with_min_context_window(32_000);
    let cheap = able.clone().preferring(Preference::new().score(1.0).cost(1.0));
    let chosen = bed.tekton().choose(&cheap).await.unwrap();
    assert_eq!(names(&chosen), ["middle", "large"]);
    assert_eq!(chosen[0].to_string(), "middle-1: 0.900 = score 0.8 -> 0.800 x 1, cost 0.004 -> 1.000 x 1");
    let good = able.preferring(Preference::new().score(20.0).cost(1.0));
    assert_eq!(names(&bed.tekton().choose(&good).await.unwrap()), ["large", "middle"]);
    // A call to whoever matches best goes by the same order.
    let reply: Reply<String> = bed.tekton().peer_for(good).request("generate").await.unwrap();
    assert_eq!(*reply, "large");
    let none = Query::capability(CAPABILITY).with_min_context_window(1_000_000);
    assert!(bed.tekton().choose(&none).await.unwrap().is_empty());
    // No entry says how often its calls succeed; what was called from here is known.
    let reliable = Query::everybody().with_min_success_rate(0.5);
    assert_eq!(names(&bed.tekton().choose(&reliable).await.unwrap()), ["large"]);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn queries_that_prefer_something_else_are_remembered_apart_and_equal_ones_together() {
    let bed = TestBed::new().unwrap();
    models(&bed).await;
    let by = |score, cost| Query::capability(CAPABILITY).preferring(Preference::new().score(score).cost(cost));
    let before = bed.tekton().directory().stats().asked;
    for _ in 0..3 {
        assert_eq!(names(&bed.tekton().choose(&by(1.0, 0.0)).await.unwrap())[0], "large");
        assert_eq!(names(&bed.tekton().choose(&by(0.0, 1.0)).await.unwrap())[0], "small");
    }
    assert_eq!(bed.tekton().directory().stats().asked - before, 2);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_weight_that_is_no_number_is_told_wherever_the_query_is_used() {
    let bed = TestBed::new().unwrap();
    models(&bed).await;
    for weight in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        let query = Query::capability(CAPABILITY).preferring(Preference::new().latency(weight));
        let tekton = bed.tekton();
        let errors = [
            tekton.choose(&query).await.unwrap_err(),
            tekton.discover(&query).await.unwrap_err(),
            tekton.peer_for(query.clone()).request::<String>("generate").await.unwrap_err(),
            tekton.scatter(query).request::<String>("generate").read().first().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Invalid, Sent::No), "{error:?}");
            assert_eq!(error.fields()[0].field, "preference.latency");
        }
    }
    bed.shutdown().await.unwrap();
}
