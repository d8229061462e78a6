//! What it costs to read an event stream, beside the others and the limits. An operation is one event.
//!
//! Budgets: 3 times sse-stream for events of 100 bytes, 1.3 times for 16 KiB, and 0.85 of serde_json alone into a struct.

use bytes::Bytes;
use memchr::memchr;
use serde::Deserialize;
use tekton_sdk::wire::sse::{Block, Decoder, SseLimits};
use tekton_sdk_benches::{Selection, Table, keep};

#[derive(Debug, Deserialize)]
struct Token<'a> {
    id: u64,
    model: &'a str,
    text: &'a str,
    done: bool,
}

/// A stream of equal events, in chunks.
struct Stream {
    data: Vec<Vec<u8>>,
    chunks: Vec<Bytes>,
}

impl Stream {
    /// `events` must be a power of two, as the operations of a turn are: then every turn is made of whole streams.
    fn new(events: usize, data_bytes: usize, chunk_bytes: usize) -> Self {
        let mut body = Vec::new();
        let data = (0..events).map(|n| document(n, data_bytes)).collect::<Vec<_>>();
        for data in &data {
            Block::data(data).encode(&mut body).expect("it has neither type nor id");
        }
        let chunks = body.chunks(chunk_bytes).map(Bytes::copy_from_slice).collect();
        Self { data: data.into_iter().map(String::into_bytes).collect(), chunks }
    }

    fn passes(&self, operations: u64) -> u64 {
        operations.div_ceil(self.data.len() as u64)
    }

    /// Reads the whole stream as often as asked, with one decoder.
    fn decode(&self, operations: u64, mut each: impl FnMut(&tekton_sdk::wire::sse::Event<'_>)) {
        let mut decoder = Decoder::new(SseLimits::default());
        for _ in 0..self.passes(operations) {
            let mut events = 0;
            for chunk in &self.chunks {
                let mut chunk = &chunk[..];
                while let Some(event) = decoder.next_event(&mut chunk).expect("no cap is reached") {
                    each(&event);
                    events += 1;
                }
            }
            assert_eq!(events, self.data.len());
        }
    }

    #[cfg(feature = "peers")]
    fn bytes(&self) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + '_ {
        futures_util::stream::iter(self.chunks.iter().map(|chunk| Ok(chunk.clone())))
    }

    /// Reads the whole stream as often as asked, with the stream that somebody makes of the bytes.
    #[cfg(feature = "peers")]
    fn drain<'a, S: futures_util::Stream>(
        &'a self,
        make: impl Fn(&'a Self) -> S + 'a,
        each: impl Fn(S::Item) + 'a,
    ) -> impl FnMut(u64) + 'a {
        use futures_util::{FutureExt as _, StreamExt as _};
        move |operations| {
            for _ in 0..self.passes(operations) {
                let mut stream = std::pin::pin!(make(self));
                let mut events = 0;
                while let Some(event) = stream.next().now_or_never().expect("all bytes are there") {
                    each(event);
                    events += 1;
                }
                assert_eq!(events, self.data.len());
            }
        }
    }
}

/// A JSON object of exactly so many bytes.
fn document(n: usize, bytes: usize) -> String {
    let document = |text: &str| format!(r#"{{"id":{:06},"model":"claude","text":"{text}","done":false}}"#, 100_000 + n);
    document(&"a".repeat(bytes - document("").len()))
}

pub(crate) fn run(selection: &Selection) {
    for (events, data_bytes) in [(2048, 100), (16, 16 * 1024)] {
        for chunk_bytes in [1024, 64 * 1024] {
            decode(selection, events, data_bytes, chunk_bytes);
        }
    }
    typed(selection);
}

fn decode(selection: &Selection, events: usize, data_bytes: usize, chunk_bytes: usize) {
    let title = format!("sse: events of {data_bytes} bytes in chunks of {chunk_bytes}");
    if !selection.takes(&title) {
        return;
    }
    let stream = &Stream::new(events, data_bytes, chunk_bytes);
    let mut copy = vec![0; chunk_bytes];
    let table = Table::new(title);
    #[cfg(feature = "peers")]
    let table = table
        .case(
            "sse-stream",
            stream.drain(
                |stream| sse_stream::SseByteStream::new(stream.bytes()),
                |event| keep(event.expect("it is valid").data),
            ),
        )
        .case(
            "eventsource-stream",
            stream.drain(
                |stream| eventsource_stream::EventStream::new(stream.bytes()),
                |event| keep(event.expect("it is valid").data),
            ),
        );
    table
        .case("tekton", |operations| stream.decode(operations, |event| keep(&*event.data)))
        .case("limit: memchr for each line end", |operations| {
            for _ in 0..stream.passes(operations) {
                for chunk in &stream.chunks {
                    let mut rest = &chunk[..];
                    while let Some(end) = memchr(b'\n', rest) {
                        keep(end);
                        rest = &rest[end + 1..];
                    }
                }
            }
        })
        .case("limit: memcpy of each chunk", |operations| {
            for _ in 0..stream.passes(operations) {
                for chunk in &stream.chunks {
                    copy[..chunk.len()].copy_from_slice(chunk);
                    keep(&mut copy);
                }
            }
        })
        .run(selection);
}

fn typed(selection: &Selection) {
    let title = "sse: events of 100 bytes in chunks of 65536, into a struct";
    if !selection.takes(title) {
        return;
    }
    let stream = &Stream::new(2048, 100, 64 * 1024);
    let table = Table::new(title).case("limit: serde_json alone on ready slices", |operations| {
        for _ in 0..stream.passes(operations) {
            for data in &stream.data {
                keep(serde_json::from_slice::<Token<'_>>(data).expect("it is a token"));
            }
        }
    });
    #[cfg(feature = "peers")]
    let table = table.case(
        "sse-stream and serde_json",
        stream.drain(
            |stream| sse_stream::SseByteStream::new(stream.bytes()),
            |event| {
                let data = event.expect("it is valid").data.expect("it has data");
                keep(serde_json::from_str::<Token<'_>>(&data).expect("it is a token").id);
            },
        ),
    );
    table
        .case("tekton", |operations| {
            stream.decode(operations, |event| {
                let token: Token<'_> = event.json().expect("it is a token");
                keep((token.id, token.model, token.text, token.done));
            });
        })
        .run(selection);
}
