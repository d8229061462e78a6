//! Several asked at once, some of which hang, fail or come late.

use std::{collections::HashSet, pin::pin, sync::atomic::Ordering};

use bytes::Bytes;
use futures_util::{poll, stream};
use http::HeaderValue;
use serde_json::{Value, json};
use tekton_sdk::{
    Context, ErrorKind, Sent,
    directory::Query,
    patterns::request::ScatterCall,
    testing::{CallFault, FaultyDirectory, TestBed},
    time::{Clock, Deadline},
    transport::Body,
};

use super::{CAPABILITY, Does, Model, SECOND, Seen, serve, soon, through};

/// Everybody who can, in the order of their names' registration, the newest first.
fn ask(bed: &TestBed) -> ScatterCall<Value> {
    bed.tekton().scatter(Query::capability(CAPABILITY)).request("generate").read()
}

#[tokio::test]
async fn the_first_success_wins_and_the_others_are_given_up() {
    let bed = TestBed::new().unwrap();
    let does = [
        ("late", Does::Late(SECOND, json!(1))),
        ("good", Does::Answer(json!(2))),
        ("bad", Does::Fail(ErrorKind::Invalid)),
        ("stuck", Does::Hang),
    ];
    let seen = serve(&bed, does).await;
    let first = soon(ask(&bed).first()).await.unwrap();
    assert_eq!((first.holder(), &*first, first.reply().attempts()), ("good", &json!(2), 1));
    assert_eq!(seen.each_ref().map(Seen::running), [0; 4], "nobody works on");
    assert_eq!((seen[2].began(), seen[3].began()), (1, 1));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn where_all_fail_the_error_says_how_each_of_them_did() {
    let bed = TestBed::new().unwrap();
    serve(&bed, [("one", Does::Fail(ErrorKind::Internal)), ("two", Does::Fail(ErrorKind::Conflict))]).await;
    let error = through(bed.clock(), ask(&bed).first()).await.unwrap_err();
    // `two` is the newest, so the best.
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Conflict, Sent::Yes));
    let told = error.to_string();
    assert!(told.starts_with("none of 2 components answered; two: answered 409 Conflict: as planned; one: "), "{told}");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn all_gives_one_outcome_for_each_in_the_querys_order() {
    let bed = TestBed::new().unwrap();
    let does = [
        ("good", Does::Answer(json!("now"))),
        ("bad", Does::Fail(ErrorKind::Invalid)),
        ("late", Does::Late(SECOND, json!("later"))),
    ];
    serve(&bed, does).await;
    let outcomes = through(bed.clock(), ask(&bed).all()).await.unwrap();
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match &outcome.result {
            Ok(reply) => format!("{}: {}", outcome.holder, **reply),
            Err(error) => format!("{}: {:?}", outcome.holder, error.kind()),
        })
        .collect();
    assert_eq!(told, [r#"late: "later""#, "bad: Remote", r#"good: "now""#]);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_quorum_is_enough_and_gives_the_rest_up() {
    let bed = TestBed::new().unwrap();
    let does = [
        ("stuck", Does::Hang),
        ("one", Does::Answer(json!(1))),
        ("bad", Does::Fail(ErrorKind::Invalid)),
        ("two", Does::Answer(json!(2))),
    ];
    let seen = serve(&bed, does).await;
    let agreed = soon(ask(&bed).quorum(2)).await.unwrap();
    let told: Vec<_> = agreed.iter().map(|answer| (answer.holder(), (**answer).clone())).collect();
    assert_eq!(told, [("two", json!(2)), ("one", json!(1))]);
    assert_eq!(seen[0].running(), 0);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_impossible_quorum_is_told_at_once_with_its_counts() {
    let bed = TestBed::new().unwrap();
    let does = [
        ("stuck", Does::Hang),
        ("bad", Does::Fail(ErrorKind::Invalid)),
        ("good", Does::Answer(json!(1))),
        ("worse", Does::Fail(ErrorKind::Conflict)),
    ];
    let seen = serve(&bed, does).await;
    // Nobody moves the clock, and one of them hangs.
    let error = soon(ask(&bed).quorum(3)).await.unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("a quorum of 3 is out of reach: 1 of 4 answered, 2 failed; worse: "), "{told}");
    assert_eq!((error.sent(), seen[0].running()), (Sent::Maybe, 0));
    let error = soon(ask(&bed).quorum(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, Sent::No));
    assert_eq!(error.to_string(), "a quorum of 5 is out of reach: 4 components can be asked");
    assert_eq!(soon(ask(&bed).quorum(0)).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(seen[1].began(), 1, "nobody was asked for the other two");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_deadline_bounds_those_who_wait_for_their_turn_too() {
    let bed = TestBed::new().unwrap();
    let names = ["a", "b", "c", "d"];
    let seen = serve(&bed, names.map(|name| (name, Does::Hang))).await;
    let scatter = bed.tekton().scatter(Query::capability(CAPABILITY)).concurrency(2);
    let began = bed.clock().now();
    let outcomes = scatter.request::<Value>("generate").read().timeout(SECOND * 10).all();
    let outcomes = through(bed.clock(), outcomes).await.unwrap();
    // The callee's operation ends at the same moment, and either may tell.
    let late = |outcome: &tekton_sdk::patterns::request::Outcome<Value>| {
        outcome.result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout)
    };
    assert!(outcomes.len() == 4 && outcomes.iter().all(late), "{outcomes:?}");
    assert_eq!(bed.clock().now() - began, SECOND * 10);
    assert_eq!(seen.iter().map(Seen::began).sum::<usize>(), 2, "the other two were too late to begin");

    let deadline = Deadline::after(bed.clock().now(), SECOND);
    let context = Context::new().with_deadline(Some(deadline));
    let error = through(bed.clock(), context.scope(ask(&bed).timeout(SECOND * 10).first())).await.unwrap_err();
    assert_eq!((error.kind(), bed.clock().now() - began), (ErrorKind::Timeout, SECOND * 11));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_hangs_is_within_the_deadline() {
    let bed = TestBed::new().unwrap();
    let (directory, faults) = FaultyDirectory::new(bed.directory().clone(), bed.tekton().clock().clone());
    faults.every(1, CallFault::Hang);
    let tekton = bed.tekton_with(|builder| builder.directory(directory)).unwrap();
    let scatter = tekton.scatter(Query::capability(CAPABILITY)).request::<Value>("generate").read();
    let error = through(bed.clock(), scatter.timeout(SECOND).all()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Timeout, Sent::No));
}

#[tokio::test]
async fn nobody_and_everybody_gone_are_told_apart() {
    let bed = TestBed::new().unwrap();
    let error = soon(ask(&bed).first()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::NotFound, Sent::No));
    assert_eq!(error.to_string(), "no component is registered for capability text.generate");
    bed.clock().advance(SECOND * 60);
    let _ = serve(&bed, [("a", Does::Answer(json!(1))), ("b", Does::Answer(json!(1)))]).await;
    for name in ["a", "b"] {
        bed.kill(name).unwrap();
    }
    let error = through(bed.clock(), ask(&bed).first()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Connect, Sent::No), "{error:?}");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dropped_scatter_gives_up_every_call() {
    let bed = TestBed::new().unwrap();
    let seen = serve(&bed, ["a", "b", "c"].map(|name| (name, Does::Hang))).await;
    for way in 0..3 {
        {
            let mut work = pin!(async {
                match way {
                    0 => drop(ask(&bed).first().await),
                    1 => drop(ask(&bed).all().await),
                    _ => drop(ask(&bed).quorum(2).await),
                }
            });
            assert!(poll!(work.as_mut()).is_pending());
            assert_eq!(seen.each_ref().map(Seen::running), [1; 3]);
        }
        assert_eq!(seen.each_ref().map(Seen::running), [0; 3]);
    }
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_more_are_asked_than_allowed_and_no_more_at_once() {
    let bed = TestBed::new().unwrap();
    let seen = Seen::default();
    for n in 0..20 {
        bed.serve(Model::new(&bed, &format!("m{n}"), Does::Late(SECOND, json!(n))).seen_by(&seen)).await.unwrap();
    }
    let scatter = || bed.tekton().scatter(Query::capability(CAPABILITY));
    let outcomes = through(bed.clock(), ask(&bed).all()).await.unwrap();
    assert_eq!((outcomes.len(), seen.began(), seen.most.swap(0, Ordering::SeqCst)), (16, 16, 16));
    let few = scatter().limit(7).concurrency(3).request::<Value>("generate").read();
    let outcomes = through(bed.clock(), few.all()).await.unwrap();
    assert_eq!((outcomes.len(), seen.most.load(Ordering::SeqCst)), (7, 3));
    for none in [scatter().limit(0), scatter().concurrency(0)] {
        let error = soon(none.request::<Value>("generate").read().all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_component_is_asked_once_unless_instances_are_meant() {
    let bed = TestBed::new().unwrap();
    for does in [1, 2] {
        bed.serve(Model::new(&bed, "twin", Does::Answer(json!(does)))).await.unwrap();
    }
    let outcomes = soon(ask(&bed).all()).await.unwrap();
    assert_eq!(outcomes.iter().map(|outcome| &*outcome.holder).collect::<Vec<_>>(), ["twin"]);
    let each = bed.tekton().scatter(Query::capability(CAPABILITY)).instances().request::<u8>("generate").read();
    let outcomes = soon(each.all()).await.unwrap();
    let told: HashSet<_> = outcomes.iter().map(|o| (&*o.holder, **o.result.as_ref().unwrap())).collect();
    assert_eq!(told, HashSet::from([("twin-1", 1), ("twin-2", 2)]));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_write_is_carried_out_by_each_only_if_that_is_allowed() {
    let bed = TestBed::new().unwrap();
    let seen = serve(&bed, ["a", "b", "c"].map(|name| (name, Does::Hang))).await;
    let note = || bed.tekton().scatter(Query::capability(CAPABILITY)).request::<Option<String>>("note");
    let refused = soon(note().all()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.sent()), (ErrorKind::Invalid, Sent::No));
    assert!(refused.to_string().contains("write_on_each()"), "{refused}");
    assert_eq!(seen.each_ref().map(Seen::began), [0; 3]);
    let outcomes = soon(note().write_on_each().all()).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.result.as_ref().unwrap().is_none()));
    // Each has a key of its own: to the callees they are different calls.
    let idempotent = note().write_on_each().with(|call| call.safety(tekton_sdk::transport::Safety::Idempotent));
    let outcomes = soon(idempotent.all()).await.unwrap();
    let keys: HashSet<_> =
        outcomes.iter().map(|outcome| (**outcome.result.as_ref().unwrap()).clone().unwrap()).collect();
    assert_eq!(keys.len(), 3);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_about_the_call_is_told_before_anybody_is_asked() {
    let bed = TestBed::new().unwrap();
    let seen = serve(&bed, [("a", Does::Answer(json!(1)))]).await;
    let scatter =
        |operation: &str| bed.tekton().scatter(Query::capability(CAPABILITY)).request::<Value>(operation).read();
    assert_eq!(soon(scatter("no name").first()).await.unwrap_err().kind(), ErrorKind::Invalid);
    let pieces = stream::iter([Ok(Bytes::from_static(b"{}"))]);
    let streamed =
        scatter("generate").with(|call| call.body(HeaderValue::from_static("application/json"), Body::stream(pieces)));
    let error = soon(streamed.all()).await.unwrap_err();
    assert!(error.to_string().starts_with("the body is a stream"), "{error}");
    assert_eq!(seen[0].began(), 0);
    // Whatever else a call can be told reaches each of them.
    let by_get = scatter("generate").with(|call| call.method(http::Method::GET));
    assert_eq!(*soon(by_get.first()).await.unwrap(), json!(1));
    bed.shutdown().await.unwrap();
}
