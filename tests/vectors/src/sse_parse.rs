//! Event streams: which events come out of which bytes, however those are cut.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tekton_sdk::wire::sse::{Decoder, Frame, SseLimits};

use crate::{Case, Miss, Suite};

pub(crate) const SUITE: Suite = Suite { name: "sse-parse", rules: &[], capabilities: &[], check };

/// How many random ways of cutting each stream is read in.
const CUTS: u64 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    chunks: Vec<Vec<Part>>,
    bytes: usize,
    sha256: String,
    expect: Expect,
    #[serde(default)]
    prompt: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    text: Option<String>,
    hex: Option<String>,
    #[serde(default = "once")]
    repeat: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    events: Vec<Event>,
    last_event_id: String,
    retry: Option<Vec<u64>>,
    retry_any_of: Option<Vec<Overlong>>,
    comments: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    r#type: String,
    data: Option<String>,
    data_parts: Option<Vec<Part>>,
    last_event_id: String,
    #[serde(default = "once")]
    repeat: usize,
}

/// What may become of a waiting time beyond 64 bits.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Overlong {
    Ignored,
    Clamped,
}

const fn once() -> usize {
    1
}

impl Part {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let one = match (&self.text, &self.hex) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(digits)) => hex(digits).ok_or_else(|| format!("{digits:?} is no hex"))?,
            _ => return Err("a part has either `text` or `hex`".into()),
        };
        Ok(one.repeat(self.repeat))
    }
}

fn joined(parts: &[Part]) -> Result<Vec<u8>, String> {
    Ok(parts.iter().map(Part::bytes).collect::<Result<Vec<_>, _>>()?.concat())
}

/// The bytes that these digits spell.
pub(crate) fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()).collect()
}

/// An event as it came out: type, data, id.
type Out = (String, String, String);

/// What came out of a stream; of each event also after how many bytes.
#[derive(Debug, Default)]
struct Outcome {
    events: Vec<Out>,
    after: Vec<usize>,
    comments: Vec<String>,
    waits: Vec<u64>,
    id: String,
}

fn decode<'a>(limits: SseLimits, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Outcome, String> {
    let (mut decoder, mut outcome, mut fed) = (Decoder::new(limits), Outcome::default(), 0);
    for mut chunk in chunks {
        fed += chunk.len();
        while let Some(frame) = decoder.next_frame(&mut chunk).map_err(|error| error.report())? {
            match frame {
                Frame::Event(event) => {
                    outcome.events.push((event.kind.into(), event.data.into(), event.id.into()));
                    outcome.after.push(fed);
                }
                Frame::Comment(text) => outcome.comments.push(text.into()),
                Frame::Retry(wait) => outcome.waits.push(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                other => return Err(format!("{other:?} is nothing that the suite knows")),
            }
        }
    }
    decoder.last_event_id().clone_into(&mut outcome.id);
    Ok(outcome)
}

/// The events alone, which the decoder hands out on a shorter way.
fn events<'a>(limits: SseLimits, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Out>, String> {
    let (mut decoder, mut events) = (Decoder::new(limits), Vec::new());
    for mut chunk in chunks {
        while let Some(event) = decoder.next_event(&mut chunk).map_err(|error| error.report())? {
            events.push((event.kind.into(), event.data.into(), event.id.into()));
        }
    }
    Ok(events)
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let stream: Stream = case.read()?;
    let chunks = stream.chunks.iter().map(|parts| joined(parts)).collect::<Result<Vec<_>, _>>()?;
    let whole = chunks.concat();
    let digest: String = Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect();
    if (whole.len(), &digest) != (stream.bytes, &stream.sha256) {
        return Err(format!("the stream has {} bytes and the SHA-256 {digest}", whole.len()).into());
    }
    let wanted = stream.expect.wanted()?;
    // What is larger than the caps is read for what it says all the same.
    let most = SseLimits::default().max_line_bytes.max(whole.len());
    let limits = SseLimits::default().with_max_line_bytes(most).with_max_event_bytes(most);
    let judge = |how: &str, chunks: &[&[u8]]| {
        let outcome = decode(limits, chunks.iter().copied()).map_err(|why| format!("{how}: {why}"))?;
        stream.expect.differs(&wanted, &outcome).map_or(Ok(()), |why| Err(format!("{how}: {why}")))?;
        if events(limits, chunks.iter().copied())? != wanted {
            return Err(format!("{how}: the events alone differ"));
        }
        Ok(outcome)
    };
    judge("in its chunks", &chunks.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    judge("whole", &[&whole])?;
    let outcome = judge("byte by byte", &whole.chunks(1).collect::<Vec<_>>())?;
    if stream.prompt
        && let Some(late) = outcome.after.iter().find(|after| !ends(&whole).contains(after))
    {
        return Err(format!("an event came after {late} bytes only").into());
    }
    for seed in 1..=CUTS {
        judge(&format!("in random chunks {seed}"), &cut(&whole, seed))?;
    }
    Ok(())
}

