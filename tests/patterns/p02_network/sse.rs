//! Topics as server-sent events.

use http::{HeaderName, HeaderValue};
use tekton_sdk::patterns::streaming::{Events as Heard, ReconnectConfig, SseClient, StreamEvent};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::ws::raw::address;

fn client(served: &Served, query: &str) -> SseClient {
    SseClient::get(&format!("{}/events?{query}", served.endpoint())).unwrap()
}

async fn next(events: &mut Heard) -> StreamEvent {
    events.next().await.unwrap().unwrap()
}

/// The answer to a request, up to its first `until`.
pub(super) async fn ask(served: &Served, head: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(address(served.endpoint())).await.unwrap();
    stream.write_all(format!("{head}\r\nHost: {}\r\n\r\n", address(served.endpoint())).as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains(until) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "it ended: {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn events_come_with_their_place_and_a_listener_goes_on_after_its_last() {
    let broker = broker(1, None);
    let events = events(&broker);
    let epoch = format!("{:016x}", Random::seeded(1).next_u64());
    let served = serve(&events).await;
    publish(&events, "orders.new", &"soup").await;
    let mut heard = client(&served, "topics=orders.*,other&oldest=true").open().unwrap();
    let first = next(&mut heard).await;
    assert_eq!(
        (&*first.kind, &*first.data, &*first.id),
        ("message", &*format!(r#"{{"type":"orders.new","data":"soup","cursor":"{epoch}-1"}}"#), &*format!("{epoch}-1"))
    );
    publish(&events, "no.such", &1).await;
    publish(&events, "other", &json!({"a": 1})).await;
    assert_eq!(next(&mut heard).await.json::<Value>().unwrap()["data"], json!({"a": 1}));
    drop(heard);
    publish(&events, "other", &2).await;
    let mut again = client(&served, "topics=other&oldest=true").last_event_id(format!("{epoch}-3")).open().unwrap();
    assert_eq!(next(&mut again).await.json::<Value>().unwrap()["data"], 2);
}

#[tokio::test]
async fn a_listener_survives_a_restart_and_is_told_what_it_missed() {
    let first = broker(1, None);
    let served = serve(&events(&first)).await;
    let port = address(served.endpoint()).port();
    let quick =
        ReconnectConfig::default().with_delay(Duration::from_millis(1)).with_max_delay(Duration::from_millis(5));
    publish(&events(&first), "a", &1).await;
    let mut heard = client(&served, "topics=a&oldest=true").reconnect(quick).open().unwrap();
    let one = next(&mut heard).await;
    assert_eq!(one.json::<Value>().unwrap()["data"], 1);
    assert!(served.shutdown().await);
    assert_eq!(&*next(&mut heard).await.kind, "end");

    let fresh = broker(2, None);
    publish(&events(&fresh), "a", &2).await;
    let _served = serve_with(&events(&fresh), &tekton(), |host| host.port = port, |serve| serve).await;
    let gap = next(&mut heard).await;
    let missed = gap.json::<Value>().unwrap();
    assert_eq!((&*gap.kind, &missed["reason"], missed["from"].as_str()), ("gap", &json!("restarted"), Some(&*one.id)));
    assert_eq!(next(&mut heard).await.json::<Value>().unwrap()["data"], 2);
}

#[tokio::test]
async fn who_heard_nothing_yet_knows_where_it_began() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let epoch = format!("{:016x}", Random::seeded(1).next_u64());
    let text = ask(&served, "GET /events?topics=a HTTP/1.1", "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("content-type: text/event-stream\r\n"), "{text}");
    assert!(text.contains("cache-control: no-cache\r\n") && !text.contains("access-control"), "{text}");
    let text = ask(&served, "GET /events?topics=a HTTP/1.1", "\n\n").await;
    assert!(text.contains(&format!("id: {epoch}-0\n\n")), "{text}");
}

#[tokio::test]
async fn what_may_not_be_heard_is_not_and_other_pages_may_not_listen() {
    let events = events(&broker(1, None));
    let served =
        serve_with(&events, &tekton(), |host| host.ws_origins = vec!["https://app.example".to_owned()], host::guarded)
            .await;
    let header = (HeaderName::from_static("authorization"), HeaderValue::from_static("ann"));
    let mut ann = client(&served, "topics=%3E&oldest=true").header(header.0, header.1).open().unwrap();
    publish(&events, "bob.secret", &1).await;
    publish(&events, "ann.news", &2).await;
    assert_eq!(next(&mut ann).await.json::<Value>().unwrap()["type"], "ann.news");
    for (head, status) in [
        ("GET /events?topics=bob.secret HTTP/1.1\r\nAuthorization: ann", 403),
        ("GET /events?topics=ann.x HTTP/1.1\r\nAuthorization: ann", 200),
        ("GET /events?topics=ann.x HTTP/1.1\r\nAuthorization: wrong", 401),
        ("GET /events?topics=%3E HTTP/1.1\r\nOrigin: https://evil.example", 403),
        ("GET /events?topics=%3E HTTP/1.1\r\nOrigin: https://app.example", 200),
        ("GET /events?topics=%3Cb%3E HTTP/1.1", 422),
        ("GET /events HTTP/1.1", 422),
        ("GET /events?topics=%3E HTTP/1.1\r\nLast-Event-ID: 7", 422),
        ("POST /events?topics=%3E HTTP/1.1\r\nContent-Length: 0", 405),
    ] {
        let text = ask(&served, head, "\r\n\r\n").await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {text}");
    }
    let text = ask(&served, "GET /events?topics=%3E HTTP/1.1\r\nOrigin: https://app.example", "\r\n\r\n").await;
    assert!(text.contains("access-control-allow-origin: https://app.example\r\n"), "{text}");
}

#[tokio::test]
async fn a_quiet_listener_is_sent_signs_of_life() {
    let events = events(&broker(1, None));
    let served =
        serve_with(&events, &tekton(), |host| host.stream_keep_alive = Duration::from_millis(10), |serve| serve).await;
    ask(&served, "GET /events?topics=a HTTP/1.1", ": keep-alive\n\n").await;
}

#[tokio::test]
async fn without_events_there_is_no_such_path() {
    let (served, _) = crate::lab::serve(&tekton()).await;
    let text = ask(&served, "GET /events?topics=a HTTP/1.1", "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
}
