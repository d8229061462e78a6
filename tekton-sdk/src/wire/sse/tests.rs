//! The decoder against a plain reading of the standard, however the stream is cut, and the encoder against the decoder.

use std::{borrow::Cow, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};

type Owned = (String, String, String);

/// What came out of a stream, and how it stands after it.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    events: Vec<Owned>,
    comments: Vec<String>,
    waits: Vec<Duration>,
    id: String,
    error: Option<String>,
}

fn decode<'a>(limits: SseLimits, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut decoder, mut outcome) = (Decoder::new(limits), Outcome::default());
    let most = limits.max_line_bytes + 4 * limits.max_event_bytes + 50;
    for mut chunk in chunks {
        loop {
            match decoder.next_frame(&mut chunk) {
                Ok(None) => break,
                Ok(Some(Frame::Event(event))) => {
                    outcome.events.push((event.kind.into(), event.data.into(), event.id.into()));
                }
                Ok(Some(Frame::Comment(text))) => outcome.comments.push(text.into()),
                Ok(Some(Frame::Retry(wait))) => outcome.waits.push(wait),
                Err(error) => {
                    outcome.error = Some(error.to_string());
                    break;
                }
            }
        }
        assert!(chunk.is_empty(), "a chunk is used up");
        assert!(decoder.buffered_bytes() <= most, "{} of {most} bytes", decoder.buffered_bytes());
    }
    assert_eq!(decoder.retry(), outcome.waits.last().copied());
    decoder.last_event_id().clone_into(&mut outcome.id);
    outcome
}

/// Events alone, which take a shorter way, and the error if one ended them.
fn events_within<'a>(limits: SseLimits, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<String>) {
    let (mut decoder, mut events) = (Decoder::new(limits), Vec::new());
    for mut chunk in chunks {
        loop {
            match decoder.next_event(&mut chunk) {
                Ok(None) => break,
                Ok(Some(event)) => events.push((event.kind.to_owned(), event.data.into_owned(), event.id.to_owned())),
                Err(error) => return (events, Some(error.to_string())),
            }
        }
        assert!(chunk.is_empty(), "a chunk is used up");
    }
    (events, None)
}

fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    events_within(SseLimits::default(), chunks).0
}

/// The standard word for word (§9.2.6), over a whole stream in memory.
fn reference(stream: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream));
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<_> = text.split('\n').collect();
    lines.pop();
    let (mut data, mut kind, mut id, mut outcome) = (String::new(), String::new(), String::new(), Outcome::default());
    for line in lines {
        if line.is_empty() {
            outcome.id.clone_from(&id);
            if !data.is_empty() {
                data.pop();
                let kind = if kind.is_empty() { "message".to_owned() } else { kind.clone() };
                outcome.events.push((kind, data.clone(), id.clone()));
            }
            data.clear();
            kind.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => outcome.comments.push(value.into()),
            "data" => data = data + value + "\n",
            "event" => kind = value.into(),
            "id" if !value.contains('\0') => id = value.into(),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                outcome.waits.push(Duration::from_millis(value.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    outcome
}

/// Cuts a stream at these places, taken modulo what is left.
fn cut<'a>(mut stream: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for place in places {
        let (chunk, rest) = stream.split_at(place % (stream.len() + 1));
        chunks.push(chunk);
        stream = rest;
    }
    chunks.push(stream);
    chunks
}

/// What has a meaning in a stream, or nearly.
#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"data", b"data:", b"data: ", b"event:", b"event: ", b"id", b"id: ", b"retry:", b"retry: ", b":", b": ", b"\n",
    b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"a", b"7", b"42", b" ", b"\0", b"\xef\xbb\xbf", b"\xef", b"\xbb",
    b"\xe2\x82", b"\xe2\x82\xac", b"\xff", b"\xf4\x90", "ü😀".as_bytes(),
];

/// Whole lines and blocks, as most streams have them.
#[rustfmt::skip]
const LINES: &[&[u8]] = &[
    b"data: x\n\n", b"data:yz\n\n", b"data:\n\n", b"data: \xff\n\n", b"data: x\n", b"data: y\r\n", b"\n", b"id: 7\n", b"id\n",
    b"event: k\n", b": c\n", b"retry: 9\n", b"datum: x\n\n", b"\xef\xbb\xbfdata: b\n\n", b"data: x\r\r",
];

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..60);
    let lines = prop::collection::vec(prop::sample::select(LINES), 0..12);
    prop_oneof![words, lines].prop_map(|parts| parts.concat())
}

