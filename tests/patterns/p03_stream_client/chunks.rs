//! Streams of a component.

use std::{future::IntoFuture, time::Duration};

use futures_util::{StreamExt, poll};
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use tekton_sdk::{
    Error, ErrorKind, Peer, Result, Tekton,
    contract::Entry,
    directory::MemoryDirectory,
    error::Gap,
    patterns::streaming::Chunks,
    testing::{ScriptedSse, SseAnswer},
    time::ManualClock,
    transport::Safety,
};

use super::{Memory, quick};

const NAME: &str = "00112233445566778899aabbccddeeff";
const STREAM: HeaderName = HeaderName::from_static("x-tekton-stream");

/// An answer that can be resumed, with these of its items.
fn resumable(numbers: &[u64]) -> SseAnswer {
    let answer = SseAnswer::stream().header(STREAM, HeaderValue::from_static(NAME));
    numbers.iter().fold(answer, |answer, number| answer.item(&id(*number), &number.to_string()))
}

fn id(number: u64) -> String {
    format!("{NAME}-{number}")
}

fn end(answer: SseAnswer, items: u64) -> SseAnswer {
    answer.event("end", &json!({ "items": items }).to_string())
}

fn peer(server: &ScriptedSse) -> Peer {
    let tekton = Tekton::builder().named("tester").configure(|config| config.retry.base_delay = Duration::ZERO);
    tekton.build().unwrap().peer_at(&server.origin()).unwrap()
}

async fn numbers(peer: &Peer) -> Result<Chunks<u64>> {
    peer.stream("count").json(&json!({"to": 9})).reconnect(quick()).await
}

/// All that comes: the items, and what is wrong in words.
async fn all(mut chunks: Chunks<u64>) -> Vec<Result<u64, String>> {
    let mut all = Vec::new();
    while let Some(item) = chunks.next().await {
        all.push(item.map_err(|error| error.to_string()));
    }
    assert!(chunks.next().await.is_none());
    all
}

fn fine(items: impl IntoIterator<Item = u64>) -> Vec<Result<u64, String>> {
    items.into_iter().map(Ok).collect()
}

#[tokio::test]
async fn the_items_come_until_the_callee_says_that_it_is_done() {
    let server = ScriptedSse::start().await.unwrap();
    let answer = SseAnswer::stream().data("1").comment("keep-alive").event("news", "x").data("2");
    server.answer(end(answer, 2).data("3").stalls());
    let peer = peer(&server);
    let call = peer.stream::<u64>("count").json(&json!({"to": 2})).query("q", "a b").safety(Safety::Read);
    let mut chunks = call.header(header::FROM, HeaderValue::from_static("x")).await.unwrap();
    assert_eq!(StreamExt::next(&mut chunks).await.unwrap().unwrap(), 1);
    assert_eq!(all(chunks).await, fine([2]));
    server.until_open(0).await;
    let [request] = &server.requests()[..] else { panic!("it was sent once") };
    assert_eq!(
        (&request.method, request.path.as_str(), request.query.as_deref()),
        (&Method::POST, "/api/v1/count", Some("q=a+b"))
    );
    assert_eq!((&*request.body, &request.headers["from"]), (&b"{\"to\":2}"[..], &HeaderValue::from_static("x")));
    let sent = ["accept", "x-api-version", "x-tekton-caller", "x-tekton-attempt"]
        .map(|name| request.headers[name].to_str().unwrap());
    assert_eq!(sent, ["text/event-stream, application/x-ndjson;q=0.8, application/json;q=0.5", "1", "tester", "1"]);
    assert!(request.headers.contains_key("traceparent") && request.headers.contains_key("x-tekton-deadline-ms"));
}

#[tokio::test]
async fn a_stream_that_stops_without_a_word_is_interrupted() {
    let server = ScriptedSse::start().await.unwrap();
    for answer in [SseAnswer::stream().data("1"), SseAnswer::stream().data("1").breaks()] {
        server.answer(answer);
        let mut chunks = numbers(&peer(&server)).await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
        let error = chunks.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_recoverable()), (ErrorKind::Interrupted, false));
        assert_eq!(error.target(), Some(server.origin().trim_start_matches("http://")));
        assert!(chunks.next().await.is_none());
    }
    assert_eq!(server.requests().len(), 2, "it is not carried out again");
}

