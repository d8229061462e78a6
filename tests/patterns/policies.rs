//! Named policies: which one holds for a call, and what happens when they are exchanged while calls run.

use std::time::Duration;

use serde_json::{Value, json};
use tekton_sdk::{
    Config, ErrorKind, Peer, Result, Tekton,
    config::{PolicySpec, TargetSpec},
    patterns::request::Reply,
    testing::EventLog,
    transport::Safety,
};

mod reload;

use crate::timed::{Seen, Timed, mesh, ms, status};

const MINUTE: Duration = Duration::from_secs(60);

/// `notes` never answers; whoever else is called fails.
fn slow(change: impl FnOnce(&mut Config)) -> (Tekton, Seen, EventLog) {
    let (timed, seen) = Timed::new(|_, request| match request.endpoint.as_ref().unwrap().host() {
        "notes" => (MINUTE, status(200, "1")),
        _ => (ms(1), status(503, "")),
    });
    let (tekton, log) = mesh(timed, |builder| builder.configure(change));
    (tekton, seen, log)
}

fn two_and_three(config: &mut Config) {
    let two = PolicySpec::new().with_timeout(Duration::from_secs(2)).with_max_attempts(2);
    *config = std::mem::take(config)
        .with_policy("two", two.with_base_delay(ms(1)).with_max_delay(ms(1)))
        .with_policy("three", PolicySpec::new().with_extends("two").with_timeout(Duration::from_secs(3)))
        .with_target("notes", TargetSpec::new().with_policy("two").with_op("list", "three"))
        .with_target("backup", TargetSpec::new().with_policy("two"));
    config.request.timeout = Duration::from_secs(9);
}

async fn read(peer: &Peer, operation: &str) -> Result<Reply<Value>> {
    peer.request::<Value>(operation).safety(Safety::Read).json(&json!({})).await
}

/// After how many seconds a call to one that never answers is given up.
async fn given_up(peer: &Peer, operation: &str) -> u64 {
    let clock = peer.tekton().clock();
    let began = clock.now();
    assert_eq!(read(peer, operation).await.unwrap_err().kind(), ErrorKind::Timeout);
    (clock.now() - began).as_secs()
}

#[tokio::test(start_paused = true)]
async fn the_operation_goes_before_the_component_and_that_before_the_settings() {
    let (tekton, ..) = slow(two_and_three);
    assert_eq!(given_up(&tekton.peer("notes"), "list").await, 3);
    assert_eq!(given_up(&tekton.peer("notes"), "find").await, 2);
    let (tekton, ..) = slow(|config| {
        two_and_three(config);
        config.targets.remove("notes");
    });
    assert_eq!(given_up(&tekton.peer("notes"), "list").await, 9);
}

#[tokio::test(start_paused = true)]
async fn what_the_call_says_goes_before_everything() {
    let (tekton, ..) = slow(two_and_three);
    let began = tekton.clock().now();
    let notes = tekton.peer("notes");
    let call = notes.request::<Value>("list").safety(Safety::Read).timeout(Duration::from_secs(5));
    assert_eq!(call.json(&json!({})).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((tekton.clock().now() - began).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_policy_says_how_often_a_call_is_tried() {
    let (tekton, seen, _) = slow(two_and_three);
    read(&tekton.peer("backup"), "list").await.unwrap_err();
    assert_eq!(seen.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_holds_for_the_next_call_and_not_for_one_under_way() {
    let (tekton, ..) = slow(two_and_three);
    let notes = tekton.peer("notes");
    let under_way = tokio::spawn({
        let notes = notes.clone();
        async move { given_up(&notes, "list").await }
    });
    tokio::task::yield_now().await;

    let mut config = Config::default();
    two_and_three(&mut config);
    let four = PolicySpec::new().with_timeout(Duration::from_secs(4)).with_max_attempts(1);
    let config = config.with_policy("three", four);
    tekton.clone().apply(&config).unwrap();
    assert_eq!(tekton.explain("notes", "list").unwrap().lines[0].value, "4s");
    assert_eq!(given_up(&notes, "list").await, 4);
    assert_eq!(under_way.await.unwrap(), 3);

    // The settings of all calls are exchanged too, and all targets may go.
    let mut config = Config::default();
    config.request.timeout = Duration::from_secs(6);
    tekton.apply(&config).unwrap();
    assert_eq!(given_up(&notes, "list").await, 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_not_applied() {
    let (tekton, ..) = slow(two_and_three);
    let wrong = Config::default().with_target("notes", TargetSpec::new().with_policy("tow"));
    let report = tekton.apply(&wrong).unwrap_err().report();
    assert_eq!(report, "1 setting is wrong; target.notes.policy: names no policy, is \"tow\"");
    assert_eq!(given_up(&tekton.peer("notes"), "find").await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_stays_open_unless_the_policy_asks_none() {
    let (tekton, seen, _) = slow(|_| {});
    let backup = tekton.peer("backup");
    while read(&backup, "list").await.unwrap_err().kind() != ErrorKind::Rejected {}
    let before = seen.count();
    let config = Config::default().with_policy("bare", PolicySpec::new().with_breaker(false).with_max_attempts(1));
    tekton.apply(&config.clone().with_target("backup", TargetSpec::new().with_policy("patient"))).unwrap();
    assert_eq!(read(&backup, "list").await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(seen.count(), before);
    tekton.apply(&config.with_target("backup", TargetSpec::new().with_policy("bare"))).unwrap();
    assert_ne!(read(&backup, "list").await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(seen.count(), before + 1);
}
