//! What a client of any server does on good days.

use std::{
    future::ready,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, poll, stream};
use http::{HeaderValue, StatusCode, header};
use tekton_sdk::{
    ErrorKind, Result, Secret,
    patterns::streaming::{Ended, SseClient},
    testing::{ScriptedSse, SseAnswer},
    transport::{Body, Request, Response, Transport, TransportCapabilities},
};

use super::{Memory, client, read};

#[tokio::test]
async fn a_stream_goes_on_over_as_many_connections_as_it_takes() {
    let server = ScriptedSse::start().await.unwrap();
    server
        .answer(SseAnswer::stream().data("a").item("1", "b").breaks())
        .answer(SseAnswer::status(503))
        .answer(SseAnswer::stream().comment("nothing").breaks())
        .answer(SseAnswer::stream().event("note", "c").item("2", "d"))
        .answer(SseAnswer::status(204));
    let mut events = client(&server).header(header::FROM, HeaderValue::from_static("x")).open().unwrap();
    assert_eq!(server.requests().len(), 0, "nothing is sent before somebody asks");
    assert_eq!(read(&mut events).await, ["a", "b", "c", "d"]);
    assert_eq!((events.ended(), events.last_event_id()), (Some(Ended::NoContent), "2"));
    assert!(events.next().await.is_none());
    let ids: Vec<_> = server.requests().iter().map(|r| r.headers.get("last-event-id").cloned()).collect();
    assert_eq!(ids, [None, Some("1"), Some("1"), Some("1"), Some("2")].map(|id| id.map(HeaderValue::from_static)));
    assert!(server.requests().iter().all(|r| r.headers["from"] == "x" && r.headers["accept"] == "text/event-stream"));
}

#[tokio::test]
async fn kind_data_and_id_come_as_they_are_and_comments_do_not() {
    let server = ScriptedSse::start().await.unwrap();
    let text =
        ":\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\nid: 7\r\n\r\n: ping\r\n\r\nevent: done\r\ndata\r\n\r\n";
    server.answer(SseAnswer::stream().bytes(text).split_every(3).stalls());
    let mut events = client(&server).open().unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((&*event.kind, &*event.data, &*event.id), ("message", "{\"a\":\n1}", "7"));
    assert_eq!(event.json::<serde_json::Value>().unwrap()["a"], 1);
    let done = StreamExt::next(&mut events).await.unwrap().unwrap();
    assert_eq!((&*done.kind, &*done.data, &*done.id), ("done", "", "7"));
    assert_eq!(done.json::<u8>().unwrap_err().kind(), ErrorKind::Codec);
}

#[tokio::test]
async fn what_was_cut_off_is_no_part_of_the_next_connection() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(SseAnswer::stream().bytes("event: ghost\ndata: half").breaks()).answer(SseAnswer::stream().data("a"));
    let event = client(&server).open().unwrap().next().await.unwrap().unwrap();
    assert_eq!((&*event.kind, &*event.data), ("message", "a"));
}