#[tokio::test]
async fn a_broken_stream_goes_on_where_it_broke() {
    let server = ScriptedSse::start().await.unwrap();
    server
        .answer(resumable(&[]).breaks())
        .answer(resumable(&[1, 2]).breaks())
        .answer(SseAnswer::status(500))
        .answer(resumable(&[2, 3]))
        .answer(resumable(&[]).breaks())
        .answer(
            resumable(&[4])
                .block(&tekton_sdk::wire::sse::Block::data("{\"items\":4}").with_kind("end").with_id(&id(5))),
        );
    assert_eq!(all(numbers(&peer(&server)).await.unwrap()).await, fine(1..=4));
    let sent = server.requests();
    let ids: Vec<_> =
        sent.iter().map(|r| r.headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned())).collect();
    let wanted = [None, Some(id(0)), Some(id(2)), Some(id(2)), Some(id(3)), Some(id(3))];
    assert_eq!(ids, wanted, "where nothing came it goes on before the first");
    for request in sent {
        assert_eq!(
            (request.method, request.path.as_str(), &*request.body),
            (Method::POST, "/api/v1/count", &b"{\"to\":9}"[..])
        );
    }
}

#[tokio::test]
async fn what_came_already_is_dropped_and_what_did_not_come_is_named() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(end(resumable(&[1, 2, 3, 4]).duplicate(1).swap(3, 4), 4));
    let lost = |gap: &str| Err(format!("the items {gap} of the stream are lost"));
    assert_eq!(all(numbers(&peer(&server)).await.unwrap()).await, [Ok(1), Ok(2), lost("3 to 3"), Ok(4)]);

    server.answer(resumable(&[1]).breaks()).answer(end(
        resumable(&[]).event("gap", "{\"from\":2,\"to\":4}").event("gap", "{\"from\":2,\"to\":4}").item(&id(5), "5"),
        5,
    ));
    let mut chunks = numbers(&peer(&server)).await.unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
    let gap = chunks.next().await.unwrap().unwrap_err();
    assert_eq!((gap.kind(), gap.is_recoverable(), gap.gap()), (ErrorKind::Interrupted, true, Some(Gap::new(2, 4))));
    assert_eq!(all(chunks).await, fine([5]));

    server.answer(end(SseAnswer::stream().event("gap", "{\"from\":2,\"to\":4}").event("gap", "soon").data("5"), 5));
    let all = all(numbers(&peer(&server)).await.unwrap()).await;
    assert_eq!((all.len(), &all[0], &all[2]), (3, &lost("2 to 4"), &Ok(5)));
    assert!(all[1].as_ref().is_err_and(|error| error.contains("expected JSON")), "{all:?}");
}

#[tokio::test]
async fn errors_that_end_it_and_errors_that_do_not_are_told_apart() {
    let server = ScriptedSse::start().await.unwrap();
    let problem = |status: u16, code: &str| {
        json!({"type": format!("urn:tekton:problem:{code}"), "title": "x", "status": status, "detail": "the third is missing", "code": code}).to_string()
    };
    let answer = SseAnswer::stream().data("1").event("item-error", &problem(404, "not_found")).data("true").data("2");
    server.answer(answer.event("error", &problem(409, "conflict")).data("3").stalls());
    let mut chunks = numbers(&peer(&server)).await.unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
    let missing = chunks.next().await.unwrap().unwrap_err();
    assert_eq!((missing.kind(), missing.is_recoverable()), (ErrorKind::NotFound, true));
    assert_eq!(missing.remote().unwrap().detail(), Some("the third is missing"));
    assert!(missing.target().is_some());
    let unread = chunks.next().await.unwrap().unwrap_err();
    assert_eq!((unread.kind(), unread.is_recoverable()), (ErrorKind::Codec, true));
    assert_eq!(chunks.next().await.unwrap().unwrap(), 2);
    let last = chunks.next().await.unwrap().unwrap_err();
    assert_eq!((last.kind(), last.is_recoverable()), (ErrorKind::Conflict, false));
    assert_eq!((last.remote().unwrap().code(), last.target().is_some()), (Some("conflict"), true));
    assert!(chunks.next().await.is_none());
    server.until_open(0).await;
    for wrong in ["", "no JSON", "[]", "{\"status\": 7}", "{\"status\": 99999}"] {
        server.answer(SseAnswer::stream().event("error", wrong));
        let error = numbers(&peer(&server)).await.unwrap().next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_recoverable()), (ErrorKind::Remote, false), "{wrong}");
    }
}

