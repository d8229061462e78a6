//! Whom a proxy speaks for: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address that it was called from at the right end, so what stands there is what the nearest proxy says,
//! and what stands further left was said by somebody further away. Whether any of it is believed is not decided here.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header::FORWARDED};

/// The list of addresses without a standard.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many hops are read, counted from the right.
pub const MAX_HOPS: usize = 64;

/// The addresses of `X-Forwarded-For`, the rightmost first; `None` for an entry that is no address, as `unknown`.
///
/// Several lines count as one list (RFC 9110 §5.3), and empty entries do not count. Port and brackets may be there.
pub fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).into_iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii));
    entries.filter(|entry| !entry.is_empty()).map(address).take(MAX_HOPS)
}

/// The addresses of `Forwarded`, the rightmost first; `None` for an element without a `for` that is an address.
///
/// Several lines count as one list, and empty elements do not count. A quotation that is not closed makes one element of the
/// rest of its line, and that has no address.
#[must_use]
pub fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).into_iter().rev();
    let elements = lines.flat_map(|line| split(line.as_bytes(), b',').into_iter().rev());
    elements.filter(|element| !element.trim_ascii().is_empty()).map(for_of).take(MAX_HOPS).collect()
}

/// The address under `for` of one element, if there is one `for` and it is an address.
fn for_of(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, b';') {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        if !pair.get(..at)?.trim_ascii().eq_ignore_ascii_case(b"for") {
            continue;
        }
        let value = pair.get(at + 1..)?.trim_ascii();
        let bare = match value {
            // An address needs no escapes, so a value with one is none.
            [b'"', inner @ .., b'"'] => inner,
            _ => value,
        };
        if found.replace(address(bare)?).is_some() {
            return None;
        }
    }
    found
}

/// The parts between separators that stand in no quotation (RFC 9110 §5.6.4).
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// An address with or without port and brackets. IPv4 within IPv6 is taken as IPv4.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect()
    }

    fn shown(hops: impl IntoIterator<Item = Option<IpAddr>>) -> Vec<String> {
        hops.into_iter().map(|hop| hop.map_or_else(|| "-".to_owned(), |hop| hop.to_string())).collect()
    }

    fn plain(lines: &[&str]) -> Vec<String> {
        shown(x_forwarded_for(&headers(X_FORWARDED_FOR, lines)))
    }

    fn standard(lines: &[&str]) -> Vec<String> {
        shown(forwarded(&headers(FORWARDED, lines)))
    }

    #[test]
    fn the_rightmost_hop_comes_first() {
        assert_eq!(plain(&["192.0.2.1, 198.51.100.2", "203.0.113.3"]), ["203.0.113.3", "198.51.100.2", "192.0.2.1"]);
        let lines = ["for=192.0.2.1;proto=http, FOR=198.51.100.2", "by=203.0.113.43;for=203.0.113.3"];
        assert_eq!(standard(&lines), ["203.0.113.3", "198.51.100.2", "192.0.2.1"]);
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        let addresses = "192.0.2.1:80,2001:db8::1,[2001:db8::2],[2001:db8::3]:4711,::ffff:192.0.2.9";
        assert_eq!(plain(&[addresses]), ["192.0.2.9", "2001:db8::3", "2001:db8::2", "2001:db8::1", "192.0.2.1"]);
        let nodes = r#"For="[2001:db8:cafe::17]:4711", for="192.0.2.1:80" , for = 192.0.2.2"#;
        assert_eq!(standard(&[nodes]), ["192.0.2.2", "192.0.2.1", "2001:db8:cafe::17"]);
    }

    #[test]
    fn what_is_no_address_is_told_apart_from_nothing() {
        assert_eq!(plain(&["unknown, , 300.0.0.1,", "x"]), ["-", "-", "-"]);
        assert_eq!(plain(&[" , "]), [""; 0]);
        for element in
            ["for=unknown", "for=_hidden", "proto=http", "for=\"192.0.2.1", "for=192.0.2.1;for=192.0.2.2", "x"]
        {
            assert_eq!(standard(&[element]), ["-"], "{element}");
        }
    }

    #[test]
    fn a_quotation_hides_its_separators_only() {
        assert_eq!(standard(&[r#"for="a,b;for=192.0.2.1", for=192.0.2.2"#]), ["192.0.2.2", "-"]);
        assert_eq!(standard(&[r#"for="\"", for=192.0.2.2"#]), ["192.0.2.2", "-"]);
        // Whoever leaves a quotation open swallows what the next proxy adds, and gains no address by it.
        assert_eq!(standard(&[r#"for=", for=192.0.2.2"#]), ["-"]);
    }

    #[test]
    fn a_long_list_is_cut() {
        let list = "192.0.2.1,".repeat(1000);
        assert_eq!(plain(&[&list]).len(), MAX_HOPS);
        assert_eq!(standard(&["for=192.0.2.1,".repeat(1000).as_str()]).len(), MAX_HOPS);
    }

    proptest! {
        #[test]
        fn no_header_panics(lines in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'='), Just(b';'), Just(b'\\'), 32_u8..=255], 0..60), 0..4)) {
            let mut headers = HeaderMap::new();
            for line in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
                headers.append(FORWARDED, line.clone());
                headers.append(X_FORWARDED_FOR, line);
            }
            prop_assert!(forwarded(&headers).len() <= MAX_HOPS);
            prop_assert!(x_forwarded_for(&headers).count() <= MAX_HOPS);
        }

        #[test]
        fn what_the_nearest_proxy_adds_is_read_whatever_stands_before(before in "[ -~&&[^\"]]{0,60}", last in any::<[u8; 4]>()) {
            let last = IpAddr::from(last);
            let line = format!("{before},{last}");
            prop_assert_eq!(x_forwarded_for(&headers(X_FORWARDED_FOR, &[&line])).next(), Some(Some(last)));
            let line = format!("{before},for={last}");
            prop_assert_eq!(forwarded(&headers(FORWARDED, &[&line])).first().copied(), Some(Some(last)));
        }
    }
}
