//! What a client of any server does on bad days.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use tekton_sdk::{
    ErrorKind,
    patterns::streaming::{ReconnectConfig, SseClient},
    policy::{RetryBudgets, RetryConfig},
    testing::{ScriptedSse, SseAnswer},
    time::SharedClock,
    wire::sse::SseLimits,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Memory, client, quick};

#[tokio::test]
async fn a_server_that_never_has_anything_is_left_alone() {
    let server = ScriptedSse::start().await.unwrap();
    for answer in
        [SseAnswer::stream(), SseAnswer::stream().breaks(), SseAnswer::status(500), SseAnswer::stream().comment("x")]
    {
        let before = server.requests().len();
        server.always(answer);
        let mut events = client(&server).open().unwrap();
        let error = events.next().await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Remote), "{error:?}");
        assert_eq!((error.attempts(), server.requests().len() - before), (4, 4));
        assert!(events.next().await.is_none());
    }
}

#[tokio::test]
async fn an_id_that_comes_again_and_again_is_no_progress() {
    let server = ScriptedSse::start().await.unwrap();
    server.always(SseAnswer::stream().item("7", "again"));
    let mut events = client(&server).open().unwrap();
    let mut came = 0;
    let error = loop {
        match events.next().await.unwrap() {
            Ok(_) => came += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((came, error.attempts(), server.requests().len()), (5, 4, 5));
}

#[tokio::test]
async fn nobody_there_is_tried_as_often_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for client in [SseClient::get(&url), SseClient::post(&url, HeaderValue::from_static("text/plain"), "x")] {
        let error = client.unwrap().reconnect(quick()).open().unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Connect, 4),
            "nothing was sent, so a POST is tried again"
        );
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_refused_long_before_a_gibibyte() {
    let server = ScriptedSse::start().await.unwrap();
    for (prefix, said) in
        [("data: ", "a line of more than the 1048576 bytes"), (":", "a line"), ("", "a line"), ("id:", "a line")]
    {
        server.answer(SseAnswer::stream().bytes(prefix).floods(vec![b'x'; 64 << 10]));
        let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
        assert!(error.kind() == ErrorKind::Rejected && error.to_string().contains(said), "{error:?}");
        server.until_open(0).await;
    }
    server.answer(SseAnswer::stream().floods(format!("data: {}\n", "x".repeat(1000))));
    let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("an event of more than the 1048576 bytes"), "{error:?}");
    server.answer(SseAnswer::stream().data(&"x".repeat(100)));
    let limits = SseLimits::default().with_max_line_bytes(10);
    let error = client(&server).limits(limits).open().unwrap().next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("10 bytes"), "{error:?}");
    assert_eq!(server.requests().len(), 6, "what cannot be read is not asked for again");
}

