//! What a call has of the handshake of its connection, and what it may not say itself.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, ORIGIN, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

/// What says where a connection comes from: only the handshake does, because a proxy wrote or checked it there.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    HOST,
    ORIGIN,
    COOKIE,
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What is about the message that it stands in.
fn is_of_a_message(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
        || name.as_str().starts_with("sec-websocket-")
}

/// What every call has of the handshake: a token, a cookie, a proxy's word.
pub(super) fn inherited(handshake: &HeaderMap) -> HeaderMap {
    let mut inherited = HeaderMap::new();
    for (name, value) in handshake {
        if !is_of_a_message(name) {
            inherited.append(name.clone(), copied(value));
        }
    }
    inherited
}

/// The value that came shares the buffer that the whole head was read into, and would keep it as long as the connection.
fn copied(value: &HeaderValue) -> HeaderValue {
    let Ok(mut copied) = HeaderValue::from_bytes(value.as_bytes()) else { return value.clone() };
    copied.set_sensitive(value.is_sensitive());
    copied
}

/// The headers of a call: its own, and the handshake's where it has none of the name.
pub(super) fn of_call(mut own: HeaderMap, inherited: &HeaderMap) -> HeaderMap {
    for name in &OF_THE_CONNECTION {
        own.remove(name);
    }
    for name in inherited.keys() {
        if own.contains_key(name) {
            continue;
        }
        for value in inherited.get_all(name) {
            own.append(name.clone(), value.clone());
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        lines.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn a_call_brings_its_own_token_and_cannot_say_where_it_comes_from() {
        let handshake = inherited(&headers(&[
            ("host", "h"),
            ("authorization", "of the handshake"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-two", "1"),
            ("x-two", "2"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "k"),
        ]));
        let call = headers(&[("x-forwarded-for", "198.51.100.9"), ("forwarded", "for=x"), ("x-own", "1")]);
        let wanted = [("host", "h"), ("authorization", "of the handshake"), ("x-forwarded-for", "192.0.2.1")];
        let both = [("x-own", "1"), ("x-two", "1"), ("x-two", "2")];
        assert_eq!(of_call(call, &handshake), headers(&[&wanted[..], &both].concat()));
        let own = of_call(headers(&[("authorization", "own")]), &handshake);
        assert_eq!(own.get_all("authorization").iter().collect::<Vec<_>>(), ["own"]);
    }

    #[test]
    fn a_connection_keeps_its_headers_and_not_the_buffer_that_they_came_in() {
        let buffer = bytes::Bytes::from(vec![b'x'; 8192]);
        let came = HeaderValue::from_maybe_shared(buffer.slice(100..120)).unwrap();
        assert!(buffer.as_ptr_range().contains(&came.as_bytes().as_ptr()), "it is shared as it comes");
        let mut handshake = HeaderMap::new();
        handshake.insert("authorization", came);
        handshake.get_mut("authorization").unwrap().set_sensitive(true);
        let kept = &inherited(&handshake)["authorization"];
        assert_eq!((kept, kept.is_sensitive()), (&handshake["authorization"], true));
        assert!(!buffer.as_ptr_range().contains(&kept.as_bytes().as_ptr()));
    }
}
