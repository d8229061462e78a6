//! W3C Trace Context: which headers continue a trace, with which state, and what goes out then.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tekton_sdk::wire::trace::{TRACEPARENT, TraceContext};

use crate::{Case, Miss, Rule, Suite, case::headers};

const UNSENDABLE: Rule =
    Rule { name: "unsendable", reason: "a header name or value that no HTTP message can carry never reaches the SDK" };

pub(crate) const SUITE: Suite = Suite { name: "trace-context", rules: &[UNSENDABLE], capabilities: &[], check };

type Members = Vec<(String, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    #[serde(deserialize_with = "headers")]
    headers: Vec<(String, String)>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    continued: bool,
    trace_id: Option<String>,
    parent_id: Option<String>,
    flags: Option<String>,
    tracestate: Option<Members>,
    tracestate_any_of: Option<Vec<Members>>,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let Incoming { headers, expect } = case.read()?;
    let mut received = HeaderMap::new();
    for (name, value) in headers {
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        else {
            return Err((&UNSENDABLE).into());
        };
        received.append(name, value);
    }
    let context = TraceContext::from_headers(&received);
    if context.is_some() != expect.continued {
        return Err(format!("continued: wanted {}, got {}", expect.continued, context.is_some()).into());
    }
    let members: Members = context.iter().flat_map(|context| context.state_members()).map(owned).collect();
    if expect.tracestate.as_ref().is_some_and(|wanted| *wanted != members) {
        return Err(format!("tracestate: wanted {:?}, got {members:?}", expect.tracestate.unwrap_or_default()).into());
    }
    if expect.tracestate_any_of.as_ref().is_some_and(|any| !any.contains(&members)) {
        return Err(format!("tracestate: wanted one of {:?}, got {members:?}", expect.tracestate_any_of).into());
    }
    for (key, wanted, got) in [
        ("trace_id", expect.trace_id, context.as_ref().map(|context| hex(&context.trace_id()))),
        ("parent_id", expect.parent_id, context.as_ref().map(|context| hex(&context.parent_id()))),
        ("flags", expect.flags, context.as_ref().map(|context| hex(&[context.flags()]))),
    ] {
        if wanted.is_some() && wanted != got {
            return Err(format!("{key}: wanted {wanted:?}, got {got:?}").into());
        }
    }
    let begun = || TraceContext::new_root([0xcd; 16], [0xef; 8], true);
    Ok(goes_on(&context.unwrap_or_else(begun))?)
}

/// What goes out is a valid version 00 with the same trace, the same state and another parent.
fn goes_on(context: &TraceContext) -> Result<(), String> {
    let mut sent = HeaderMap::new();
    let next = if context.parent_id() == [0xab; 8] { [0xac; 8] } else { [0xab; 8] };
    context.child(next).inject(&mut sent);
    let parent = sent.get(TRACEPARENT).and_then(|value| value.to_str().ok()).ok_or("no traceparent goes out")?;
    let again = TraceContext::from_headers(&sent).ok_or_else(|| format!("what goes out is invalid: {parent}"))?;
    let wanted = format!("00-{}-{}-", hex(&context.trace_id()), hex(&next));
    if !parent.starts_with(&wanted) || parent.len() != wanted.len() + 2 {
        return Err(format!("what goes out: wanted {wanted} and flags, got {parent}"));
    }
    if again.state() != context.state() {
        return Err(format!("what goes out: wanted the state {:?}, got {:?}", context.state(), again.state()));
    }
    Ok(())
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