#[test]
fn data_that_lies_within_one_chunk_is_lent_from_there() {
    let chunk = b"data: first\n\nevent: kind\r\nid: 7\r\ndata:second\r\n\r\n: c\ndata\n\n".as_slice();
    let (mut decoder, mut rest, mut seen) = (Decoder::new(SseLimits::default()), chunk, Vec::new());
    while let Some(event) = decoder.next_event(&mut rest).unwrap() {
        let Cow::Borrowed(data) = event.data else { panic!("{event:?} was copied") };
        assert!(chunk.as_ptr_range().contains(&data.as_ptr()), "{event:?} was copied");
        seen.push((event.kind.to_owned(), data.to_owned(), event.id.to_owned()));
    }
    let wanted = [("message", "first", ""), ("kind", "second", "7"), ("message", "", "7")];
    assert_eq!(seen, wanted.map(|(kind, data, id)| (kind.to_owned(), data.to_owned(), id.to_owned())));
}

#[test]
fn a_byte_order_mark_is_taken_away_at_the_very_beginning_only() {
    for before in ["", "\n", "\r", "\r\n", "x\n", "\u{feff}", "\u{feff}\n"] {
        let stream = format!("{before}\u{feff}data: x\n\ndata: y\n\n");
        for size in 1..=stream.len() {
            let read = if before.is_empty() { 2 } else { 1 };
            assert_eq!(events(stream.as_bytes().chunks(size)).len(), read, "{before:?} by {size}");
        }
    }
}

#[test]
fn an_event_comes_as_soon_as_its_blank_line_has_begun() {
    for stream in ["data: x\n\n", "data: x\r\r", "data: x\n\r", "data: x\r\n\r"] {
        for size in 1..=stream.len() {
            assert_eq!(events(stream.as_bytes().chunks(size)).len(), 1, "{stream:?} by {size}");
        }
    }
}

#[test]
fn the_caps_are_exact_in_any_chunks_and_named() {
    let limits = SseLimits::default().with_max_line_bytes(20).with_max_event_bytes(30);
    let twenty = "x".repeat(20);
    let fits = |stream: String| (stream, None);
    let line = |stream: String| (stream, Some("a line of more than the 20 bytes"));
    let event = |stream: String| (stream, Some("an event of more than the 30 bytes"));
    for (stream, said) in [
        fits(format!("\u{feff}data: {twenty}\n\n")),
        fits(format!("{twenty}\n: {twenty}\nevent: {twenty}\n\nid: {twenty}\n\n")),
        fits(format!("data: {twenty}\ndata: xxxxxxxxx\n\n")),
        fits(format!("data: {twenty}\nevent: xxxxx\nid: xxxxx\n\n")),
        fits(format!("id: {twenty}\nid: x\ndata: {twenty}\n\n")),
        line(format!("data: {twenty}x\n\n")),
        line(format!("data:  {twenty}\n\n")),
        line(format!("data:{twenty}x\r")),
        line(format!("datum: {}\n", "x".repeat(14))),
        line(format!(":{twenty}x\n")),
        line(format!("retry: 0{}1\n", "0".repeat(19))),
        line(format!("{twenty}{twenty}")),
        event(format!("data: {twenty}\ndata: xxxxxxxxxx\n\n")),
        event(format!("data: {twenty}\nevent: xxxxxx\nid: xxxxx\n\n")),
        event(format!("event: {twenty}\ndata: {twenty}\n\n")),
        event(format!("event: {twenty}\ndata: xxxxxxxxxxx\n\n")),
        event(format!("id: {twenty}\n\ndata: {twenty}\n\n")),
    ] {
        for size in 1..=stream.len() {
            let error = decode(limits, stream.as_bytes().chunks(size)).error;
            assert_eq!(events_within(limits, stream.as_bytes().chunks(size)).1, error, "{stream:?} by {size}");
            let right = match (&error, said) {
                (Some(error), Some(said)) => error.contains(said),
                (error, said) => error.is_none() && said.is_none(),
            };
            assert!(right, "{stream:?} by {size}: {error:?}");
        }
    }
}

