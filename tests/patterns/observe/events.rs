//! One observer hears of everything.

use std::time::Duration;

use serde_json::{Value, json};
use tekton_sdk::{
    ErrorKind, Tekton,
    directory::MemoryDirectory,
    telemetry::{Event, Observer},
    testing::{CallFault, EventLog, FakeComponent, FaultyDirectory, RecordedEvent, TestBed},
    time::SharedClock,
};

use crate::lab::{serve, serve_with};

fn fields(event: &RecordedEvent, wanted: &[(&str, Option<&str>)]) {
    for (name, value) in wanted {
        assert_eq!(event.field(name), *value, "{name} of {event:?}");
    }
}

#[tokio::test]
async fn calls_and_attempts_are_told_with_their_outcome() {
    let bed = TestBed::new().unwrap();
    let fake = FakeComponent::new("notes").answers("list", json!([])).fails("add", ErrorKind::Internal).hangs("wait");
    let calls = fake.calls();
    bed.serve(fake).await.unwrap();
    let log = EventLog::default();
    let tekton = bed.tekton_with(|builder| builder.observer(log.clone())).unwrap();
    let notes = tekton.peer("notes");
    notes.request::<Value>("list").json(&json!({})).await.unwrap();
    notes.request::<Value>("add").json(&json!({})).await.unwrap_err();
    tekton.peer("nobody").request::<Value>("x").await.unwrap_err();
    {
        let waiting = notes.request::<Value>("wait");
        tokio::select! {
            _ = waiting => unreachable!("it hangs"),
            () = calls.until(3) => {}
        }
    }
    let [ended, attempts] = ["call_ended", "attempt_ended"].map(|name| log.named(name));
    assert_eq!((ended.len(), attempts.len()), (4, 4));
    fields(
        &ended[0],
        &[("target", Some("notes")), ("operation", Some("list")), ("attempts", Some("1")), ("error", None)],
    );
    fields(&attempts[0], &[("target", Some("notes")), ("attempt", Some("1")), ("verdict", Some("success"))]);
    fields(&ended[1], &[("operation", Some("add")), ("error", Some("Remote"))]);
    fields(&attempts[1], &[("verdict", Some("failure"))]);
    fields(&ended[2], &[("target", Some("nobody")), ("error", Some("NotFound"))]);
    fields(&attempts[2], &[("verdict", Some("ignored"))]);
    // Nobody waited for the last one: it has neither a verdict nor an error.
    fields(&ended[3], &[("operation", Some("wait")), ("attempts", Some("0")), ("error", None)]);
    fields(&attempts[3], &[("operation", Some("wait")), ("verdict", None)]);
    drop(tekton);
    bed.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outlasts_the_deadline_is_a_failure_of_the_callee() {
    let (transport, script) = tekton_sdk::testing::ScriptedTransport::new();
    script.hang();
    let log = EventLog::default();
    let tekton = Tekton::builder().named("tester").transport(transport).observer(log.clone()).build().unwrap();
    let peer = tekton.peer_at("http://127.0.0.1:1").unwrap();
    let late = peer.request::<Value>("x").timeout(Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    fields(&log.named("attempt_ended")[0], &[("verdict", Some("failure")), ("took", Some("3"))]);
    fields(&log.named("call_ended")[0], &[("error", Some("Timeout"))]);
}

#[tokio::test]
async fn what_is_served_registered_and_shut_down_is_told() {
    let log = EventLog::default();
    let tekton = Tekton::builder().named("tester").observer(log.clone()).build().unwrap();
    let (served, _) = serve(&tekton).await;
    let id = served.id().to_owned();
    tekton.peer("lab").request::<Value>("echo").json(&json!({"value": 1})).await.unwrap();
    served.shutdown().await;
    let presence = log.named("presence_changed");
    fields(&presence[0], &[("component", Some(&id)), ("presence", Some("registered"))]);
    let request = &log.named("served")[0];
    fields(request, &[("component", Some("lab")), ("operation", Some("echo")), ("status", Some("200"))]);
    let phases: Vec<_> =
        log.named("shutting_down").iter().map(|event| event.field("phase").unwrap().to_owned()).collect();
    assert_eq!(phases, ["unregister", "drain", "closed"]);
}

#[tokio::test]
async fn a_request_without_a_place_is_told_and_counted() {
    let log = EventLog::default();
    let tekton = Tekton::builder().observer(log.clone()).build().unwrap();
    let (served, gauge) = serve_with(&tekton, |config| {
        (config.max_concurrency, config.queue_timeout) = (1, Duration::ZERO);
    })
    .await;
    let lab = tekton.peer("lab");
    let hanging = tokio::spawn({
        let lab = lab.clone();
        async move { lab.request::<Value>("hang").await }
    });
    gauge.started.notified().await;
    lab.request::<Value>("echo").json(&json!({"value": 1})).timeout(Duration::from_secs(1)).await.unwrap_err();
    let refusal = &log.named("serve_refused")[0];
    let reason = ("reason", Some("concurrency"));
    fields(refusal, &[("component", Some("lab")), ("operation", Some("echo")), reason]);
    let text = prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap();
    let refused = r#"integration_served_refused_total{component="lab",operation="echo",reason="concurrency"} "#;
    assert!(text.contains(refused), "{text}");
    assert!(text.contains(r#"integration_served_in_flight{component="lab"} 1"#), "{text}");
    hanging.abort();
    served.shutdown().await;
}

#[tokio::test]
async fn an_old_answer_of_the_directory_is_told() {
    let log = EventLog::default();
    let clock = SharedClock::default();
    let (directory, plan) = FaultyDirectory::new(MemoryDirectory::new(clock.clone()), clock);
    let builder = Tekton::builder().directory(directory).observer(log.clone());
    let tekton = builder.build().unwrap();
    let (_served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    lab.request::<Value>("echo").json(&json!({"value": 1})).await.unwrap();
    tekton.directory().doubt_all();
    plan.next(1, CallFault::FailBefore(ErrorKind::Connect));
    lab.request::<Value>("echo").json(&json!({"value": 1})).await.unwrap();
    fields(&log.named("directory_stale")[0], &[("query", Some("name lab"))]);
}

/// Keeps the durations and kinds as they are.
#[derive(Debug)]
struct Slowest(std::sync::Mutex<Duration>);

impl Observer for Slowest {
    fn observe(&self, event: &Event<'_>) {
        if let Event::CallEnded { took, error: None, .. } = event {
            let mut slowest = self.0.lock().unwrap();
            *slowest = slowest.max(*took);
        }
    }
}

#[tokio::test]
async fn a_call_takes_as_long_as_its_clock_says() {
    let bed = TestBed::new().unwrap();
    bed.serve(FakeComponent::new("slow").answers("x", json!(1)).delays("x", Duration::from_millis(250))).await.unwrap();
    let slowest = std::sync::Arc::new(Slowest(std::sync::Mutex::default()));
    struct Shared(std::sync::Arc<Slowest>);
    impl std::fmt::Debug for Shared {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }
    impl Observer for Shared {
        fn observe(&self, event: &Event<'_>) {
            self.0.observe(event);
        }
    }
    let tekton = bed.tekton_with(|builder| builder.named("test").observer(Shared(slowest.clone()))).unwrap();
    let peer = tekton.peer("slow");
    let call = peer.request::<Value>("x").json(&json!({}));
    let moving = async {
        tokio::task::yield_now().await;
        bed.clock().advance(Duration::from_millis(250));
    };
    let (done, ()) = tokio::join!(async { call.await }, moving);
    done.unwrap();
    assert_eq!(*slowest.0.lock().unwrap(), Duration::from_millis(250));
    let text = prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap();
    for metric in ["integration_duration_seconds", "integration_attempt_duration_seconds"] {
        let line = format!("{metric}_sum{{endpoint=\"x\",source=\"test\",target=\"slow\"}} 0.25\n");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    drop(tekton);
    bed.shutdown().await.unwrap();
}
