//! Lines of anybody: cut anywhere, the same come out, and no more is kept than the cap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::ndjson::Decoder;

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (cap, cuts, stream) = input;
    let cap = usize::from(cap);
    let whole = lines(cap, &mut std::iter::once(stream));
    assert_eq!(lines(cap, &mut stream.chunks(1)), whole);
    let (mut chunks, mut rest) = (Vec::new(), stream);
    for cut in cuts {
        let (chunk, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    assert_eq!(lines(cap, &mut chunks.into_iter()), whole);
});

/// The lines, and whether the cap ended it.
fn lines<'a>(cap: usize, chunks: &mut dyn Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let (mut decoder, mut lines) = (Decoder::new(cap), Vec::new());
    for mut chunk in chunks {
        loop {
            match decoder.next_line(&mut chunk) {
                Ok(Some(line)) => {
                    assert!(!line.contains(&b'\n') && line.len() <= cap + 1);
                    lines.push(line.to_vec());
                }
                Ok(None) => break,
                Err(_) => return (lines, true),
            }
        }
        assert!(decoder.buffered_bytes() <= cap + 1);
    }
    (lines, false)
}
