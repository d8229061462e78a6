//! The hub's events, heard as those of a broker.

use serde_json::{Value, json};
use tekton_sdk::{
    ErrorKind,
    hub::HermesBroker,
    patterns::{
        events::{ConnectionState, Events, GapReason, Heard, Start, Subscription},
        streaming::{ReconnectConfig, SseClient},
    },
    testing::{Fault, Route},
    wire::hermes::{self, HubEvent},
};

use super::*;

fn broker(hub: &FakeHermes) -> HermesBroker {
    let transport = Arc::new(HttpTransport::new(&HttpTransportConfig::default()).unwrap());
    let endpoint = Endpoint::parse(&hub.url()).unwrap();
    let quick = ReconnectConfig::default()
        .with_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(5))
        .with_max_attempts(1000);
    HermesBroker::new(endpoint, transport, SharedClock::default(), Random::seeded(1)).with_reconnect(quick)
}

fn events(broker: &HermesBroker) -> Events {
    Events::new(broker.clone(), SharedClock::default())
}

/// The next event as its topic and its data; a gap as its reason and how many were lost.
async fn next(heard: &mut Subscription<Value>) -> (String, Value) {
    match heard.next().await.unwrap().unwrap() {
        Heard::Event(event) => (event.topic().to_string(), event.data().unwrap()),
        Heard::Gap(gap) => (gap.reason.name().to_owned(), json!(gap.lost)),
        other => panic!("{other:?}"),
    }
}

fn created(id: &str) -> HubEvent {
    HubEvent::new("task.created", &json!({ "n": id })).with_task(id, "dig")
}

#[tokio::test]
async fn what_the_hub_tells_has_its_type_as_topic_and_its_fields() {
    let hub = FakeHermes::start().await.unwrap();
    let broker = broker(&hub);
    assert_eq!(tekton_sdk::patterns::events::Broker::connection(&broker).state(), ConnectionState::connecting(1));
    let mut tasks = events(&broker).subscribe::<Value>("task.*").await.unwrap();
    let mut progress = events(&broker).subscribe::<Value>("task.progress").await.unwrap();
    assert_eq!(tekton_sdk::patterns::events::Broker::connection(&broker).state(), ConnectionState::Up);
    let mut event = created("t-1").with_agent("ann");
    (event.id, event.timestamp) = ("e-1".to_owned(), Some("2026-11-26T01:00:00.5Z".to_owned()));
    assert_eq!(hub.emit(event), 2);
    hub.emit(HubEvent::new("system.announcement", &json!(null)));
    hub.emit(HubEvent::new("task.progress", &json!({ "progress": 0.5 })).with_task("t-1", "dig"));
    let Heard::Event(first) = tasks.next().await.unwrap().unwrap() else { panic!("it is an event") };
    let message = first.message();
    assert_eq!((message.id(), message.key(), message.source()), (Some("e-1"), "t-1", Some("hermes")));
    assert_eq!(message.attributes().collect::<Vec<_>>(), [("agentid", "ann"), ("taskid", "t-1"), ("taskname", "dig")]);
    let time = first.time().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(time, Duration::from_millis(1_795_654_800_500));
    for heard in [&mut tasks, &mut progress] {
        assert_eq!(next(heard).await, ("task.progress".to_owned(), json!({ "progress": 0.5 })));
    }
}

#[tokio::test]
async fn a_listener_survives_a_restart_of_the_hub_and_says_that_it_missed_something() {
    let hub = FakeHermes::start().await.unwrap();
    let mut tasks = events(&broker(&hub)).subscribe::<Value>("task.>").await.unwrap();
    hub.emit(created("before"));
    assert_eq!(next(&mut tasks).await.1["n"], "before");
    let before = tasks.cursor().unwrap();
    hub.stop().await;
    assert_eq!(hub.emit(created("meanwhile")), 0, "the hub keeps nothing");
    hub.restart_empty().await.unwrap();
    let Some(Heard::Gap(gap)) = tasks.next().await.transpose().unwrap() else { panic!("it is told") };
    assert_eq!((gap.from, gap.reason, gap.lost), (before, GapReason::Restarted, None));
    assert_ne!(gap.to.epoch(), before.epoch());
    hub.emit(created("after"));
    assert_eq!(next(&mut tasks).await.1["n"], "after");
    assert_eq!(tasks.cursor().unwrap().epoch(), gap.to.epoch());
}

