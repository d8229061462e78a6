//! Tools come and go with the registration of their component.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Tekton,
    directory::{HermesDirectory, Presence},
    patterns::request::Reply,
    testing::{FakeHermes, Fault, Route},
    time::{ManualClock, SharedClock},
    transport::{Endpoint, HttpTransport, HttpTransportConfig},
    wire::hermes::{REGISTER, TOOLS, ToolRequest, UNREGISTER},
};

use super::Notes;

const ALL: [&str; 6] = ["count", "list", "latest", "add", "clear", "import"];

/// A hub and a handle with one clock, and the directory's patience with the hub, which has another.
async fn mesh() -> (FakeHermes, Tekton, ManualClock, ManualClock) {
    let (clock, patience) = (ManualClock::new(), ManualClock::new());
    let hub = FakeHermes::builder().clock(clock.clone()).start().await.unwrap();
    let directory = HermesDirectory::new(
        Endpoint::parse(&hub.url()).unwrap(),
        Arc::new(HttpTransport::new(&HttpTransportConfig::default()).unwrap()),
        SharedClock::new(patience.clone()),
        Duration::from_secs(5),
    );
    let tekton = Tekton::builder().directory(directory).clock(clock.clone()).build().unwrap();
    (hub, tekton, clock, patience)
}

fn ids(hub: &FakeHermes) -> Vec<String> {
    hub.tools().into_iter().map(|tool| tool.id).collect()
}

fn statuses(hub: &FakeHermes, path: &str) -> Vec<u16> {
    hub.requests(path).iter().filter_map(|request| request.status).map(|status| status.as_u16()).collect()
}

/// Lets the only keeper beat once, and returns when it waits again.
async fn beat(clock: &ManualClock) {
    clock.until_sleeping(1).await;
    clock.advance(Duration::from_secs(30));
    clock.until_sleeping(1).await;
}

#[tokio::test]
async fn tools_are_registered_with_everything_that_the_hub_would_drop() {
    let (hub, tekton, ..) = mesh().await;
    let served = Notes.serve(&tekton).instance("blue").start().await.unwrap();
    assert_eq!(ids(&hub), ALL.map(|name| format!("notes-blue.{name}")));
    let tool = hub.tools().remove(0);
    assert_eq!((tool.name.as_str(), tool.description.as_str()), ("notes_count", "Counts notes."));
    assert_eq!(tool.endpoint, Some(format!("{}/api/v1/count", served.endpoint())));
    assert_eq!((tool.version.as_deref(), tool.tags), (Some("1.2.0"), Some(vec!["notes".into(), "read".into()])));
    assert_eq!((&tool.schema["type"], &tool.schema["additionalProperties"]), (&json!("object"), &json!(false)));
    let metadata = Value::Object(tool.metadata);
    let port = Endpoint::parse(served.endpoint()).unwrap().port();
    assert_eq!(
        (&metadata["component"], &metadata["component_version"], &metadata["port"], &metadata["title"]),
        (&json!("notes"), &json!("1.2.0"), &json!(port), &json!("Count notes"))
    );
    assert_eq!(
        metadata["annotations"],
        json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true})
    );
    assert_eq!(metadata["output_schema"]["required"], json!(["result"]));
    assert_eq!(metadata["hash"].as_str().map(str::len), Some(64));
    assert!(served.shutdown().await);
    assert!(hub.tools().is_empty() && hub.entries().is_empty());
    let log = hub.log();
    let last: Vec<_> = log.iter().rev().take(3).map(|request| request.path.as_str()).collect();
    assert_eq!(last[0], UNREGISTER, "the tools went first: {last:?}");
}

#[tokio::test]
async fn a_hub_that_forgot_us_is_told_the_tools_again_and_none_is_there_twice() {
    let (hub, tekton, clock, _) = mesh().await;
    let served = Notes.serve(&tekton).instance("blue").start().await.unwrap();
    hub.restart_empty().await.unwrap();
    beat(&clock).await;
    assert_eq!(ids(&hub).len(), 6);
    hub.forget("notes-blue");
    beat(&clock).await;
    assert_eq!((statuses(&hub, REGISTER).len(), ids(&hub).len()), (3, 6));
    let python = ToolRequest::new("notes_count", "Another one's.", json!({}));
    let hub_itself = tekton.peer_at(&hub.url()).unwrap();
    let _: Reply<Value> = hub_itself.request("tools").method(Method::POST).path(TOOLS).json(&python).await.unwrap();
    assert_eq!(ids(&hub).len(), 7);
    served.shutdown().await;
    assert_eq!(ids(&hub).len(), 1, "another one's tool stays");
}

#[tokio::test]
async fn the_old_process_of_a_rolling_restart_leaves_the_new_tools_alone() {
    let (hub, tekton, ..) = mesh().await;
    let old = Notes.serve(&tekton).instance("blue").start().await.unwrap();
    let new = Notes.serve(&tekton).instance("blue").start().await.unwrap();
    old.shutdown().await;
    let below = |tool: tekton_sdk::wire::hermes::ToolRecord| tool.endpoint.unwrap().starts_with(new.endpoint());
    assert_eq!((hub.tools().len(), hub.tools().into_iter().all(below)), (6, true));
    new.shutdown().await;
    assert!(hub.tools().is_empty());
}

#[tokio::test]
async fn a_hub_without_tools_keeps_nobody_from_starting_and_is_not_asked_at_every_heartbeat() {
    let (hub, tekton, clock, _) = mesh().await;
    for route in [Route::Tools, Route::Tool] {
        hub.fault(Fault::Detail(404).at(route));
    }
    let served = Notes.serve(&tekton).start().await.unwrap();
    assert_eq!((served.presence(), statuses(&hub, TOOLS)), (Presence::Registered, vec![404]));
    beat(&clock).await;
    assert_eq!(statuses(&hub, TOOLS), [404]);
    assert!(served.shutdown().await);
    assert!(hub.entries().is_empty());
}

#[tokio::test]
async fn what_failed_for_now_is_published_with_the_next_heartbeat() {
    let (hub, tekton, clock, _) = mesh().await;
    hub.fault_next(1, Fault::Status(503).at(Route::Tools));
    let served = Notes.serve(&tekton).start().await.unwrap();
    assert_eq!((served.presence(), ids(&hub).len()), (Presence::Registered, 0));
    beat(&clock).await;
    assert_eq!((ids(&hub).len(), statuses(&hub, REGISTER).len()), (6, 1));
    beat(&clock).await;
    assert_eq!(statuses(&hub, TOOLS).len(), 7, "published is published");
    hub.fault(Fault::Garbage.at(Route::Tools));
    assert!(served.shutdown().await);
    assert!(hub.entries().is_empty(), "tools that cannot be removed keep nobody from going");
}

#[tokio::test]
async fn a_hub_that_hangs_is_waited_for_once() {
    let (hub, tekton, _, patience) = mesh().await;
    hub.fault(Fault::Hang.at(Route::Tools));
    let starting = Notes.serve(&tekton).start();
    let waiting = async {
        hub.until(|log| log.iter().any(|request| request.path == TOOLS)).await;
        patience.until_sleeping(1).await;
        patience.advance(Duration::from_secs(5));
    };
    let (served, ()) = tokio::join!(starting, waiting);
    assert_eq!((served.unwrap().presence(), hub.requests(TOOLS).len()), (Presence::Registered, 1));
}
