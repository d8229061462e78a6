//! Streams that are compressed on the way.

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder},
};
use http::{HeaderValue, header};
use tekton_sdk::{
    ErrorKind,
    testing::{ScriptedSse, SseAnswer},
};
use tokio::io::AsyncWriteExt;

use super::{client, read};

/// Each text compressed and flushed, and the end of the whole.
async fn packed(encoding: &str, texts: &[&[u8]]) -> Vec<Vec<u8>> {
    macro_rules! pack {
        ($encoder:ident, $level:ident) => {{
            let mut encoder = $encoder::with_quality(Vec::new(), Level::$level);
            let mut parts = Vec::new();
            for text in texts {
                encoder.write_all(text).await.unwrap();
                encoder.flush().await.unwrap();
                parts.push(std::mem::take(encoder.get_mut()));
            }
            encoder.shutdown().await.unwrap();
            parts.push(encoder.into_inner());
            parts
        }};
    }
    if encoding == "br" { pack!(BrotliEncoder, Fastest) } else { pack!(GzipEncoder, Default) }
}

fn answer(encoding: &'static str, parts: &[Vec<u8>]) -> SseAnswer {
    let answer = SseAnswer::stream().header(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    parts.iter().fold(answer, |answer, part| answer.bytes(part.clone()))
}

#[tokio::test]
async fn each_event_comes_as_soon_as_it_was_flushed() {
    let server = ScriptedSse::start().await.unwrap();
    for encoding in ["gzip", "x-gzip", "br"] {
        let parts = packed(encoding, &[b"data: a\n\n", b"data: b\n\n"]).await;
        server.answer(answer(encoding, &parts[..1]).stalls());
        let mut events = client(&server).open().unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().data, "a");
        for every in [1, 7, 1000] {
            server.answer(answer(encoding, &parts).split_every(every)).answer(SseAnswer::status(204));
            assert_eq!(read(&mut client(&server).open().unwrap()).await, ["a", "b"]);
        }
    }
    assert!(server.requests().iter().all(|request| request.headers["accept-encoding"] == "gzip, br"));
}

#[tokio::test]
async fn one_member_after_another_is_one_body() {
    let server = ScriptedSse::start().await.unwrap();
    let parts = [packed("gzip", &[b"data: a\n\n"]).await, packed("gzip", &[b"data: b\n\n"]).await].concat();
    server.answer(answer("gzip", &parts)).answer(SseAnswer::status(204));
    assert_eq!(read(&mut client(&server).open().unwrap()).await, ["a", "b"]);
}

#[tokio::test]
async fn what_unpacks_to_far_more_than_it_is_is_refused() {
    let server = ScriptedSse::start().await.unwrap();
    let bomb = ":\n".repeat(2 << 20);
    for encoding in ["gzip", "br"] {
        let parts = packed(encoding, &[bomb.as_bytes()]).await;
        let before = server.requests().len();
        server.answer(answer(encoding, &parts));
        let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the answer unpacks to more than 200 times its size");
        assert_eq!((error.kind(), server.requests().len() - before), (ErrorKind::Rejected, 1));
        let mild: String = (0..20_000).map(|n| format!(": {n} {n}\n")).collect();
        server.answer(answer(encoding, &packed(encoding, &[mild.as_bytes(), b"data: a\n\n"]).await));
        assert_eq!(client(&server).open().unwrap().next().await.unwrap().unwrap().data, "a");
    }
}

#[tokio::test]
async fn one_that_breaks_off_is_taken_up_again_and_one_that_is_damaged_is_not() {
    let server = ScriptedSse::start().await.unwrap();
    for encoding in ["gzip", "br"] {
        let parts = packed(encoding, &[b"id: 1\ndata: a\n\n", b"data: b\n\n"]).await;
        for end in [SseAnswer::breaks, |answer| answer] {
            server.answer(end(answer(encoding, &parts[..1]))).answer(SseAnswer::status(204));
            assert_eq!(read(&mut client(&server).open().unwrap()).await, ["a"]);
            assert_eq!(server.requests().last().unwrap().headers["last-event-id"], "1");
        }
        server.answer(answer(encoding, &[vec![0xff; 100]]));
        let error = client(&server).open().unwrap().next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Codec, "the answer cannot be unpacked".to_owned()));
    }
}