#[tokio::test]
async fn what_is_no_event_is_a_gap_of_one_and_the_next_one_comes() {
    let hub = FakeHermes::start().await.unwrap();
    let mut tasks = events(&broker(&hub)).subscribe::<Value>(">").await.unwrap();
    for kind in ["no topic", "<b>", "*", "task..created"] {
        hub.emit(HubEvent::new(kind, &json!(1)));
        hub.emit(created(kind));
        assert_eq!(next(&mut tasks).await, ("skipped".to_owned(), json!(1)), "{kind}");
        assert_eq!(next(&mut tasks).await.1["n"], *kind);
    }
}

#[tokio::test]
async fn a_hub_that_fails_is_asked_again_and_one_that_is_none_is_not() {
    let hub = FakeHermes::start().await.unwrap();
    hub.fault_next(1, Fault::Status(503).at(Route::Events));
    hub.fault_next(1, Fault::Broken.at(Route::Events));
    let mut tasks = events(&broker(&hub)).subscribe::<Value>(">").await.unwrap();
    assert_eq!(hub.requests(hermes::EVENTS).len(), 3);
    hub.emit(created("t"));
    assert_eq!(next(&mut tasks).await.1["n"], "t");
    hub.fault(Fault::Html.at(Route::Events));
    let error = events(&broker(&hub)).subscribe::<Value>(">").await.unwrap_err();
    assert_eq!((error.kind(), error.target()), (ErrorKind::Codec, Some("hermes")), "{error}");
    hub.clear_faults();
    hub.fault(Fault::Status(404).at(Route::Events));
    hub.stop().await;
    hub.restart().await.unwrap();
    let error = tasks.next().await.unwrap().unwrap_err();
    assert_eq!(error.target(), Some("hermes"), "{error}");
    assert!(tasks.next().await.is_none(), "nothing comes after an error");
}

#[tokio::test]
async fn the_hub_keeps_nothing_takes_nothing_and_can_be_left() {
    let hub = FakeHermes::start().await.unwrap();
    let broker = broker(&hub);
    let events = events(&broker);
    let error = events.publisher("task.created").unwrap().send(&1).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Rejected, tekton_sdk::Sent::No));
    let wanted = [
        events.subscribe::<Value>(">").start(Start::Oldest).await.err(),
        events.subscribe::<Value>(">").acked().await.err(),
        events.subscribe::<Value>(">").group("g").await.err(),
    ];
    assert!(wanted.iter().all(|error| error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Rejected)));
    let mut tasks = events.subscribe::<Value>(">").await.unwrap();
    tekton_sdk::patterns::events::Broker::drain(&broker, Duration::ZERO).await.unwrap();
    assert!(tasks.next().await.is_none());
    assert_eq!(events.subscribe::<Value>(">").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(tekton_sdk::patterns::events::Broker::connection(&broker).state(), ConnectionState::Closed);
}

#[tokio::test]
async fn the_hub_tells_those_who_ask_for_some_types_and_tasks_no_more() {
    let hub = FakeHermes::start().await.unwrap();
    let url = format!("{}{}?event_types=task.created,x&task_id=t-1", hub.url(), hermes::EVENTS);
    let mut heard = SseClient::get(&url).unwrap().open().unwrap();
    let first = tokio::spawn(async move { heard.next().await.unwrap().unwrap() });
    // Upstream greets nobody who did not ask for that.
    while hub.emit(HubEvent::new("task.progress", &json!(1)).with_task("t-1", "dig")) == 0 {
        tokio::task::yield_now().await;
    }
    hub.emit(created("t-2"));
    hub.emit(created("t-1"));
    let first = first.await.unwrap();
    assert_eq!(first.kind, "task.created");
    assert_eq!(HubEvent::read(first.data.as_bytes()).unwrap().task_id.as_deref(), Some("t-1"));
}