#[test]
fn a_broken_sequence_counts_as_what_it_is_read_as_in_a_type_and_as_it_came_in_data() {
    let limits = SseLimits::default().with_max_event_bytes(6);
    assert_eq!(decode(limits, [b"event: \xff\xff\ndata\n\n".as_slice()]).error, None);
    assert!(decode(limits, [b"event: \xff\xff\xff\ndata\n\n".as_slice()]).error.is_some());
    let outcome = decode(limits, [b"data: \xff\xff\xff\xff\xff\xff\n\n".as_slice()]);
    assert_eq!(outcome.events, [("message".into(), "\u{fffd}".repeat(6), String::new())]);
}

#[test]
fn a_mebibyte_of_data_passes_and_a_byte_more_does_not() {
    let mebibyte = "x".repeat(1 << 20);
    for (data, passes) in [(mebibyte.clone(), true), (mebibyte + "x", false)] {
        let stream = format!("data: {data}\n\n");
        for size in [stream.len(), 64 * 1024, 1000] {
            let outcome = decode(SseLimits::default(), stream.as_bytes().chunks(size));
            assert_eq!((outcome.events.len() == 1, outcome.error.is_none()), (passes, passes), "by {size}");
        }
    }
}

/// Feeds a GiB and says after how many chunks the error came.
fn flood(limits: SseLimits, begin: &[u8], chunk: &[u8]) -> (usize, Error) {
    let mut decoder = Decoder::new(limits);
    assert_eq!(decoder.next_event(&mut &*begin).unwrap(), None);
    let mut first = None;
    for n in 0..(1 << 30) / chunk.len() {
        match decoder.next_event(&mut &*chunk) {
            Ok(event) => assert_eq!((event, &first), (None, &None)),
            Err(error) => first = first.or(Some((n, error.to_string()))),
        }
        let most = limits.max_line_bytes.max(limits.max_event_bytes) + 16;
        assert!(decoder.buffered_bytes() <= most, "{} of {most} bytes", decoder.buffered_bytes());
    }
    let (n, said) = first.expect("a GiB is over every cap");
    let error = decoder.next_event(&mut b"data: x\n\n".as_slice()).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Rejected, said));
    assert_eq!(decoder.buffered_bytes(), 0, "the buffers are given back");
    (n, error)
}

#[test]
fn a_gibibyte_without_a_line_end_is_refused_in_bounded_memory() {
    let chunk = vec![b'x'; 64 * 1024];
    let (chunks, error) = flood(SseLimits::default(), b"data: ", &chunk);
    assert_eq!(
        (chunks, error.to_string()),
        (16, "the event stream has a line of more than the 1048576 bytes allowed".into())
    );
    let wide = SseLimits::default().with_max_event_bytes(0);
    assert_eq!(flood(wide, b":", &chunk).0, 16);
}

#[test]
fn a_gibibyte_without_a_blank_line_is_refused_in_bounded_memory() {
    let line = [b"data:".as_slice(), &vec![b'x'; 64 * 1024 - 6], b"\n"].concat();
    let narrow = SseLimits::default().with_max_line_bytes(64 * 1024);
    let (chunks, error) = flood(narrow, b"id: 1\n", &line);
    assert_eq!(
        (chunks, error.to_string()),
        (16, "the event stream has an event of more than the 1048576 bytes allowed".into())
    );
}

#[test]
fn a_connection_that_resumes_keeps_the_id_and_the_waiting_time_and_drops_the_rest() {
    let mut decoder = Decoder::new(SseLimits::default()).with_last_event_id("0");
    assert_eq!(decoder.last_event_id(), "0");
    for stream in ["data: x", "\r\n", "\u{feff}", "event: e\nid: 9\ndata: y\r", "retry: 5\nid: 9\ndata: y\n"] {
        assert_eq!(decoder.next_event(&mut stream.as_bytes()).unwrap(), None);
        decoder.restart();
        let mut chunk = "\u{feff}data: z\n\n".as_bytes();
        let event = decoder.next_event(&mut chunk).unwrap().unwrap();
        assert_eq!((event.kind, &*event.data, event.id), ("message", "z", "0"), "after {stream:?}");
        decoder.restart();
    }
    assert_eq!(decoder.retry(), Some(Duration::from_millis(5)));
}

