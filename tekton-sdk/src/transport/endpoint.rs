//! Where a component listens.

#[cfg(feature = "http")]
use std::borrow::Cow;
use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    path::Path,
    sync::{Arc, LazyLock},
};

#[cfg(feature = "http")]
use bytes::Bytes;
#[cfg(feature = "http2")]
use http::uri::{Authority, Scheme};
#[cfg(feature = "http")]
use http::{
    HeaderValue,
    uri::{InvalidUri, PathAndQuery, Uri},
};
#[cfg(feature = "http")]
use url::Position;
use url::Url;

use crate::{
    env::socket_path,
    error::{Error, Result},
};

/// What stands for host and port of a Unix socket, in the `Host` header too.
const LOCALHOST: &str = "localhost";

/// A checked base URL, as `http://127.0.0.1:8005`, `https://mesh.example/rhetor` or `unix:/run/engram.sock`; cheap to clone.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    /// What two endpoints are compared by, and what is shown.
    text: Box<str>,
    /// The text, hashed once: endpoints are looked up at every call.
    hash: u64,
    /// Of a Unix socket, the URL that its requests would have on a port.
    url: Url,
    /// The socket's path, of a Unix socket.
    socket: Option<Box<Path>>,
    /// Host and port once more, so that a call need not read them again; `None` where they are more than HTTP allows.
    #[cfg(feature = "http2")]
    authority: Option<Authority>,
    #[cfg(feature = "http")]
    host: Option<HeaderValue>,
}

impl Endpoint {
    /// Checks a base URL: a scheme (`http`, `https`, `ws`, `wss` or `memory`), a host, no user, no query, no fragment; or the absolute path
    /// of a Unix socket behind `unix:`.
    ///
    /// ```
    /// use tekton_sdk::transport::Endpoint;
    ///
    /// let endpoint = Endpoint::parse("http://127.0.0.1:8005/")?;
    /// assert_eq!(endpoint.to_string(), "http://127.0.0.1:8005");
    /// assert!(Endpoint::parse("127.0.0.1:8005").is_err());
    /// let socket = Endpoint::parse("unix:/run/engram.sock")?;
    /// assert_eq!((socket.scheme(), socket.authority(), socket.port()), ("unix", "localhost", None));
    /// # Ok::<(), tekton_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), saying what is wrong with the URL.
    pub fn parse(text: &str) -> Result<Self> {
        let problem = |why: &str| Error::invalid(format!("the endpoint {:?} {why}", shown(text)));
        if let Some(path) = text.strip_prefix("unix:") {
            let path = socket_path(path).map_err(|why| problem(&why))?;
            // A constant that is a URL; were it none, there would be no URL at all.
            let url = Url::parse("http://localhost").map_err(|e| problem("is no URL").with_source(e))?;
            return Ok(Self::of(format!("unix:{path}"), url, Some(Path::new(path).into())));
        }
        let mut url =
            Url::parse(text).map_err(|e| problem("is no URL; give one as http://host:port").with_source(e))?;
        if !matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "memory") {
            return Err(problem("must begin with http://, https://, ws://, wss://, memory:// or unix:/"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(problem("names no host; give one as http://host:port"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("an endpoint holds a user or a password; leave them out of the URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(problem("must end before the query"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self::of(url.as_str().trim_end_matches('/').to_owned(), url, None))
    }

    fn of(text: String, url: Url, socket: Option<Box<Path>>) -> Self {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(Arc::new(Inner {
            hash: SEED.hash_one(&text),
            text: text.into(),
            socket,
            #[cfg(feature = "http")]
            host: HeaderValue::from_str(url.authority()).ok(),
            #[cfg(feature = "http2")]
            authority: url.authority().parse().ok(),
            url,
        }))
    }

    /// The scheme: `http`, `https`, `ws`, `wss`, `memory` or `unix`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        if self.0.socket.is_some() { "unix" } else { self.0.url.scheme() }
    }

    /// Host and port as written, as `127.0.0.1:8005`; `localhost` for a Unix socket.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.url.authority()
    }

    /// The host without brackets; `localhost` for a Unix socket.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.url.host_str().unwrap_or(LOCALHOST).trim_matches(['[', ']'])
    }

    /// The port, or the scheme's default one; a Unix socket has none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.url.port_or_known_default().filter(|_| self.0.socket.is_none())
    }

    /// The path of the Unix socket, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.0.socket.as_deref()
    }

