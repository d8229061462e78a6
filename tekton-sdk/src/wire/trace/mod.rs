//! W3C Trace Context, level 1 and 2: the headers `traceparent` and `tracestate`.
//!
//! A callee reads the caller's [`TraceContext`], or starts one, and sends a [`child`](TraceContext::child) of it along
//! with each call of its own. Random bytes are passed in.
//!
//! *What can go wrong:* nothing is reported. A `traceparent` that does not follow the standard starts a new trace, and
//! a `tracestate` that does not is dropped, as the standard asks (§3.2.2, §3.3).

mod state;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header of the ids and flags (§3.2).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of the vendors' own state (§3.3).
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const SAMPLED: u8 = 0b01;
const RANDOM: u8 = 0b10;
/// Version, trace id, parent id and flags with their dashes: `00-…-…-01`.
const LEN: usize = 55;

/// Where in a trace a request stands.
///
/// ```
/// use tekton_sdk::wire::trace::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let caller = TraceContext::parse(header, ["vendor=state"].into_iter()).unwrap();
/// assert!(caller.is_sampled());
/// let here = caller.child([7; 8]);
/// assert_eq!(here.to_traceparent(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0707070707070707-01");
/// assert_eq!(here.state(), Some("vendor=state"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// A trace that starts here. An id of zeros alone is not allowed (§3.2.2.3, §3.2.2.4); its last byte becomes 1.
    ///
    /// The random flag of level 2 is left unset: only the caller knows where its bytes came from.
    #[must_use]
    pub fn new_root(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> Self {
        let flags = if sampled { SAMPLED } else { 0 };
        Self { trace_id: not_zero(trace_id), parent_id: not_zero(span_id), flags, state: None }
    }

    /// Reads one `traceparent` and the `tracestate` headers in their order.
    ///
    /// Nothing if the `traceparent` is invalid. A higher version is read as far as version 00 goes (§4.3). A
    /// `tracestate` with an invalid member, a duplicate key or more than 32 members is dropped as a whole; of a longer
    /// one than 512 characters, members are left out as §3.3.1.5 says.
    pub fn parse<'a>(traceparent: &str, tracestates: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (trace_id, parent_id, flags) = parse_traceparent(traceparent)?;
        Some(Self { trace_id, parent_id, flags, state: state::join(tracestates) })
    }

    /// Reads the headers of a request. Nothing if there is no `traceparent`, or more than one.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        // What is not ASCII is no valid member, and so drops the list.
        let states = headers.get_all(TRACESTATE).iter().map(|state| state.to_str().unwrap_or("invalid"));
        Self::parse(parent.to_str().ok()?, states)
    }

    /// The context for a request sent from within this one: the same trace, and `span_id` as the parent.
    ///
    /// Only the flags that have a meaning go on: sampled, and random (level 2 §3.2.2.5).
    #[must_use]
    pub fn child(&self, span_id: [u8; 8]) -> Self {
        Self { parent_id: not_zero(span_id), flags: self.flags & (SAMPLED | RANDOM), ..self.clone() }
    }

    /// The id of the whole trace.
    #[must_use]
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the span that sent, or sends, the request.
    #[must_use]
    pub const fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// The flags as they were read.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller may have recorded its span.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The vendors' state as one header value.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The vendors' state, as keys and values in their order.
    pub fn state_members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.state().unwrap_or_default().split(',').filter_map(|member| member.split_once('='))
    }

    /// The `traceparent` in version 00, as ASCII.
    #[must_use]
    pub fn to_ascii(&self) -> [u8; LEN] {
        let mut text = [b'-'; LEN];
        let flags = [self.flags & (SAMPLED | RANDOM)];
        let digits = [(0, [0].as_slice()), (3, &self.trace_id), (36, &self.parent_id), (53, &flags)];
        for (start, bytes) in digits {
            for (place, byte) in text[start..].chunks_exact_mut(2).zip(bytes) {
                place.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
            }
        }
        text
    }

    /// The `traceparent` in version 00, as a header's value.
    #[must_use]
    pub fn to_traceparent(&self) -> HeaderValue {
        ascii_value(&self.to_ascii())
    }

    /// Puts the headers into a request, in place of those that are there.
    pub fn inject(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.to_traceparent());
        match self.state() {
            Some(state) => headers.insert(TRACESTATE, ascii_value(state.as_bytes())),
            None => headers.remove(TRACESTATE),
        };
    }
}