#[tokio::test]
async fn dropped_before_its_end_it_stops_the_work_of_the_callee() {
    let server = ScriptedSse::start().await.unwrap();
    let peer = peer(&server);
    server.answer(resumable(&[1]).stalls()).answer(SseAnswer::status(204));
    let mut chunks = numbers(&peer).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    drop(chunks);
    let sent = server.until(2).await;
    assert_eq!((&sent[1].method, sent[1].path.clone()), (&Method::DELETE, format!("/api/v1/streams/{NAME}")));
    server.until_open(0).await;

    for status in [204, 404, 410] {
        server.answer(resumable(&[1]).stalls()).answer(SseAnswer::status(status));
        numbers(&peer).await.unwrap().cancel().await.unwrap();
    }
    server.answer(resumable(&[1]).stalls()).answer(SseAnswer::status(403));
    let error = numbers(&peer).await.unwrap().cancel().await.unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 403);

    let before = server.requests().len();
    server.answer(end(resumable(&[1]), 1)).answer(SseAnswer::stream().data("1").stalls());
    assert_eq!(all(numbers(&peer).await.unwrap()).await, fine([1]));
    let mut plain = numbers(&peer).await.unwrap();
    plain.next().await.unwrap().unwrap();
    plain.cancel().await.unwrap();
    server.until_open(0).await;
    assert_eq!(
        server.requests().len() - before,
        2,
        "nothing is told to a callee that is done, or sees the connection close"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_not_made_any_longer() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(resumable(&[1]).data(&"1".repeat(50)).stalls()).answer(SseAnswer::status(204));
    let mut chunks = peer(&server).stream::<u64>("count").max_event_bytes(45).await.unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
    let error = chunks.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.target().is_some()), (ErrorKind::Rejected, true));
    assert!(chunks.next().await.is_none());
    assert_eq!(server.until(2).await[1].method, Method::DELETE);
    server.until_open(0).await;
}

#[tokio::test]
async fn what_the_callee_does_not_keep_any_more_ends_it() {
    let server = ScriptedSse::start().await.unwrap();
    server
        .answer(resumable(&[1]).breaks())
        .answer(SseAnswer::status(410).bytes("{\"code\":\"stream_gone\",\"detail\":\"it is gone\"}"));
    let mut chunks = numbers(&peer(&server)).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    let error = chunks.next().await.unwrap().unwrap_err();
    assert_eq!(error.remote().unwrap().code(), Some("stream_gone"));
    assert!(chunks.next().await.is_none());
    let before = server.requests().len();
    server.answer(resumable(&[1]).breaks()).always(resumable(&[]).breaks());
    let all = all(numbers(&peer(&server)).await.unwrap()).await;
    assert_eq!((&all[0], all.len(), server.requests().len() - before), (&Ok(1), 2, 5), "nothing new in four attempts");
}

#[tokio::test]
async fn resuming_can_be_switched_off_and_sending_again_on() {
    let server = ScriptedSse::start().await.unwrap();
    let peer = peer(&server);
    server.answer(resumable(&[1]).breaks());
    let chunks = peer.stream::<u64>("count").resume(false).reconnect(quick()).await.unwrap();
    assert_eq!(all(chunks).await.len(), 2);
    server.answer(SseAnswer::stream().data("1").breaks()).answer(end(SseAnswer::stream().data("1").data("2"), 2));
    let chunks = peer.stream::<u64>("count").resend(true).reconnect(quick()).await.unwrap();
    assert_eq!(all(chunks).await, fine([1, 1, 2]));
    assert!(server.requests().iter().all(|request| !request.headers.contains_key("last-event-id")));
}