#[test]
fn data_is_read_as_json_or_the_error_says_what_came() {
    let read = |data: &str| {
        let stream = format!("data: {data}\n\n");
        let (mut decoder, mut chunk) = (Decoder::new(SseLimits::default()), stream.as_bytes());
        let event = decoder.next_event(&mut chunk).unwrap().unwrap();
        event.json::<Vec<&str>>().map(|list| list.concat())
    };
    assert_eq!(read(r#"["a","b"]"#).unwrap(), "ab");
    for (data, said) in [
        ("[\"s3cret", "got truncated JSON"),
        ("[s3cret]", "got malformed JSON"),
        ("", "got an empty body"),
        (r#"{"s3cret":1}"#, "another shape"),
        (&"[".repeat(100_000), "JSON"),
    ] {
        let error = read(data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.to_string().contains(said) && !error.report().contains("s3cret"), "{}", error.report());
    }
}

#[test]
fn what_a_stream_cannot_carry_is_refused_before_anything_is_written() {
    for bad in ["a\nb", "a\rb", "a\0b"] {
        for (block, name) in [(Block::data("x").with_id(bad), "id"), (Block::data("x").with_kind(bad), "type")] {
            let mut out = Vec::new();
            let error = block.encode(&mut out).unwrap_err();
            assert_eq!((error.kind(), out.is_empty()), (ErrorKind::Invalid, true));
            assert!(error.to_string().contains(&format!("the {name} of an event must be one line")), "{error}");
        }
    }
}

#[test]
fn a_block_is_written_in_one_way() {
    let mut out = bytes::BytesMut::new();
    let wait = Duration::from_micros(1_500_900);
    Block::data("").with_retry(wait).with_id("").with_kind("").encode(&mut out).unwrap();
    Block::retry(Duration::MAX).encode(&mut out).unwrap();
    encode_comment("a\r\nb", &mut out);
    assert_eq!(out, "id: \nretry: 1500\ndata: \n\nretry: 18446744073709551615\n\n: a\n: b\n");
}

proptest! {
    #[test]
    fn any_chunks_give_what_the_standard_says(stream in stream(), places in prop::collection::vec(any::<usize>(), 0..12)) {
        let wanted = reference(&stream);
        prop_assert_eq!(&decode(SseLimits::default(), [&*stream]), &wanted);
        prop_assert_eq!(&decode(SseLimits::default(), stream.chunks(1)), &wanted);
        prop_assert_eq!(&decode(SseLimits::default(), cut(&stream, &places)), &wanted);
        prop_assert_eq!(&events(cut(&stream, &places)), &wanted.events);
        for size in 1..12 {
            prop_assert_eq!(&events(stream.chunks(size)), &wanted.events);
        }
    }

    #[test]
    fn any_chunks_meet_the_caps_alike(
        stream in stream(),
        places in prop::collection::vec(any::<usize>(), 0..12),
        line in 0_usize..20,
        event in 0_usize..20,
    ) {
        let limits = SseLimits::default().with_max_line_bytes(line).with_max_event_bytes(event);
        // What follows makes sure that a line that is too long ends or goes on, and is noticed either way.
        let stream = [&*stream, b"\n\n", &[b'x'; 40], b"\n"].concat();
        let whole = decode(limits, [&*stream]);
        prop_assert!(whole.error.is_some());
        prop_assert_eq!(&decode(limits, stream.chunks(1)), &whole);
        prop_assert_eq!(&decode(limits, cut(&stream, &places)), &whole);
        for size in 1..12 {
            let (events, error) = events_within(limits, stream.chunks(size));
            prop_assert_eq!((&events, &error), (&whole.events, &whole.error));
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        blocks in prop::collection::vec(("\\PC{0,9}", "\\PC{0,5}|message", prop::option::of("\\PC{0,5}"), "[a \r\n\u{feff}ü:]{0,12}"), 0..6),
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let (mut body, mut wanted, mut id) = (Vec::new(), Vec::new(), String::new());
        for (comment, kind, own, data) in &blocks {
            encode_comment(comment, &mut body);
            let block = Block::data(data).with_kind(kind);
            own.as_deref().map_or(block, |own| block.with_id(own)).encode(&mut body).unwrap();
            id = own.clone().unwrap_or(id);
            let kind = if kind.is_empty() { MESSAGE } else { kind };
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            wanted.push((kind.to_owned(), data, id.clone()));
        }
        prop_assert_eq!(events(cut(&body, &places)), wanted);
    }
}