/// After how many bytes each blank line has begun, so that an event before it is complete.
fn ends(stream: &[u8]) -> Vec<usize> {
    let (mut empty, mut last, mut ends) = (true, 0, Vec::new());
    for (at, &byte) in stream.iter().enumerate() {
        if matches!(byte, b'\r' | b'\n') && (last, byte) != (b'\r', b'\n') {
            if empty {
                ends.push(at + 1);
            }
            empty = true;
        } else if byte != b'\n' {
            empty = false;
        }
        last = byte;
    }
    ends
}

/// Cuts a stream into pieces of 0 to 16 bytes, or of as many more as make about 64 of a long one.
fn cut(mut stream: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut state, mut chunks) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), Vec::new());
    let longest = 17.max(stream.len() / 32);
    while !stream.is_empty() {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (chunk, rest) = stream.split_at((state % longest as u64).min(stream.len() as u64) as usize);
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}

impl Expect {
    fn wanted(&self) -> Result<Vec<Out>, String> {
        let mut wanted = Vec::new();
        for event in &self.events {
            let data = match (&event.data, &event.data_parts) {
                (Some(data), None) => data.clone(),
                (None, Some(parts)) => {
                    String::from_utf8(joined(parts)?).map_err(|_| "`data_parts` must be UTF-8".to_owned())?
                }
                _ => return Err("an event has either `data` or `data_parts`".into()),
            };
            let one = (event.r#type.clone(), data, event.last_event_id.clone());
            wanted.extend(std::iter::repeat_n(one, event.repeat));
        }
        Ok(wanted)
    }

    fn differs(&self, wanted: &[Out], outcome: &Outcome) -> Option<String> {
        if let Some(at) =
            (0..wanted.len().max(outcome.events.len())).find(|&at| wanted.get(at) != outcome.events.get(at))
        {
            return Some(format!("events[{at}]: wanted {:?}, got {:?}", wanted.get(at), outcome.events.get(at)));
        }
        if outcome.id != self.last_event_id {
            return Some(format!("last_event_id: wanted {:?}, got {:?}", self.last_event_id, outcome.id));
        }
        if let Some(wanted) = self.retry.as_ref().filter(|wanted| **wanted != outcome.waits) {
            return Some(format!("retry: wanted {wanted:?}, got {:?}", outcome.waits));
        }
        if let Some(any) = &self.retry_any_of {
            // Clamped is as long as anybody would wait: a month at least.
            let became = match outcome.waits[..] {
                [] => Overlong::Ignored,
                [wait] if wait >= 31 * 24 * 3_600_000 => Overlong::Clamped,
                _ => return Some(format!("retry: got {:?}", outcome.waits)),
            };
            if !any.contains(&became) {
                return Some(format!("retry: got {:?}, which is not allowed", outcome.waits));
            }
        }
        let comments = self.comments.as_ref().filter(|wanted| **wanted != outcome.comments);
        comments.map(|wanted| format!("comments: wanted {wanted:?}, got {:?}", outcome.comments))
    }
}