    /// The value of the `Host` header, if host and port can stand in one.
    #[cfg(feature = "http")]
    pub(super) fn host_header(&self) -> Option<&HeaderValue> {
        self.0.host.as_ref()
    }

    /// The path put before every request's path, without its last slash.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.0.url.path().trim_end_matches('/')
    }

    /// The URI of a path below this endpoint, with scheme and host. What a URL would have to encode or resolve goes through one,
    /// the rest is taken as it is.
    #[cfg(feature = "http2")]
    pub(super) fn uri(&self, path: Cow<'static, str>, query: Option<&str>) -> Result<Uri> {
        let malformed = |e: http::Error| Error::invalid(format!("the request to {self} is malformed")).with_source(e);
        let mut parts = self.target(path, query)?.into_parts();
        let Some(authority) = self.0.authority.clone() else {
            return Err(Error::invalid(format!("{self} names a host that HTTP does not allow")));
        };
        parts.scheme = Some(if self.0.url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority);
        Uri::from_parts(parts).map_err(|e| malformed(e.into()))
    }

    /// The target of a request to a path below this endpoint in origin form (RFC 9112 §3.2.1). What a URL would have to encode
    /// or resolve goes through one, the rest is taken as it is.
    #[cfg(feature = "http")]
    pub(super) fn target(&self, path: Cow<'static, str>, query: Option<&str>) -> Result<Uri> {
        let malformed = |e: InvalidUri| Error::invalid(format!("the request to {self} is malformed")).with_source(e);
        let plain = path.starts_with('/') && is_plain(&path) && query.is_none_or(is_plain);
        let whole = if plain {
            match (self.base_path(), query, path) {
                ("", None, Cow::Borrowed(path)) => Bytes::from_static(path.as_bytes()),
                ("", None, Cow::Owned(path)) => path.into(),
                (base, None, path) => [base, &path].concat().into(),
                (base, Some(query), path) => [base, &path, "?", query].concat().into(),
            }
        } else {
            Bytes::copy_from_slice(self.join(&path, query)[Position::BeforePath..Position::AfterQuery].as_bytes())
        };
        PathAndQuery::from_maybe_shared(whole).map(Uri::from).map_err(malformed)
    }

    /// The URL of a path below this endpoint.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn join(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.0.url.clone();
        match self.base_path() {
            "" => url.set_path(path),
            base => {
                let whole = format!("{base}{path}");
                url.set_path(&whole);
            }
        }
        url.set_query(query);
        url
    }
}

/// A path and a query as a URL has them: what it would have to encode or resolve goes through one, the rest is taken as it is.
#[cfg(feature = "websocket")]
pub(crate) fn encoded(path: Cow<'static, str>, query: Option<String>) -> (String, Option<String>) {
    if path.starts_with('/') && is_plain(&path) && query.as_deref().is_none_or(is_plain) {
        return (path.into_owned(), query);
    }
    // A constant that is a URL; were it none, the path would go as it is, and be refused.
    let Ok(mut url) = Url::parse("ws://localhost") else { return (path.into_owned(), query) };
    url.set_path(&path);
    url.set_query(query.as_deref());
    (url.path().to_owned(), url.query().map(str::to_owned))
}

/// Whether a URL would keep this part of it as it is: no character to encode, no `.` or `..` to resolve.
#[cfg(feature = "http")]
fn is_plain(part: &str) -> bool {
    let keeps = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~' | b'=' | b'&' | b'+');
    part.bytes().all(keeps) && !part.contains("/.")
}

