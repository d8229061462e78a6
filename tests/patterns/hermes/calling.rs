//! A component is served, registered and called through a hub, whatever the hub does meanwhile.

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    Component, ErrorKind, Result, Tekton,
    contract::{Descriptor, Operation},
    directory::{Directory, Query},
    host::Operations,
    patterns::request::Reply,
    policy::RetryConfig,
    testing::{FakeHermes, Fault, Route},
    time::ManualClock,
    wire::hermes::{COMPONENTS, RegisterRequest, UNREGISTER},
};

use super::{NOBODY, registration, seconds, url, well};

struct Greeter;

impl Component for Greeter {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("greeter", "1.2.0").describe("Greets.").scored_capability("people.greet", 0.9)
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new().on(&self, Operation::read("greet", "Greets."), |_, _, _| async { Ok("Good day.") })
    }
}

/// A hub, and a handle that finds others through it; their clock moves by hand, so a retry waits for nothing.
async fn mesh() -> (FakeHermes, Tekton, ManualClock) {
    let clock = ManualClock::new();
    let hub = FakeHermes::builder().clock(clock.clone()).start().await.unwrap();
    let at_once = RetryConfig::default().with_base_delay(Duration::ZERO).with_max_delay(Duration::ZERO);
    let builder = Tekton::builder().hub(hub.url()).clock(clock.clone());
    let tekton = builder.configure(|config| config.retry = at_once).build().unwrap();
    (hub, tekton, clock)
}

/// Which of the components took the call: they answer with their port.
async fn port_of(tekton: &Tekton, name: &str) -> Result<u16> {
    let reply: Reply<u16> = tekton.peer(name).request("port").await?;
    Ok(reply.into_inner())
}

#[tokio::test]
async fn a_served_component_is_registered_found_called_and_gone() {
    let (hub, tekton, _) = mesh().await;
    let served = Greeter.serve(&tekton).instance("blue").start().await.unwrap();
    let entry = hub.entry("greeter-blue").unwrap();
    assert_eq!((entry.endpoint.as_deref(), entry.version.as_deref()), (Some(served.endpoint()), Some("1.2.0")));
    let metadata = entry.typed_metadata();
    assert_eq!((metadata.scores["people.greet"], metadata.instance.as_deref()), (0.9, Some("blue")));
    assert_eq!(metadata.health_check.as_deref(), Some("/health"));
    let greeting: Reply<String> = tekton.peer_for(Query::capability("people.greet")).request("greet").await.unwrap();
    assert_eq!(*greeting, "Good day.");
    assert!(served.shutdown().await);
    assert!(hub.entries().is_empty());
    assert_eq!(hub.requests(UNREGISTER)[0].query.as_deref(), Some("component_id=greeter-blue"));
}

#[tokio::test]
async fn a_hub_that_is_down_does_not_stop_a_call_to_whom_we_know() {
    let (hub, tekton, clock) = mesh().await;
    let server = well().await;
    hub.insert(RegisterRequest::new("engram", "1", url(&server)));
    let port = server.local_addr().port();
    assert_eq!(port_of(&tekton, "engram").await.unwrap(), port);
    for fault in [Fault::Html, Fault::Status(500), Fault::Garbage, Fault::Truncated, Fault::Broken] {
        hub.fault(fault);
        clock.advance(seconds(3600));
        assert_eq!(port_of(&tekton, "engram").await.unwrap(), port, "{fault:?}");
        hub.clear_faults();
    }
    hub.stop().await;
    clock.advance(seconds(3600));
    assert_eq!(port_of(&tekton, "engram").await.unwrap(), port);
    let error = port_of(&tekton, "apollo").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.report().contains(&hub.url()), "{}", error.report());
    // A component that starts meanwhile is served, and registers when it can.
    let served = Greeter.serve(&tekton).start().await.unwrap();
    assert_eq!(tekton.peer_at(served.endpoint()).unwrap().ping().await.unwrap().status.as_u16(), 200);
    hub.restart().await.unwrap();
    clock.advance(seconds(1));
    hub.until_entries(|entries| entries.iter().any(|entry| entry.name == "greeter")).await;
}

#[tokio::test]
async fn a_hub_that_hangs_keeps_nobody_waiting_who_knows_the_way() {
    let (hub, tekton, clock) = mesh().await;
    let server = well().await;
    hub.insert(RegisterRequest::new("engram", "1", url(&server)));
    let port = port_of(&tekton, "engram").await.unwrap();
    hub.fault(Fault::Hang);
    // Old enough to be refreshed, young enough to be served.
    clock.advance(seconds(10));
    assert_eq!(port_of(&tekton, "engram").await.unwrap(), port);
    hub.until(|log| log.len() == 2).await;
    assert_eq!(hub.requests(COMPONENTS)[1].status, None, "the refresh hangs beside");
    assert_eq!(port_of(&tekton, "engram").await.unwrap(), port);
    tekton.shutdown().await;
}

#[tokio::test]
async fn a_component_that_is_gone_but_listed_is_said_to_be_unreachable() {
    let (hub, tekton, _) = mesh().await;
    hub.insert(RegisterRequest::new("engram", "1", NOBODY));
    let error = port_of(&tekton, "engram").await.unwrap_err();
    assert_eq!((error.kind(), error.target(), error.attempts()), (ErrorKind::Connect, Some("engram"), 4));
    assert_eq!(error.to_string(), format!("no connection to {NOBODY} could be made"));
}

#[tokio::test]
async fn a_gone_component_is_passed_over_for_a_living_one() {
    let (hub, tekton, clock) = mesh().await;
    let living = well().await;
    hub.insert(RegisterRequest::new("engram", "1", url(&living)));
    clock.advance(seconds(1));
    // It died after its heartbeat, so nobody doubts that it is well: the call itself finds out.
    let gone = tekton.directory().register(&registration("engram-2", NOBODY)).await.unwrap();
    tekton.directory().heartbeat(&gone).await.unwrap();
    let found = tekton.discover(&Query::name("engram")).await.unwrap();
    assert_eq!((found[0].id.as_str(), found[0].healthy, found.len()), ("engram-2", Some(true), 2));
    let mut attempts = 0;
    for _ in 0..10 {
        let reply: Reply<u16> = tekton.peer("engram").request("port").await.unwrap();
        assert_eq!(*reply, living.local_addr().port());
        attempts += reply.attempts();
    }
    assert_eq!(attempts, 11, "it is tried once, and then no more");
}

#[tokio::test]
async fn a_malformed_endpoint_is_said_when_there_is_no_other() {
    let (hub, tekton, _) = mesh().await;
    hub.insert(RegisterRequest::new("engram", "1", "localhost:8000"));
    let error = port_of(&tekton, "engram").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.report().contains("must begin with http://"), "{}", error.report());
    hub.fault(Fault::Hang.at(Route::Heartbeat));
    assert_eq!(tekton.components().await.unwrap().len(), 1);
}
