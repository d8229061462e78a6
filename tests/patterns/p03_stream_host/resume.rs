//! Who comes back, and to what.

use tekton_sdk::{
    async_trait,
    context::Identity,
    host::{Identify, RequestHead},
};

use super::*;

/// Takes the subject of `authorization` at its word.
#[derive(Debug)]
struct Subjects;

#[async_trait]
impl Identify for Subjects {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        Ok(head.headers.get("authorization").map(|subject| Identity::new(subject.to_str().unwrap())))
    }
}

fn tape() -> Ask {
    Ask::post("tape", &json!({})).accepting(EVENTS)
}

/// The stream's id.
fn id(answer: &Response) -> String {
    answer.headers["x-tekton-stream"].to_str().unwrap().to_owned()
}

/// Items with their numbers, as they are written.
fn events(id: &str, items: impl IntoIterator<Item = u64>) -> String {
    items.into_iter().map(|n| format!("id: {id}-{n}\ndata: {n}\n\n")).collect()
}

fn send(feed: &Feed, items: impl IntoIterator<Item = u64>) {
    items.into_iter().for_each(|n| feed.send(Ok(json!(n))).unwrap());
}

/// Reads pieces until as much has come as this text has, signs of life aside.
async fn read(answer: &mut Response, wanted: &str) {
    let mut came = String::new();
    while came.len() < wanted.len() {
        let piece = piece(answer).await.expect("the stream goes on").unwrap();
        came += piece.trim_start_matches(": keep-alive\n\n");
    }
    assert_eq!(came, wanted);
}

