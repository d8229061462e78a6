//! What is called, and what comes with it.

use std::{thread, time::Duration};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::*;
use crate::{
    directory::Query,
    error::{ErrorKind, Sent},
    transport::Safety,
};

#[test]
fn every_door_opens() {
    let stage = Stage::new();
    let face = stage.face();
    let greeting = greet(&face, "Ada").send().unwrap();
    assert_eq!((greeting.as_str(), greeting.attempts()), ("Good day, Ada.", 1));

    let here = face.peer_at(stage.served.endpoint()).unwrap();
    assert_eq!(here.ping().unwrap().status, StatusCode::OK);
    assert!(stage.served.endpoint().ends_with(here.name()));
    let able = face.peer_for(Query::capability("text.echo"));
    assert_eq!(*able.request::<String>("greet").json(&json!({"name": "Bob"})).send().unwrap(), "Good day, Bob.");

    let chosen = face.choose(&Query::capability("text.echo")).unwrap();
    assert_eq!(chosen[0].entry.id, stage.served.id());
    let scatter = || face.scatter(Query::capability("text.echo")).limit(3).concurrency(2).request::<String>("greet");
    let ask = || scatter().json(&json!({"name": "Eve"})).read().timeout(Duration::from_secs(5));
    assert_eq!(*ask().first().unwrap(), "Good day, Eve.");
    assert_eq!(ask().quorum(1).unwrap()[0].holder(), "echo");
    assert!(ask().all().unwrap()[0].result.is_ok());
    assert_eq!(scatter().first().unwrap_err().kind(), ErrorKind::Invalid);
    let at_each =
        face.scatter(Query::name("echo")).instances().request::<String>("greet").json(&json!({"name": "Eve"}));
    assert_eq!(at_each.write_on_each().all().unwrap()[0].holder.as_ref(), stage.served.id());

    assert!(face.discover(&Query::name("nobody")).unwrap().is_empty());
    let ids: Vec<_> = face.components().unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [stage.served.id()]);
    assert_eq!(face.peer_at("no endpoint").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_builder_says_what_the_async_one_says() {
    let stage = Stage::new();
    let echo = stage.face().peer("echo");
    let by_query = echo.request::<String>("greet").method(Method::GET).query("name", "Ada & Bob");
    assert_eq!(*by_query.send().unwrap(), "Good day, Ada & Bob.");

    let json = HeaderValue::from_static("application/json");
    let by_bytes = echo.request::<String>("of another name").path("/api/v1/greet");
    let by_bytes = by_bytes.body(json.clone(), bytes::Bytes::from_static(br#"{"name": "Eve"}"#));
    assert_eq!(*by_bytes.header(header::ACCEPT, json).send().unwrap(), "Good day, Eve.");

    let seen = echo.request::<Seen>("seen").api_version(1).idempotency_key("once").safety(Safety::Read).extension(7);
    let seen =
        seen.timeout(Duration::from_secs(5)).attempt_timeout(Duration::from_secs(4)).send().unwrap().into_inner();
    assert_eq!((seen.caller.as_deref(), seen.idempotency_key.as_deref()), (Some("tester"), Some("once")));
    assert!(seen.remaining_ms.unwrap() <= 5_000, "{seen:?}");
    assert!(seen.trace.is_some());
}

#[test]
fn what_goes_wrong_has_the_kind_of_the_async_face() {
    let stage = Stage::new();
    let face = stage.face();
    let echo = face.peer("echo");
    let kind = |call: Call| call.send().unwrap_err().kind();
    assert_eq!(kind(face.peer("nobody").request("greet")), ErrorKind::NotFound);
    assert_eq!(kind(echo.request("no such thing!")), ErrorKind::Invalid);
    assert_eq!(kind(echo.request("seen").max_response_bytes(1)), ErrorKind::Rejected);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = face.peer_at(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    assert_eq!(kind(deaf.request("hang").timeout(Duration::from_millis(20))), ErrorKind::Timeout);
    let error = echo.request::<u8>("seen").send().unwrap_err();
    assert_eq!((error.kind(), error.target()), (ErrorKind::Codec, Some("echo")));
}

#[test]
fn a_blocking_operation_passes_deadline_trace_and_caller_on() {
    let stage = Stage::new();
    let relay = Tekton::new(stage.builder().named("relay")).unwrap();
    assert!(stage.echo.next.set(relay.peer("echo")).is_ok());

    let call = stage.face().peer("echo").request::<(Seen, Seen)>("relay").timeout(Duration::from_secs(3));
    let (first, second) = call.send().unwrap().into_inner();
    assert_eq!((first.caller.as_deref(), second.caller.as_deref()), (Some("tester"), Some("relay")));
    assert!(first.trace.is_some());
    assert_eq!(first.trace, second.trace);
    let (first, second) = (first.remaining_ms.unwrap(), second.remaining_ms.unwrap());
    assert!(second <= first && first <= 3_000, "{second} ms are left of {first} ms");
}

#[test]
fn many_threads_share_one_face() {
    let stage = Stage::new();
    let face = stage.face();
    thread::scope(|scope| {
        for who in 0..32 {
            let face = face.clone();
            scope.spawn(move || {
                for turn in 0..8 {
                    let name = format!("{who}.{turn}");
                    assert_eq!(*greet(&face, &name).send().unwrap(), format!("Good day, {name}."));
                }
            });
        }
    });
}

#[test]
fn shut_down_it_refuses_and_the_thread_has_ended() {
    let stage = Stage::new();
    let face = stage.face();
    let (clone, peer) = (face.clone(), face.peer("echo"));
    clone.shutdown().unwrap();
    assert!(face.take_thread().is_none(), "it was joined");
    face.shutdown().unwrap();
    let error = peer.request::<Value>("seen").send().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    assert_eq!(peer.ping().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(face.components().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn wrong_settings_are_an_error() {
    let builder = AsyncTekton::builder().configure(|config| config.request.timeout = Duration::ZERO);
    assert_eq!(Tekton::new(builder).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn handles_may_go_to_other_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Tekton>();
    shared::<Peer>();
    fn sent<T: Send + 'static>() {}
    sent::<Call>();
}
