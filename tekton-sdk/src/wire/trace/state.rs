//! The list of a `tracestate` (W3C Trace Context level 2 §3.3).

use std::{collections::HashSet, sync::Arc};

/// The most members a list may have (§3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// How many characters are sent on (§3.3.1.5 asks for at least as many).
const MAX_LEN: usize = 512;
/// Members longer than this are left out first where the list is too long (§3.3.1.5).
const LONG_MEMBER: usize = 128;

/// Joins the headers in their order. Nothing if there is no member, or if the list is invalid anywhere.
pub(super) fn join<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Arc<str>> {
    let mut members: Vec<&str> = Vec::new();
    let mut keys = HashSet::new();
    for header in headers {
        for member in header.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if members.len() == MAX_MEMBERS || !is_key(key) || !is_value(value) || !keys.insert(key) {
                return None;
            }
            members.push(member);
        }
    }
    shorten(&mut members);
    (!members.is_empty()).then(|| members.join(",").into())
}

/// Leaves out long members from the end, then any from the end, until the list is short enough.
fn shorten(members: &mut Vec<&str>) {
    let mut excess = (members.iter().map(|member| member.len() + 1).sum::<usize>()).saturating_sub(MAX_LEN + 1);
    while excess > 0 {
        let last_long = members.iter().rposition(|member| member.len() > LONG_MEMBER);
        let Some(place) = last_long.or_else(|| members.len().checked_sub(1)) else { return };
        excess = excess.saturating_sub(members.remove(place).len() + 1);
    }
}

/// `( lcalpha / DIGIT ) 0*255( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" )` (§3.3.1.3.1).
fn is_key(key: &str) -> bool {
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let key = key.as_bytes();
    key.len() <= 256
        && key.first().is_some_and(begins)
        && key.iter().all(|byte| begins(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@'))
}

/// 1 to 256 printable ASCII characters other than `,` and `=`, the last of them no space (§3.3.1.3.2).
fn is_value(value: &str) -> bool {
    let value = value.as_bytes();
    value.len() <= 256
        && value.last().is_some_and(|last| *last != b' ')
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(headers: &[&str]) -> Option<String> {
        join(headers.iter().copied()).map(|state| state.to_string())
    }

    #[test]
    fn an_invalid_member_drops_the_list() {
        for bad in ["Foo=1", "a", "=1", "a=", "a=b=c", "a =1", "a=\u{7f}", "a=ä", "-a=1", "a=1,a=2", "a=1\tb"] {
            assert_eq!(joined(&["ok=1", bad]), None, "{bad}");
        }
        assert_eq!(joined(&[" , ", "", ","]), None);
        assert_eq!(joined(&["b= 1 ,\ta=2 ", "c=3,"]).as_deref(), Some("b= 1,a=2,c=3"));
    }

    #[test]
    fn there_are_at_most_32_members() {
        let list = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(joined(&[&list(32)]), Some(list(32)));
        assert_eq!(joined(&[&list(33)]), None);
    }

    #[test]
    fn a_long_list_loses_its_long_members_first_and_then_its_last() {
        let long = format!("long={}", "x".repeat(200));
        let short = |n: usize| format!("k{n:02}={}", "v".repeat(96)); // 100 characters
        let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(short);
        assert_eq!(joined(&[&long, &a, &b, &c, &d]), Some([a.as_str(), &b, &c, &d].join(",")));
        let exact = format!("kk={}", "v".repeat(105)); // 4 * 100 + 108 + 4 commas = 512
        assert_eq!(joined(&[&a, &b, &c, &d, &exact]).unwrap().len(), 512);
        assert_eq!(joined(&[&a, &b, &c, &d, &e, "z=1"]), Some([a.as_str(), &b, &c, &d, &e, "z=1"].join(",")));
        assert_eq!(joined(&[&a, &b, &c, &d, &e, "z=12345678"]), Some([a.as_str(), &b, &c, &d, &e].join(",")));
        let whole = format!("{}={}", "k".repeat(256), "v".repeat(256));
        assert_eq!(joined(&[&whole]), None);
    }
}
