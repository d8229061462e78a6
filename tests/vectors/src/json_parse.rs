//! JSON of anybody, at each place where text of a peer is read as JSON: taken or refused, and never a crash.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use tekton_sdk::wire::{
    jsonrpc::{Calls, RpcError, RpcLimits, parse},
    sse::{Decoder, SseLimits},
};

use crate::{Case, Miss, Suite};

pub(crate) const SUITE: Suite = Suite { name: "json-parse", rules: &[], capabilities: &[], check };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    input_base64: Option<String>,
    input_parts_base64: Option<Vec<(String, usize)>>,
    bytes: usize,
    expect: Verdict,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Accept,
    Reject,
    Either,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let Text { input_base64, input_parts_base64, bytes, expect } = case.read()?;
    let parts = match (input_base64, input_parts_base64) {
        (Some(one), None) => vec![(one, 1)],
        (None, Some(parts)) => parts,
        _ => return Err("a case has either `input_base64` or `input_parts_base64`".into()),
    };
    let mut input = Vec::new();
    for (part, repeat) in parts {
        let part = BASE64_STANDARD.decode(part).map_err(|error| format!("the input is no base64: {error}"))?;
        input.extend(part.repeat(repeat));
    }
    if input.len() != bytes {
        return Err(format!("the input has {} bytes", input.len()).into());
    }
    for (entry, came) in [("JSON-RPC message", rpc(&input)?), ("SSE data", sse(&input)?)] {
        if expect != Verdict::Either && came != expect {
            return Err(format!("{entry}: wanted {expect:?}, got {came:?}").into());
        }
    }
    Ok(())
}

/// A server and a client read it alike. JSON that is no message has been read.
fn rpc(input: &[u8]) -> Result<Verdict, String> {
    let read = parse(input, &RpcLimits::default());
    let received = Calls::<()>::new(1).receive(input, &RpcLimits::default(), |_| ());
    let codes = (read.as_ref().err().map(|error| error.code), received.err().map(|error| error.code));
    match codes {
        (server, client) if server != client => Err(format!("JSON-RPC: a server says {server:?}, a client {client:?}")),
        (Some(RpcError::PARSE_ERROR), _) => Ok(Verdict::Reject),
        _ => Ok(Verdict::Accept),
    }
}

/// Each line of the text is a line of data.
fn sse(input: &[u8]) -> Result<Verdict, String> {
    let mut stream = Vec::new();
    for line in input.split(|byte| matches!(byte, b'\r' | b'\n')) {
        stream.extend([b"data: ", line, b"\n"].concat());
    }
    stream.push(b'\n');
    let (mut decoder, mut chunk) = (Decoder::new(SseLimits::default()), &*stream);
    let event = decoder.next_event(&mut chunk).map_err(|error| error.report())?.ok_or("SSE: no event came out")?;
    Ok(if event.json::<Value>().is_ok() { Verdict::Accept } else { Verdict::Reject })
}