#[tokio::test]
async fn a_post_is_sent_once_unless_more_is_allowed() {
    let server = ScriptedSse::start().await.unwrap();
    let json = HeaderValue::from_static("application/json");
    let post = || SseClient::post(&server.url(), json.clone(), "{\"stream\":true}").unwrap().reconnect(super::quick());
    server.answer(SseAnswer::stream().data("[DONE]"));
    let mut events = post().open().unwrap();
    assert_eq!((read(&mut events).await, events.ended()), (vec!["[DONE]".to_owned()], Some(Ended::Body)));

    server.answer(SseAnswer::stream().data("a").breaks());
    let mut events = post().open().unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().data, "a");
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), events.ended()), (ErrorKind::Interrupted, None));
    assert!(events.next().await.is_none(), "nothing comes after the error");

    server.answer(SseAnswer::status(503));
    let error = post().open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!((error.remote().unwrap().status(), error.attempts()), (503, 1));
    assert_eq!(server.requests().len(), 3);

    server.answer(SseAnswer::stream().data("a").breaks()).answer(SseAnswer::stream().data("b").stalls());
    let mut events = post().resend(true).open().unwrap();
    for data in ["a", "b"] {
        assert_eq!(events.next().await.unwrap().unwrap().data, data);
    }
    assert_eq!(server.requests().len(), 5);
    for request in server.requests() {
        assert_eq!((request.method.as_str(), &*request.body), ("POST", &b"{\"stream\":true}"[..]));
        assert_eq!(request.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_refused_token_is_asked_for_once_more() {
    let server = ScriptedSse::start().await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let token = move |refused: bool| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Secret::new(format!("t{number}{}", if refused { "-fresh" } else { "" }))))
    };
    server
        .answer(SseAnswer::status(401))
        .answer(SseAnswer::stream().data("a").breaks())
        .answer(SseAnswer::status(401))
        .answer(SseAnswer::status(401).bytes("{\"detail\":\"no such user\"}"));
    let mut events = client(&server).token(token).open().unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().data, "a");
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.remote().unwrap().detail()), (ErrorKind::Unauthorized, Some("no such user")));
    let sent: Vec<_> =
        server.requests().iter().map(|r| r.headers["authorization"].to_str().unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer t0", "Bearer t1-fresh", "Bearer t2", "Bearer t3-fresh"]);

    server.answer(SseAnswer::status(401));
    let fixed = client(&server).header(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
    assert_eq!(fixed.open().unwrap().next().await.unwrap().unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(server.requests().len(), 5, "where there is nobody to ask it is not sent again");

    server.answer(SseAnswer::stream().data("a"));
    let constant = client(&server).bearer(Secret::new("k".to_owned()));
    constant.open().unwrap().next().await.unwrap().unwrap();
    assert_eq!(server.requests()[5].headers["authorization"], "Bearer k");
}

#[tokio::test]
async fn a_redirect_is_followed_without_what_was_meant_for_another() {
    let (server, other) = (ScriptedSse::start().await.unwrap(), ScriptedSse::start().await.unwrap());
    let to =
        |status, url: String| SseAnswer::status(status).header(header::LOCATION, HeaderValue::try_from(url).unwrap());
    server
        .answer(to(307, "/there?x=1".to_owned()))
        .answer(to(308, format!("{}/elsewhere", other.origin())))
        .answer(SseAnswer::stream().data("b").stalls());
    other.answer(SseAnswer::stream().item("5", "a").breaks());
    let secrets = [(header::AUTHORIZATION, "Bearer t"), (header::COOKIE, "s=1"), (header::FROM, "x")];
    let with = |client: SseClient| {
        secrets
            .iter()
            .fold(client, |client, (name, value)| client.header(name.clone(), HeaderValue::from_static(value)))
    };
    let mut events = with(client(&server)).token(|_| ready(Ok(Secret::new("t".to_owned())))).open().unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().data, "a");
    assert_eq!(events.next().await.unwrap().unwrap().data, "b");
    let paths: Vec<_> = server.requests().iter().map(|r| (r.path.clone(), r.query.clone())).collect();
    let start = ("/stream".to_owned(), None);
    assert_eq!(
        paths,
        [start.clone(), ("/there".to_owned(), Some("x=1".to_owned())), start],
        "it begins at the beginning"
    );
    assert!(
        server.requests().iter().all(|r| r.headers.contains_key("authorization") && r.headers.contains_key("cookie"))
    );
    let elsewhere = &other.requests()[0];
    assert!(!elsewhere.headers.contains_key("authorization") && !elsewhere.headers.contains_key("cookie"));
    assert_eq!((elsewhere.path.as_str(), &elsewhere.headers["from"]), ("/elsewhere", &HeaderValue::from_static("x")));

    let json = HeaderValue::from_static("application/json");
    for (status, method) in [(303, "GET"), (302, "GET"), (307, "POST")] {
        let before = other.requests().len();
        other.answer(to(status, "/x".to_owned())).answer(SseAnswer::stream().data("c"));
        let mut events = SseClient::post(&other.url(), json.clone(), "{}").unwrap().open().unwrap();
        events.next().await.unwrap().unwrap();
        let request = &other.requests()[before + 1];
        assert_eq!((request.method.as_str(), request.body.is_empty()), (method, method == "GET"));
        assert_eq!(request.headers.contains_key("content-type"), method == "POST");
    }
}

#[tokio::test]
async fn what_ends_it_says_what_the_server_said() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(SseAnswer::status(404).bytes("{\"detail\":\"no such channel\"}"));
    let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "answered 404 Not Found: no such channel");
    server.answer(SseAnswer::status(403).floods(vec![b'x'; 100_000]));
    let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "answered 403 Forbidden");
    server
        .answer(SseAnswer::status(200).header(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=x")));
    let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the answer is \"text/html\", not the event stream that was asked for");
    server.answer(SseAnswer::status(302));
    let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "answered 302, which names no place to go to");
    let parameters = HeaderValue::from_static("Text/Event-Stream ; charset=utf-8");
    server.answer(SseAnswer::stream().header(header::CONTENT_TYPE, parameters).data("a"));
    assert_eq!(client(&server).open().unwrap().next().await.unwrap().unwrap().data, "a");
}