#[tokio::test]
async fn a_callee_that_cannot_stream_answers_with_an_array() {
    let server = ScriptedSse::start().await.unwrap();
    let peer = peer(&server);
    let json = |body: &'static str| {
        SseAnswer::status(200).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json")).bytes(body)
    };
    server.answer(json("[1,2,3]").split_every(2));
    assert_eq!(all(numbers(&peer).await.unwrap()).await, fine(1..=3));
    for (body, kind) in [("[1,", ErrorKind::Codec), ("{}", ErrorKind::Codec), ("[true]", ErrorKind::Codec)] {
        server.answer(json(body));
        assert_eq!(numbers(&peer).await.unwrap_err().kind(), kind, "{body}");
    }
    server.answer(json("[1,2,3]"));
    let error = peer.stream::<u64>("count").max_array_bytes(6).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("6 bytes")), (ErrorKind::Rejected, true));
    server.answer(SseAnswer::status(200).header(header::CONTENT_TYPE, HeaderValue::from_static("text/html")));
    assert_eq!(
        numbers(&peer).await.unwrap_err().to_string(),
        "the answer is \"text/html\", no stream and no array of JSON"
    );
    let long = format!("\"{}\"", "x".repeat(1_500_000));
    server.answer(end(SseAnswer::stream().data(&long), 1));
    let mut chunks = peer.stream::<String>("count").max_event_bytes(2 << 20).await.unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap().len(), 1_500_000);
    server.answer(SseAnswer::stream().data(&"1".repeat(50)));
    let mut chunks = peer.stream::<Value>("count").max_event_bytes(10).await.unwrap();
    assert_eq!(chunks.next().await.unwrap().unwrap_err().kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn until_the_answer_begins_it_is_a_call_as_any_other() {
    let server = ScriptedSse::start().await.unwrap();
    let peer = peer(&server);
    server.answer(SseAnswer::status(503)).answer(end(SseAnswer::stream().data("1"), 1));
    let chunks = peer.stream::<u64>("count").safety(Safety::Read).await.unwrap();
    assert_eq!((all(chunks).await, server.requests().len()), (fine([1]), 2));
    server.answer(SseAnswer::status(503));
    assert_eq!(numbers(&peer).await.unwrap_err().remote().unwrap().status(), 503, "a write is not tried again");
    server.answer(SseAnswer::status(422).bytes("{\"detail\":[{\"loc\":[\"body\",\"to\"],\"msg\":\"is negative\"}]}"));
    let error = numbers(&peer).await.unwrap_err();
    assert_eq!((error.fields()[0].to_string().as_str(), error.target().is_some()), ("to: is negative", true));
    for call in [peer.stream::<u64>("no such"), peer.stream("count").idempotency_key("")] {
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let error = peer.stream::<u64>("count").reconnect(quick().with_max_attempts(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn the_deadline_ends_with_the_head_and_silence_has_a_limit_of_its_own() {
    let (memory, clock) = (Memory::new(), ManualClock::new());
    let tekton = Tekton::builder().transport(memory.transport.clone()).clock(clock.clone()).build().unwrap();
    let peer = tekton.peer_at("memory://server").unwrap();
    memory.script.answer(SseAnswer::stream().data("1").stalls());
    let mut chunks = peer.stream::<u64>("count").timeout(Duration::from_secs(1)).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    let mut next = Box::pin(chunks.next());
    assert!(poll!(next.as_mut()).is_pending());
    clock.advance(Duration::from_secs(44));
    assert!(poll!(next.as_mut()).is_pending(), "the deadline was for the head");
    clock.advance(Duration::from_secs(1));
    assert_eq!(next.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);

    memory.script.answer(SseAnswer::stream().delay(Duration::from_secs(100_000)));
    let mut call = peer.stream::<u64>("count").timeout(Duration::from_secs(1)).into_future();
    assert!(poll!(&mut call).is_pending());
    clock.advance(Duration::from_secs(1));
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn it_goes_on_at_the_instance_that_began_it() {
    let servers = [ScriptedSse::start().await.unwrap(), ScriptedSse::start().await.unwrap()];
    let entries =
        servers.iter().enumerate().map(|(n, server)| Entry::new(format!("counter-{n}"), "counter", server.origin()));
    let builder = Tekton::builder().directory(MemoryDirectory::fixed(entries));
    let tekton = builder.configure(|config| config.retry.budget_reserve = 1000).build().unwrap();
    for server in &servers {
        server.always(resumable(&[1]).breaks());
    }
    let peer = tekton.peer("counter");
    for round in 0..8 {
        let before = servers.each_ref().map(|server| server.requests().len());
        let mut chunks = numbers(&peer).await.unwrap();
        chunks.next().await.unwrap().unwrap();
        let error = chunks.next().await.unwrap().unwrap_err();
        assert_eq!(error.target(), Some("counter"), "{error:?}");
        let asked = [0, 1].map(|n| servers[n].requests().len() - before[n]);
        assert!(asked == [5, 0] || asked == [0, 5], "round {round}: {asked:?}");
    }
}

#[tokio::test]
async fn items_that_are_there_already_are_a_stream_too() {
    let items = [Ok(1), Err(Error::internal("the second").recoverable()), Ok(3)];
    assert_eq!(all(Chunks::of_items(items)).await, [Ok(1), Err("the second".to_owned()), Ok(3)]);
}

#[tokio::test]
async fn a_stream_that_is_safe_under_a_key_has_one_and_keeps_it() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(SseAnswer::status(503)).answer(end(SseAnswer::stream(), 0));
    let peer = peer(&server);
    let call = peer.stream("count").safety(Safety::Idempotent).path("/api/ai/42/stream").query("a", "b c");
    assert_eq!(all(call.await.unwrap()).await, []);
    let sent = server.requests();
    let key = |at: usize| sent[at].headers.get("idempotency-key").expect("it was drawn").clone();
    assert_eq!((sent.len(), key(0)), (2, key(1)));
    assert_eq!((sent[0].path.as_str(), sent[0].query.as_deref()), ("/api/ai/42/stream", Some("a=b+c")));
}
