//! A callee that streams lines of JSON.

use std::time::Duration;

use http::{HeaderValue, header};
use tekton_sdk::{
    ErrorKind, Result, Tekton,
    contract::Entry,
    directory::MemoryDirectory,
    error::Gap,
    patterns::streaming::Chunks,
    testing::{ScriptedSse, SseAnswer},
};

use super::Memory;

fn lines(text: impl Into<bytes::Bytes>) -> SseAnswer {
    SseAnswer::stream().header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")).bytes(text)
}

async fn open(answer: SseAnswer) -> Result<(ScriptedSse, Chunks<u64>)> {
    let server = ScriptedSse::start().await?;
    server.answer(answer);
    let peer = Tekton::builder().build()?.peer_at(&server.origin())?;
    let chunks = peer.stream("count").max_event_bytes(64 << 10).await?;
    assert!(server.requests()[0].headers[header::ACCEPT].to_str().unwrap().contains("application/x-ndjson"));
    Ok((server, chunks))
}

#[tokio::test]
async fn lines_are_items_holes_and_errors_however_they_are_cut() {
    let text = "{\"item\":1}\n\n{\"gap\":{\"from\":2,\"to\":3}}\r\n\
                {\"item_error\":{\"title\":\"t\",\"status\":422,\"detail\":\"page 4 is torn\"}}\n\
                {\"item\":\"five\"}\n{\"later\":null}\nnonsense\n{\"item\":7}\n{\"end\":{\"items\":4}}\n{\"item\":8}\n";
    for every in [1, 7, 4096] {
        let (_server, mut chunks) = open(lines(text).split_every(every)).await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
        let lost = chunks.next().await.unwrap().unwrap_err();
        assert_eq!((lost.gap(), lost.is_recoverable()), (Some(Gap::new(2, 3)), true));
        let torn = chunks.next().await.unwrap().unwrap_err();
        assert!(torn.is_recoverable() && torn.report().contains("page 4 is torn"), "{}", torn.report());
        for _ in 0..2 {
            let unreadable = chunks.next().await.unwrap().unwrap_err();
            assert_eq!((unreadable.kind(), unreadable.is_recoverable()), (ErrorKind::Codec, true));
        }
        assert_eq!(chunks.next().await.unwrap().unwrap(), 7);
        assert!(chunks.next().await.is_none() && chunks.next().await.is_none());
    }
}

#[tokio::test]
async fn lines_that_stop_without_an_end_are_no_whole() {
    for answer in [lines("{\"item\":1}\n{\"item\":"), lines("{\"item\":1}\n").breaks()] {
        let (server, mut chunks) = open(answer).await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
        let error = chunks.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_recoverable()), (ErrorKind::Interrupted, false));
        assert!(error.target().is_some() && chunks.next().await.is_none());
        assert_eq!(server.requests().len(), 1, "lines cannot be resumed");
    }
}

#[tokio::test]
async fn an_error_line_ends_it() {
    let problem = "{\"error\":{\"title\":\"t\",\"status\":503,\"detail\":\"it is down\"}}\n{\"item\":1}\n";
    let (_server, mut chunks) = open(lines(problem)).await.unwrap();
    let error = chunks.next().await.unwrap().unwrap_err();
    assert_eq!(error.remote().unwrap().status(), 503);
    assert!(!error.is_recoverable() && chunks.next().await.is_none());
}

#[tokio::test]
async fn a_line_without_an_end_is_refused_at_its_cap() {
    let (_server, mut chunks) = open(lines("{\"item\":\"").floods(vec![b'x'; 64 << 10])).await.unwrap();
    let error = chunks.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.report().contains("65536 bytes"), "{}", error.report());
    assert!(chunks.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_it_and_blank_lines_are_life() {
    let memory = Memory::new();
    let minute = Duration::from_secs(60);
    let wait = minute * 2 / 3;
    memory.script.answer(lines("\n").wait(wait).bytes("\n").wait(wait).bytes("{\"item\":1}\n").stalls());
    let directory = MemoryDirectory::fixed([Entry::new("counter-1", "counter", "memory://server")]);
    let tekton = Tekton::builder().transport(memory.transport.clone()).directory(directory).build().unwrap();
    let mut chunks = tekton.peer("counter").stream::<u64>("count").idle_timeout(minute).await.unwrap();
    let began = tekton.clock().now();
    assert_eq!(chunks.next().await.unwrap().unwrap(), 1);
    assert_eq!(tekton.clock().now() - began, wait * 2);
    assert_eq!(chunks.next().await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(tekton.clock().now() - began, wait * 2 + minute);
}