/// The first characters of a text from elsewhere, for a message.
fn shown(text: &str) -> String {
    // A password may stand before an `@`: such a text is not repeated.
    if text.contains('@') { "***".to_owned() } else { text.chars().take(100).collect() }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl std::str::FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_endpoints_are_refused_with_a_sentence() {
        for (text, word) in [
            ("", "no URL"),
            ("localhost:8005", "must begin"),
            ("http://", "no URL"),
            ("ftp://x", "must begin"),
            ("http://h:99999", "no URL"),
            ("http://h?x=1", "query"),
            ("memory:", "no host"),
            ("unix:", "absolute path"),
            ("unix:run/x.sock", "absolute path"),
            ("unix://host/x.sock", "absolute path"),
            ("unix:////x.sock", "absolute path"),
            ("unix:/", "a folder"),
            ("unix:/run/", "a folder"),
            ("unix:/run/x?y", "'?'"),
            ("unix:/run/x%20", "'%'"),
            ("unix:/run/x\0", "'\\0'"),
        ] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let secret = Endpoint::parse("http://me:pass@h").unwrap_err();
        assert!(!secret.report().contains("pass@"), "{}", secret.report());
    }

    #[test]
    fn a_socket_is_an_endpoint_as_long_as_the_kernel_takes_its_path() {
        let socket = Endpoint::parse("unix:/run/a b/ä.sock").unwrap();
        assert_eq!(socket.to_string(), "unix:/run/a b/ä.sock");
        assert_eq!(socket.socket(), Some(Path::new("/run/a b/ä.sock")));
        assert_eq!((socket.host(), socket.port(), socket.base_path()), ("localhost", None, ""));
        assert_eq!(Endpoint::parse("unix:///run/a b/ä.sock").unwrap(), socket);
        assert_ne!(Endpoint::parse("unix:/run/b.sock").unwrap(), socket);
        assert_ne!(Endpoint::parse("http://localhost").unwrap(), Endpoint::parse("unix:/localhost").unwrap());
        let long = |length: usize| Endpoint::parse(&format!("unix:/{}", "x".repeat(length - 1)));
        assert!(long(103).is_ok());
        let error = long(108).unwrap_err().to_string();
        assert!(
            error.ends_with("has a path of 108 bytes; a socket's may have 107") || !cfg!(target_os = "linux"),
            "{error}"
        );
    }

    #[test]
    fn a_path_is_joined_below_the_base() {
        let plain = Endpoint::parse("http://h:1").unwrap();
        assert_eq!(plain.join("/api/v1/x", Some("a=b")).as_str(), "http://h:1/api/v1/x?a=b");
        let below = Endpoint::parse("http://h:1/base/").unwrap();
        assert_eq!(below.join("/x", None).as_str(), "http://h:1/base/x");
    }

    #[cfg(feature = "http2")]
    #[test]
    fn a_uri_is_what_the_url_would_be_and_a_target_is_its_end() {
        let paths =
            ["/", "/api/v1/x", "/a b", "/ä", "/%41", "/a/../b", "/a/./b", "/.", "/{x}", "/a//b", "/x.y", "", "x"];
        for endpoint in ["http://h:1", "http://h/base/", "http://[::1]:8005", "http://H.example:80/a/b", "https://h"] {
            let endpoint = Endpoint::parse(endpoint).unwrap();
            for path in paths {
                for query in [None, Some("a=b&c=d+e"), Some("a=%20"), Some("a=ä b"), Some("")] {
                    let uri = endpoint.uri(path.into(), query).unwrap();
                    let owned = endpoint.target(path.to_owned().into(), query).unwrap();
                    let url = endpoint.join(path, query);
                    assert_eq!(uri.to_string(), url.to_string(), "{endpoint} {path} {query:?}");
                    assert_eq!(owned.to_string(), url[Position::BeforePath..], "{endpoint} {path} {query:?}");
                    assert_eq!(uri.path_and_query(), owned.path_and_query());
                }
            }
        }
        let long = format!("/{}", "x".repeat(1 << 16));
        assert!(Endpoint::parse("http://h").unwrap().target(long.into(), None).is_err());
    }
}