fn parse_traceparent(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let text = text.trim_matches([' ', '\t']).as_bytes();
    let [version] = hex(text.get(..2)?)?;
    let more = text.get(LEN..)?;
    let dashed = [2, 35, 52].iter().all(|&place| text[place] == b'-');
    let ends = more.is_empty() || (version != 0 && more[0] == b'-');
    if version == 0xff || !dashed || !ends {
        return None;
    }
    let trace_id = hex(&text[3..35])?;
    let parent_id = hex(&text[36..52])?;
    let [flags] = hex(&text[53..LEN])?;
    (trace_id != [0; 16] && parent_id != [0; 8]).then_some((trace_id, parent_id, flags))
}

/// Lower-case hex digits, exactly as many as the bytes need.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    const fn value(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        }
    }
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4) | value(pair[1])?;
    }
    Some(bytes)
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn not_zero<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id.iter().all(|byte| *byte == 0)
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
    id
}

fn ascii_value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text)
        .expect("the digits of a traceparent and the members of a checked tracestate are printable ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

    fn parse(parent: &str) -> Option<TraceContext> {
        TraceContext::parse(parent, std::iter::empty())
    }

    #[test]
    fn versions_follow_the_standard() {
        let with = |version: &str, rest: &str| parse(&format!("{version}{}{rest}", &PARENT[2..]));
        assert!(
            with("00", "").is_some()
                && with("01", "").is_some()
                && with("fe", "-x").is_some()
                && with("01", "-").is_some()
        );
        for (version, rest) in [("ff", ""), ("ff", "-x"), ("00", "-"), ("00", "-00"), ("01", "x"), ("0A", ""), ("", "")]
        {
            assert_eq!(with(version, rest), None, "{version} {rest}");
        }
        assert_eq!(with("cc", "-more").unwrap().to_traceparent(), PARENT);
    }

    #[test]
    fn unknown_flags_are_read_but_not_sent_on() {
        let context = parse(&PARENT.replace("-01", "-ff")).unwrap();
        assert_eq!(context.flags(), 0xff);
        assert!(context.to_ascii().ends_with(b"-03"));
        assert_eq!(context.child([1; 8]).flags(), 3);
    }

    #[test]
    fn ids_of_zeros_are_never_made() {
        let root = TraceContext::new_root([0; 16], [0; 8], true);
        assert_eq!(root.to_traceparent(), "00-00000000000000000000000000000001-0000000000000001-01");
        assert_eq!(root.child([0; 8]).parent_id(), [0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(!TraceContext::new_root([1; 16], [1; 8], false).is_sampled());
    }

    #[test]
    fn injecting_replaces_what_was_there() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static("old"));
        headers.append(TRACEPARENT, HeaderValue::from_static("older"));
        headers.append(TRACESTATE, HeaderValue::from_static("old=1"));
        let context = parse(PARENT).unwrap();
        context.inject(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(TraceContext::from_headers(&headers), Some(context));
    }

    proptest! {
        #[test]
        fn any_headers_are_read(
            parent in prop_oneof!["\\PC{0,80}", "[0-9a-f-]{55,70}"],
            states in prop::collection::vec("\\PC{0,60}", 0..4),
        ) {
            let _ = TraceContext::parse(&parent, states.iter().map(String::as_str));
        }

        #[test]
        fn a_context_survives_the_wire(
            trace_id: [u8; 16],
            span_id: [u8; 8],
            sampled: bool,
            members in prop::collection::btree_map("[a-z0-9][a-z0-9_*/@-]{0,9}", "[ -+.-<>-~]{0,9}[!-+.-<>-~]", 0..8),
        ) {
            let mut context = TraceContext::new_root(trace_id, span_id, sampled);
            let list: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
            context.state = (!list.is_empty()).then(|| list.join(",").into());
            let mut headers = HeaderMap::new();
            context.inject(&mut headers);
            let read = TraceContext::from_headers(&headers).unwrap();
            prop_assert!(read.state_members().eq(members.iter().map(|(key, value)| (&**key, &**value))));
            prop_assert_eq!(read, context);
        }
    }
}