#[tokio::test]
async fn a_dropped_or_closed_stream_closes_its_connection() {
    let server = ScriptedSse::start().await.unwrap();
    server.always(SseAnswer::stream().data("a").stalls());
    let mut events = client(&server).open().unwrap();
    events.next().await.unwrap().unwrap();
    assert_eq!(server.open(), 1);
    events.restart();
    events.next().await.unwrap().unwrap();
    assert_eq!(server.requests().len(), 2);
    server.until_open(1).await;
    events.close();
    server.until_open(0).await;
    assert_eq!((events.next().await.map(drop), events.ended()), (None, Some(Ended::Closed)));
    let mut events = client(&server).open().unwrap();
    events.next().await.unwrap().unwrap();
    drop(events);
    server.until_open(0).await;
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn no_event_is_lost_when_a_wait_for_one_is_given_up() {
    let memory = Memory::new();
    let answer = (0..50).fold(SseAnswer::stream(), |answer, n| answer.data(&n.to_string()));
    memory.script.answer(answer.split_every(5).breaks()).answer(SseAnswer::status(204));
    let mut events = memory.client().reconnect(super::quick()).open().unwrap();
    let mut read = Vec::new();
    loop {
        // Polled once and dropped, whatever it was waiting for.
        match events.next().now_or_never() {
            Some(Some(event)) => read.push(event.unwrap().data),
            Some(None) => break,
            None => tokio::task::yield_now().await,
        }
    }
    assert!(read.iter().map(|n| n.parse::<usize>().unwrap()).eq(0..50), "{read:?}");
}

/// A server that sends the same without an end, and counts how often it is taken.
#[derive(Debug)]
struct Endless(&'static [u8], Arc<AtomicUsize>);

#[async_trait]
impl Transport for Endless {
    async fn send(&self, _: Request) -> Result<Response> {
        let (piece, taken) = (self.0, Arc::clone(&self.1));
        let body = stream::repeat_with(move || {
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from_static(piece))
        });
        let answer = Response::new(StatusCode::OK, Body::stream(body));
        Ok(answer.with_header(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

#[tokio::test]
async fn nothing_is_read_while_nobody_asks() {
    let taken = Arc::<AtomicUsize>::default();
    let endless = Endless(b"data: x\n\n", Arc::clone(&taken));
    let mut events = SseClient::get("http://h/").unwrap().transport(Arc::new(endless)).open().unwrap();
    for count in 1..=100 {
        events.next().await.unwrap().unwrap();
        assert_eq!(taken.load(Ordering::Relaxed), count);
    }
}

#[tokio::test]
async fn what_is_no_event_and_always_there_does_not_hold_up_others() {
    let taken = Arc::<AtomicUsize>::default();
    let endless = Endless(b": alive\n\n", Arc::clone(&taken));
    let mut events = SseClient::get("http://h/").unwrap().transport(Arc::new(endless)).open().unwrap();
    for times in 1..=10 {
        assert!(events.next().now_or_never().is_none());
        assert!(taken.load(Ordering::Relaxed) <= times * 65);
    }
}

#[tokio::test(start_paused = true)]
async fn waits_are_the_servers_or_double_and_are_by_the_clock() {
    let memory = Memory::new();
    memory
        .script
        .answer(SseAnswer::stream().data("a").retry(4_000).data("b"))
        .answer(SseAnswer::stream())
        .answer(SseAnswer::status(429).header(header::RETRY_AFTER, HeaderValue::from_static("20")))
        .answer(SseAnswer::stream().data("c").delay(Duration::from_secs(3)))
        .answer(SseAnswer::status(204));
    let reconnect = tekton_sdk::patterns::streaming::ReconnectConfig::default().with_jitter(0.0);
    let mut events = memory.client().reconnect(reconnect).open().unwrap();
    assert_eq!(read(&mut events).await, ["a", "b", "c"]);
    let waits: Vec<_> = memory.script.requests().iter().map(|r| r.after.map(|after| after.as_secs())).collect();
    assert_eq!(waits, [None, Some(4), Some(4), Some(20), Some(4)]);
}

#[tokio::test(start_paused = true)]
async fn a_comment_keeps_a_connection_alive_and_a_silence_ends_it() {
    let memory = Memory::new();
    let quiet = Duration::from_secs(40);
    memory
        .script
        .answer(SseAnswer::stream().wait(quiet).comment("alive").wait(quiet).data("a").stalls())
        .answer(SseAnswer::stream().data("b").delay(Duration::from_secs(100)))
        .answer(SseAnswer::status(204));
    let mut events = memory.client().open().unwrap();
    let mut reading = pin!(read(&mut events));
    assert!(poll!(reading.as_mut()).is_pending());
    assert_eq!(reading.await, ["a"; 1], "the head that takes longer than the idle time-out is given up");
    assert_eq!(memory.script.requests().len(), 3);
}