#[tokio::test]
async fn a_flood_of_comments_lets_others_work_and_can_be_dropped() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(SseAnswer::stream().floods(":\n".repeat(100)));
    let mut events = client(&server).open().unwrap();
    let worked = AtomicUsize::new(0);
    let works = async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
            worked.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        event = events.next() => panic!("a comment is no event: {event:?}"),
        () = works => {}
    }
    assert_eq!(worked.load(Ordering::Relaxed), 200);
    drop(events);
    server.until_open(0).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced_and_what_comes_after_is_read() {
    let server = ScriptedSse::start().await.unwrap();
    let wrong: &[u8] = b"event: \xff\ndata: a\xc3\x28b\xf0\x9f\nid: \xe2\x82\n\n\xff\xfe\xfd: x\n\n";
    for every in [1, 2, 3, 1000] {
        server.answer(SseAnswer::stream().bytes(wrong).garbage().data("fine").split_every(every).stalls());
        let mut events = client(&server).open().unwrap();
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((&*event.kind, &*event.data, &*event.id), ("\u{fffd}", "a\u{fffd}(b\u{fffd}", "\u{fffd}"));
        let mut last = event;
        while last.data != "fine" {
            last = events.next().await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_huge_id_is_read_and_not_sent_back() {
    let server = ScriptedSse::start().await.unwrap();
    server.answer(SseAnswer::stream().item(&"i".repeat(1_000_000), "a").breaks());
    let mut events = client(&server).open().unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().id.len(), 1_000_000);
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the last event id has 1000000 bytes; no more than 8192 are sent back");
    server.answer(SseAnswer::stream().item(&"i".repeat(8192), "a").breaks()).answer(SseAnswer::status(204));
    let mut events = client(&server).open().unwrap();
    events.next().await.unwrap().unwrap();
    assert!(events.next().await.is_none());
    assert_eq!(server.requests()[2].headers["last-event-id"].len(), 8192);
    server.answer(SseAnswer::stream().item("\u{1}", "a").breaks());
    let mut events = client(&server).open().unwrap();
    events.next().await.unwrap().unwrap();
    assert_eq!(events.next().await.unwrap().unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_says_nothing_ends_it_after_its_attempts() {
    let memory = Memory::new();
    memory.script.always(SseAnswer::stream().stalls());
    let clock = SharedClock::default();
    let began = clock.now();
    let reconnect = ReconnectConfig::default().with_max_attempts(3).with_jitter(0.0);
    let error = memory.client().reconnect(reconnect).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.attempts(), memory.script.requests().len()), (ErrorKind::Timeout, 3, 3));
    assert_eq!((clock.now() - began).as_secs(), 3 * 45 + 1 + 2);
    memory.script.always(SseAnswer::status(500).stalls());
    let error = memory.client().reconnect(reconnect).open().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!((error.remote().unwrap().status(), error.attempts()), (500, 3), "its failure never ends either");
}

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let server = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            kept.push(stream);
        }
    });
    let idle = Duration::from_millis(20);
    let mut events = SseClient::get(&url).unwrap().reconnect(quick()).idle_timeout(idle).open().unwrap();
    for number in 1..=3 {
        assert_eq!(events.next().await.unwrap().unwrap().data, "a");
        assert_eq!(accepted.load(Ordering::Relaxed), number);
    }
    server.abort();
}

#[tokio::test]
async fn clients_that_share_a_budget_do_not_storm_a_server_that_fell() {
    let memory = Memory::new();
    memory.script.always(SseAnswer::status(503));
    let config = RetryConfig::default().with_budget_percent(0).with_budget_reserve(3);
    let budget = RetryBudgets::new(&config, SharedClock::default()).of("server");
    for _ in 0..20 {
        let client = memory.client().reconnect(quick()).budget(budget.clone());
        let error = client.open().unwrap().next().await.unwrap().unwrap_err();
        assert_eq!((error.remote().unwrap().status(), error.attempts()), (503, 4));
    }
    assert_eq!(memory.script.requests().len(), 20 + 3);
}

#[tokio::test]
async fn a_producer_faster_than_its_reader_loses_nothing_and_waits() {
    let server = ScriptedSse::start().await.unwrap();
    let many: String = (0..200_000).map(|n| format!("data: {n}\n\n")).collect();
    server.answer(SseAnswer::stream().bytes(many).split_every(100_000)).answer(SseAnswer::status(204));
    let mut events = client(&server).open().unwrap();
    for n in 0..200_000 {
        assert_eq!(events.next().await.unwrap().unwrap().data, n.to_string());
        if n % 10_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn compression_that_nobody_understands_ends_it() {
    let server = ScriptedSse::start().await.unwrap();
    for encoding in ["zstd", "gzip, br", "x", ""] {
        let answer = SseAnswer::stream().header(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        server.answer(answer.bytes(Bytes::from_static(b"data: a\n\n")));
        let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
        assert!(error.kind() == ErrorKind::Codec && error.to_string().contains("compressed"), "{encoding}: {error:?}");
    }
    let plain = SseAnswer::stream().header(header::CONTENT_ENCODING, HeaderValue::from_static("Identity"));
    server.answer(plain.data("a"));
    assert_eq!(client(&server).open().unwrap().next().await.unwrap().unwrap().data, "a");
}