#[tokio::test]
async fn a_caller_whose_connection_broke_is_attached_to_the_same_work() {
    let (served, source, _) = socket(|config| config).await;
    let feed = source.feed();
    let mut answer = open(&served, &tape()).await;
    let id = answer.header("x-tekton-stream").unwrap().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    send(&feed, 1..=3);
    let end = events(&id, 3..=3);
    assert_eq!(answer.until(&end).await, events(&id, 1..=3));
    drop(answer);
    send(&feed, 4..=5);
    // The third had not come through.
    let back = tape().with("last-event-id", &format!("{id}-2"));
    let mut answer = open(&served, &back).await;
    assert_eq!((answer.status, answer.header("x-tekton-stream")), (200, Some(&*id)));
    assert_eq!(answer.until(&events(&id, 5..=5)).await, events(&id, 3..=5));
    drop(feed);
    assert_eq!(answer.rest().await, format!("event: end\nid: {id}-6\ndata: {{\"items\":5}}\n\n"));
    // Whoever did not hear the end may hear it again, and nothing is left after it.
    let mut answer = open(&served, &back).await;
    assert!(answer.rest().await.ends_with(&format!("event: end\nid: {id}-6\ndata: {{\"items\":5}}\n\n")));
    let mut answer = open(&served, &tape().with("last-event-id", &format!("{id}-6"))).await;
    assert_eq!(answer.rest().await, "");
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn a_write_is_not_carried_out_twice_either() {
    let (bed, source) = bed(|config| config).await;
    let feed = source.feed();
    let reel = Ask::post("reel", &json!({"text": "x"})).accepting(EVENTS);
    let mut answer = reel.memory(bed.transport()).await;
    let id = id(&answer);
    send(&feed, 1..=1);
    read(&mut answer, &events(&id, 1..=1)).await;
    drop(answer);
    for _ in 0..3 {
        let mut answer = reel.clone().with("last-event-id", &format!("{id}-0")).memory(bed.transport()).await;
        read(&mut answer, &events(&id, 1..=1)).await;
    }
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn what_fell_out_of_the_ring_is_a_gap() {
    let (bed, source) = bed(|config| config.with_stream_ring_items(3)).await;
    let feed = source.feed();
    let mut answer = tape().memory(bed.transport()).await;
    let id = id(&answer);
    send(&feed, 1..=2);
    read(&mut answer, &events(&id, 1..=2)).await;
    drop(answer);
    // Nobody holds the work back while nobody reads.
    send(&feed, 3..=9);
    source.until(|source| source.sent() == 9).await;
    let mut answer = tape().with("last-event-id", &format!("{id}-1")).memory(bed.transport()).await;
    let gap = format!("event: gap\nid: {id}-6\ndata: {{\"from\":2,\"to\":6}}\n\n");
    read(&mut answer, &(gap.clone() + &events(&id, 7..=9))).await;
    // Whoever is cut off right after the gap goes on from there.
    let mut answer = tape().with("last-event-id", &format!("{id}-6")).memory(bed.transport()).await;
    read(&mut answer, &events(&id, 7..=9)).await;
    drop(feed);
    assert_eq!(all(answer).await, format!("event: end\nid: {id}-10\ndata: {{\"items\":9}}\n\n"));
}

#[tokio::test]
async fn while_somebody_reads_the_work_waits_and_nothing_falls_out() {
    let (bed, source) = bed(|config| config.with_stream_ring_items(3)).await;
    let feed = source.feed();
    send(&feed, 1..=9);
    let mut answer = tape().memory(bed.transport()).await;
    let id = id(&answer);
    source.until(|source| source.sent() == 3).await;
    settle().await;
    assert_eq!(source.sent(), 3, "the ring is full, and nobody has read");
    read(&mut answer, &events(&id, 1..=9)).await;
}

#[tokio::test]
async fn an_event_for_which_there_are_not_bytes_enough_waits_for_its_reader() {
    let (bed, source) = bed(|config| config.with_stream_ring_bytes(1024)).await;
    let feed = source.feed();
    for _ in 0..4 {
        feed.send(Ok(json!("x".repeat(600)))).unwrap();
    }
    drop(feed);
    let answer = tape().memory(bed.transport()).await;
    source.until(|source| source.sent() == 2).await;
    settle().await;
    assert_eq!(source.sent(), 2, "the second one waits, and nobody asks for a third");
    let body = all(answer).await;
    assert!(body.matches("xxx\"\n\n").count() == 4 && body.ends_with("data: {\"items\":4}\n\n"), "{body}");
}

#[tokio::test]
async fn an_event_that_is_larger_than_the_ring_ends_the_stream() {
    let (bed, source) = bed(|config| config.with_stream_ring_bytes(1024)).await;
    let feed = source.feed();
    send(&feed, 1..=1);
    feed.send(Ok(json!("x".repeat(2000)))).unwrap();
    let body = all(tape().memory(bed.transport()).await).await;
    assert!(body.contains("data: 1\n") && body.contains("event: error\n"), "{body}");
    assert!(body.contains("1024 bytes of host.stream_ring_bytes"), "{body}");
    source.until_running(0).await;
}

/// What a refused attempt to come back is told, which must be the same for all of them.
async fn gone(transport: &MemoryTransport, ask: Ask, why: &str) -> String {
    let answer = ask.memory(transport).await;
    assert_eq!(answer.status.as_u16(), 410, "{why}");
    assert_eq!(answer.headers.get("x-tekton-stream"), None, "{why}");
    let problem = all(answer).await;
    assert_eq!(code(&problem), "stream_gone", "{why}");
    problem
}

#[tokio::test]
async fn nobody_else_and_nothing_else_is_attached_and_all_are_told_the_same() {
    let (bed, source) = (TestBed::new().unwrap(), Arc::<Source>::default());
    bed.serve_with(Radio(Arc::clone(&source)), |serve| serve.identify(Subjects)).await.unwrap();
    let (feed, road) = (source.feed(), bed.transport());
    let mine = || {
        Ask::post("tape", &json!({"a": 1}))
            .accepting(EVENTS)
            .with("authorization", "ada")
            .with("x-tekton-caller", "one")
    };
    let answer = mine().memory(road).await;
    let id = id(&answer);
    let last = format!("{id}-0");
    let as_caller = |ask: Ask, subject: &str, label: &str| {
        ask.accepting(EVENTS).with("authorization", subject).with("x-tekton-caller", label).with("last-event-id", &last)
    };
    let guessed = format!("{}-0", "0123456789abcdef".repeat(2));
    let body = Ask::post("tape", &json!({"a": 1}));
    let mut wrong = vec![
        ("guessed", mine().with("last-event-id", &guessed)),
        ("another subject", as_caller(body.clone(), "bob", "one")),
        ("another label", as_caller(body.clone(), "ada", "two")),
        ("no label", body.clone().accepting(EVENTS).with("authorization", "ada").with("last-event-id", &last)),
        ("no subject", body.clone().accepting(EVENTS).with("x-tekton-caller", "one").with("last-event-id", &last)),
        ("another operation", as_caller(Ask::post("reel", &json!({"a": 1})), "ada", "one")),
        ("other arguments", as_caller(Ask::post("tape", &json!({"a": 2})), "ada", "one")),
        ("another method", as_caller(Ask::get("tape", "a=1"), "ada", "one")),
        ("a number that never was", mine().with("last-event-id", &format!("{id}-1"))),
    ];
    for malformed in ["x", "-", &id, &format!("{id}-"), &format!("{id}-+0"), &format!("{id}-0 1"), &"9".repeat(5000)] {
        wrong.push(("malformed", mine().with("last-event-id", malformed)));
    }
    let mut told = Vec::new();
    for (why, ask) in wrong {
        told.push(gone(road, ask, why).await);
    }
    for (subject, label) in [("bob", "one"), ("ada", "two")] {
        let cancel = Ask::cancel(&id).with("authorization", subject).with("x-tekton-caller", label);
        told.push(gone(road, cancel, "cancelled by another").await);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // None of them has touched it.
    assert_eq!((source.begun(), source.running.load(Ordering::SeqCst)), (1, 1));
    drop(answer);
    send(&feed, 1..=1);
    let mut answer = mine().with("last-event-id", &last).memory(road).await;
    read(&mut answer, &events(&id, 1..=1)).await;
}

#[tokio::test]
async fn whoever_comes_back_too_late_finds_nothing_and_the_work_is_stopped() {
    let (bed, source) = bed(|config| config.with_stream_grace(30 * SECOND)).await;
    let feed = source.feed();
    let mut answer = tape().memory(bed.transport()).await;
    let id = id(&answer);
    send(&feed, 1..=1);
    read(&mut answer, &events(&id, 1..=1)).await;
    let back = tape().with("last-event-id", &format!("{id}-1"));
    // Each return begins the time anew.
    for _ in 0..3 {
        drop(answer);
        tokio::task::yield_now().await;
        bed.clock().advance(29 * SECOND);
        answer = back.memory(bed.transport()).await;
        assert_eq!(answer.status.as_u16(), 200);
    }
    drop(answer);
    tokio::task::yield_now().await;
    bed.clock().advance(30 * SECOND);
    source.until_running(0).await;
    assert!(feed.is_closed());
    let expired = gone(bed.transport(), back, "too late").await;
    let guessed = tape().with("last-event-id", &format!("{}-1", "a".repeat(32)));
    assert_eq!(expired, gone(bed.transport(), guessed, "guessed").await);
    assert_eq!((limit(&bed, "streams").await, limit(&bed, "running").await), (json!(0), json!(0)));
}

#[tokio::test]
async fn an_ended_stream_is_kept_for_the_grace_and_holds_no_place() {
    let (bed, source) = bed(|config| config.with_stream_grace(30 * SECOND)).await;
    drop(source.feed());
    let answer = tape().memory(bed.transport()).await;
    let id = id(&answer);
    source.until_running(0).await;
    drop(answer);
    assert_eq!((limit(&bed, "streams").await, limit(&bed, "running").await), (json!(1), json!(0)));
    let back = tape().with("last-event-id", &format!("{id}-0"));
    let end = all(back.memory(bed.transport()).await).await;
    assert_eq!(end, format!("event: end\nid: {id}-1\ndata: {{\"items\":0}}\n\n"));
    tokio::task::yield_now().await;
    bed.clock().advance(30 * SECOND);
    while limit(&bed, "streams").await != 0 {
        tokio::task::yield_now().await;
    }
    gone(bed.transport(), back, "too late").await;
}

#[tokio::test]
async fn the_last_one_that_comes_takes_the_stream_over() {
    let (bed, source) = bed(|config| config).await;
    let feed = source.feed();
    let mut first = tape().memory(bed.transport()).await;
    let id = id(&first);
    send(&feed, 1..=1);
    read(&mut first, &events(&id, 1..=1)).await;
    let mut second = tape().with("last-event-id", &format!("{id}-1")).memory(bed.transport()).await;
    let told = all(first).await;
    assert!(told.starts_with("event: error\ndata: {") && told.contains("stream_taken_over"), "{told}");
    send(&feed, 2..=2);
    read(&mut second, &events(&id, 2..=2)).await;
    // Long after the grace: the first one's going was not the stream's.
    bed.clock().advance(60 * SECOND);
    send(&feed, 3..=3);
    read(&mut second, &events(&id, 3..=3)).await;
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn a_delete_stops_the_work_at_once() {
    let (served, source, _) = socket(|config| config).await;
    let feed = source.feed();
    let mut answer = open(&served, &tape()).await;
    let id = answer.header("x-tekton-stream").unwrap().to_owned();
    send(&feed, 1..=1);
    assert_eq!(answer.until("data: 1\n\n").await, events(&id, 1..=1));
    let other = open(&served, &Ask::cancel(&id)).await;
    assert_eq!(other.status, 204);
    assert_eq!(source.running.load(Ordering::SeqCst), 0, "it is gone before the answer");
    let told = answer.rest().await;
    assert!(told.starts_with("event: error\ndata: {") && told.contains("the stream was cancelled"), "{told}");
    for ask in [Ask::cancel(&id), tape().with("last-event-id", &format!("{id}-1"))] {
        let mut answer = open(&served, &ask).await;
        assert_eq!((answer.status, &*code(&answer.rest().await)), (410, "stream_gone"));
    }
    let mut wrong = open(&served, &Ask::new(Method::GET, &format!("/api/v1/streams/{id}"), "")).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("DELETE")));
    assert_eq!(code(&wrong.rest().await), "method_not_allowed");
}

#[tokio::test]
async fn a_delete_is_answered_when_the_work_is_gone() {
    let (bed, source) = bed(|config| config).await;
    let _feed = source.feed();
    let answer = tape().memory(bed.transport()).await;
    source.until_running(1).await;
    assert_eq!(Ask::cancel(&id(&answer)).memory(bed.transport()).await.status.as_u16(), 204);
    assert_eq!(source.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn only_server_sent_events_can_be_resumed() {
    let (bed, source) = bed(|config| config).await;
    for accept in [LINES, "*/*"] {
        send(&source.feed(), 1..=2);
        let answer =
            Ask::post("tape", &json!({})).accepting(accept).with("last-event-id", "x").memory(bed.transport()).await;
        assert_eq!((answer.status.as_u16(), answer.headers.get("x-tekton-stream")), (200, None));
        let body = all(answer).await;
        assert!(body.starts_with("{\"item\":1}\n{\"item\":2}\n{\"end\"") || body == "[1,2]", "{body}");
    }
    // An id that is empty is none, and a plain stream has none to come back to.
    drop((source.feed(), source.feed()));
    let empty = tape().with("last-event-id", "").memory(bed.transport()).await;
    assert_eq!((empty.status.as_u16(), source.begun()), (200, 3));
    let plain =
        Ask::post("feed", &json!({})).accepting(EVENTS).with("last-event-id", "x").memory(bed.transport()).await;
    assert_eq!((plain.status.as_u16(), plain.headers.get("x-tekton-stream")), (200, None));
}

#[tokio::test]
async fn to_come_back_needs_no_place_and_counts_for_the_rate_of_its_client() {
    let (bed, source) = bed(|config| {
        config
            .with_max_concurrency(1)
            .with_queue_timeout(Duration::ZERO)
            .with_client_max_concurrency(Some(1))
            .with_client_rate_per_second(Some(3))
    })
    .await;
    let _feed = source.feed();
    let answer = tape().memory(bed.transport()).await;
    let back = tape().with("last-event-id", &format!("{}-0", id(&answer)));
    let told = async || back.memory(bed.transport()).await.status.as_u16();
    assert_eq!((told().await, told().await, told().await), (200, 200, 429));
    let cancelled = Ask::cancel(&id(&answer)).memory(bed.transport()).await;
    assert_eq!(cancelled.status.as_u16(), 204, "that gives places back");
}
