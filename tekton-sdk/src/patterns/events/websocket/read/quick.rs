//! Events as our host writes them: without blanks and escapes outside of the data, which comes last. Whatever is written otherwise is
//! read the long way.

use memchr::memchr2;

use super::{At, Heard, Text};

/// How an event begins.
pub(super) const EVENT: &str = r#"{"jsonrpc":"2.0","method":"event","params":{"#;

/// Reads an event, and looks at each of its bytes once. Nothing, if it is written in another way or is none.
pub(super) fn event(message: &[u8]) -> Option<Heard<'_>> {
    let text = std::str::from_utf8(message).ok()?;
    let mut rest = text.strip_prefix(EVENT)?.strip_suffix("}}")?;
    let mut heard = Heard::default();
    let mut has_subscription = false;
    loop {
        let name = text_of(&mut rest)?;
        rest = rest.strip_prefix(':')?;
        match name {
            "data" => {
                heard.data = Some(serde_json::from_str(rest).ok()?);
                return has_subscription.then_some(heard);
            }
            "subscription" if !has_subscription => {
                heard.subscription = number(&mut rest)?;
                has_subscription = true;
            }
            // Left out where it is none.
            "delivery" if heard.delivery == 0 => {
                heard.delivery = number(&mut rest)?.try_into().ok().filter(|delivery| *delivery > 0)?;
            }
            "replaced" if heard.replaced == 0 => heard.replaced = number(&mut rest).filter(|replaced| *replaced > 0)?,
            "cursor" if heard.cursor.is_none() => heard.cursor = Some(At(text_of(&mut rest)?.parse().ok()?)),
            name => {
                let place = match name {
                    "time" => &mut heard.time,
                    "topic" => &mut heard.topic,
                    "id" => &mut heard.id,
                    "key" => &mut heard.key,
                    "source" => &mut heard.source,
                    "traceparent" => &mut heard.traceparent,
                    "tracestate" => &mut heard.tracestate,
                    _ => return None,
                };
                if place.replace(Text(text_of(&mut rest)?.into())).is_some() {
                    return None;
                }
            }
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// A text without escapes, taken off the rest.
fn text_of<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let inner = rest.strip_prefix('"')?;
    let end = memchr2(b'"', b'\\', inner.as_bytes())?;
    let (text, after) = inner.split_at(end);
    *rest = after.strip_prefix('"')?;
    // A control character stands in no text of JSON (RFC 8259 §7). All bytes are looked at, several at once.
    let has_control = text.bytes().fold(false, |found, byte| found | (byte < b' '));
    (!has_control).then_some(text)
}

/// A whole number, taken off the rest.
fn number(rest: &mut &str) -> Option<u64> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    // One that begins with a nought is none (RFC 8259 §6).
    if number.len() > 1 && number.starts_with('0') { None } else { number.parse().ok() }
}
