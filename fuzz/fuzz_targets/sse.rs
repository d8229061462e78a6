//! Event streams of anybody: cut anywhere, the same comes out, and an event that came out can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::sse::{Block, Decoder, Event, Frame, SseLimits};

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (cap, cuts, stream) = input;
    let cap = usize::from(cap) * 4;
    let limits = SseLimits::default().with_max_line_bytes(cap).with_max_event_bytes(cap);
    let whole = decode(limits, &mut std::iter::once(stream));
    assert_eq!(decode(limits, &mut stream.chunks(1)), whole);
    let (mut chunks, mut rest) = (Vec::new(), stream);
    for cut in cuts {
        let (chunk, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    assert_eq!(decode(limits, &mut chunks.iter().copied()), whole);
    assert_eq!(events(limits, &mut chunks.into_iter()), events(limits, &mut std::iter::once(stream)));
});

/// All that came out, as text, and whether a cap ended it.
fn decode<'a>(limits: SseLimits, chunks: &mut dyn Iterator<Item = &'a [u8]>) -> (String, bool) {
    let (mut decoder, mut seen) = (Decoder::new(limits), String::new());
    for mut chunk in chunks {
        loop {
            match decoder.next_frame(&mut chunk) {
                Ok(Some(frame)) => {
                    if let Frame::Event(event) = &frame {
                        goes_round(event);
                    }
                    seen += &format!("{frame:?}");
                }
                Ok(None) => break,
                Err(error) => return (seen + &error.to_string(), true),
            }
        }
        assert!(chunk.is_empty());
        assert!(decoder.buffered_bytes() <= limits.max_line_bytes + 4 * limits.max_event_bytes + 64);
    }
    (format!("{seen} {:?} {:?}", decoder.last_event_id(), decoder.retry()), false)
}

/// The events alone, which take a shorter way, and whether a cap ended them.
fn events<'a>(limits: SseLimits, chunks: &mut dyn Iterator<Item = &'a [u8]>) -> (String, bool) {
    let (mut decoder, mut seen) = (Decoder::new(limits), String::new());
    for mut chunk in chunks {
        loop {
            match decoder.next_event(&mut chunk) {
                Ok(Some(event)) => seen += &format!("{event:?}"),
                Ok(None) => break,
                Err(error) => return (seen + &error.to_string(), true),
            }
        }
        assert!(chunk.is_empty());
    }
    (format!("{seen} {:?} {:?}", decoder.last_event_id(), decoder.retry()), false)
}

fn goes_round(event: &Event<'_>) {
    let mut body = Vec::new();
    let block = Block::data(&event.data).with_kind(event.kind).with_id(event.id);
    if block.encode(&mut body).is_err() {
        assert!(event.kind.contains('\0'), "only a NUL in the type can be read and not written");
        return;
    }
    let (mut decoder, mut chunk) = (Decoder::new(SseLimits::default()), &*body);
    let again = decoder.next_event(&mut chunk).expect("it was within the caps").expect("a block with data is an event");
    assert_eq!((again.kind, &again.data, again.id), (event.kind, &event.data, event.id));
    let _ = again.json::<serde_json::Value>();
}
