//! From a request of HTTP to a WebSocket, or why not.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, on},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{PATH, WsLimits, inherited::inherited};
use crate::{
    host::{client::Source, origin::one, refusal::Refusal, ticket::Tickets, topics::Handshake},
    transport::{Response, websocket::has_token},
};

/// A connection that becomes a WebSocket once the answer is out.
pub(in crate::host) struct Upgrade {
    pub(super) upgraded: OnUpgrade,
    /// Its headers are those that every call of it has.
    pub(super) handshake: Handshake,
}

/// What a request is, seen from here.
#[expect(
    clippy::large_enum_variant,
    reason = "every request of HTTP passes here, and shall not be put into a box for it"
)]
pub(in crate::host) enum Ask {
    /// It is for the handler.
    Other(http::Request<Incoming>),
    /// It is answered, and nothing else comes of it.
    Refused(Response),
    /// It is answered, and becomes a WebSocket.
    Accepted(Response, Box<Upgrade>),
}

/// Looks whether a request is for a WebSocket, and whether it may have one. The ticket in its query is taken if all else is right.
pub(in crate::host) fn ask(
    mut request: http::Request<Incoming>,
    limits: &WsLimits,
    tickets: Option<&Tickets>,
    peer: Option<SocketAddr>,
    spare: bool,
) -> Ask {
    if !limits.enabled || request.uri().path() != PATH {
        return Ask::Other(request);
    }
    let proven = accepted(request.method(), request.headers(), limits, spare).and_then(|answer| {
        let from = Source { headers: request.headers(), peer };
        let proven = tickets.map(|tickets| tickets.take(request.uri().query(), from)).transpose();
        proven.map(|proven| (answer, proven.flatten())).map_err(|refusal| refusal.answer())
    });
    match proven {
        Ok((answer, proven)) => {
            let upgraded = on(&mut request);
            let handshake = Handshake { headers: inherited(request.headers()), peer, proven };
            Ask::Accepted(answer, Box::new(Upgrade { upgraded, handshake }))
        }
        Err(answer) => Ask::Refused(answer),
    }
}

fn accepted(method: &Method, headers: &HeaderMap, limits: &WsLimits, spare: bool) -> Result<Response, Response> {
    let refused =
        |status: StatusCode, code: &str, detail: &str| Err(Refusal::new(status, code, detail.to_owned()).answer());
    if method != Method::GET {
        return Err(Refusal::method("GET").answer());
    }
    let is_upgrade =
        has_token(headers, &header::UPGRADE, "websocket") && has_token(headers, &header::CONNECTION, "upgrade");
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if !is_upgrade || version != Some(b"13") {
        let detail = "here stands a WebSocket: ask for an upgrade to `websocket`, version 13";
        let answer = Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail.to_owned()).answer();
        return Err(answer
            .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
            .with_header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    let Some(key) = one(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "bad_handshake",
            "`Sec-WebSocket-Key` must be 16 bytes in base64, once",
        );
    };
    if one(headers, &header::HOST).is_none() {
        return refused(StatusCode::BAD_REQUEST, "bad_handshake", "`Host` must be there once");
    }
    limits.origins.admit(headers).map_err(|refusal| refusal.answer())?;
    if spare {
        let detail = "connections: as many connections are open as may be, and this one is for control routes alone";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "connections", detail);
    }
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return refused(StatusCode::BAD_REQUEST, "bad_handshake", "`Sec-WebSocket-Key` cannot be answered");
    };
    Ok(Response::new(StatusCode::SWITCHING_PROTOCOLS, bytes::Bytes::new())
        .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
        .with_header(header::SEC_WEBSOCKET_ACCEPT, accept))
}

/// 24 characters of base64 for 16 bytes (RFC 6455 §4.1).
fn is_key(key: &str) -> bool {
    let body = key.strip_suffix("==").unwrap_or_default();
    body.len() == 22 && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostConfig;

    fn limits(origins: &[&str]) -> WsLimits {
        let config = HostConfig::default().with_ws_origins(origins.iter().copied()).with_advertise_host("box.example");
        WsLimits::of(&config)
    }

    fn headers(more: &[(&str, &str)]) -> HeaderMap {
        let usual = [
            ("host", "127.0.0.1:8005"),
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in usual.iter().chain(more) {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_str(value).unwrap();
            if usual.iter().any(|(usual, _)| *usual == name.as_str()) {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        headers
    }

    fn status(more: &[(&str, &str)], origins: &[&str]) -> u16 {
        let answer = accepted(&Method::GET, &headers(more), &limits(origins), false);
        answer.unwrap_or_else(|refused| refused).status.as_u16()
    }

    #[test]
    fn the_sample_of_the_standard_is_accepted_as_it_says() {
        let answer = accepted(&Method::GET, &headers(&[]), &limits(&[]), false).unwrap();
        assert_eq!(answer.headers[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(accepted(&Method::POST, &headers(&[]), &limits(&[]), false).unwrap_err().status, 405);
        assert_eq!(accepted(&Method::GET, &headers(&[]), &limits(&[]), true).unwrap_err().status, 503);
    }

    #[test]
    fn a_handshake_that_is_none_is_told_what_is_missing() {
        for (name, value, wanted) in [
            ("upgrade", "h2c", 426),
            ("upgrade", "h2c, WebSocket", 101),
            ("connection", "keep-alive", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-key", "short", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ] {
            assert_eq!(status(&[(name, value)], &[]), wanted, "{name}: {value}");
        }
        let mut without_host = headers(&[]);
        without_host.remove(header::HOST);
        assert_eq!(accepted(&Method::GET, &without_host, &limits(&[]), false).unwrap_err().status, 400);
    }

    #[test]
    fn only_pages_of_this_host_and_of_the_origins_named_connect() {
        let origin = |origin, host, allowed: &[&str]| status(&[("origin", origin), ("host", host)], allowed);
        assert_eq!(origin("http://127.0.0.1:8005", "127.0.0.1:8005", &[]), 101);
        assert_eq!(origin("http://[::1]:8005", "[::1]:8005", &[]), 101);
        assert_eq!(origin("http://LOCALHOST:8005", "localhost:8005", &[]), 101);
        assert_eq!(origin("https://box.example", "box.example", &[]), 101);
        assert_eq!(origin("http://127.0.0.1:8006", "127.0.0.1:8005", &[]), 403, "another port is another origin");
        assert_eq!(origin("http://evil.example:8005", "evil.example:8005", &[]), 403, "a name that was rebound");
        assert_eq!(origin("https://app.example", "127.0.0.1:8005", &[]), 403);
        assert_eq!(origin("https://app.example", "127.0.0.1:8005", &["https://app.example"]), 101);
        assert_eq!(origin("https://app.example.evil", "127.0.0.1:8005", &["https://app.example"]), 403);
        assert_eq!(origin("null", "127.0.0.1:8005", &[]), 403);
        assert_eq!(origin("https://any.example", "any.example", &["*"]), 101);
        assert_eq!(status(&[("origin", "http://127.0.0.1:8005"), ("origin", "http://x")], &[]), 403, "one of two");
    }
}
