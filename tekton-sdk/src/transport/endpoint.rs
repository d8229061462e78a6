//! Where a component listens.

#[cfg(feature = "http")]
use std::borrow::Cow;
use std::{fmt, sync::Arc};

use http::uri::Authority;
#[cfg(feature = "http")]
use http::uri::{self, InvalidUri, PathAndQuery, Scheme, Uri};
use url::Url;

use crate::error::{Error, Result};

/// A checked base URL, as `http://127.0.0.1:8005` or `https://mesh.example/rhetor`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    url: Url,
    /// Host and port once more, so that a call need not read them again; `None` where they are more than HTTP allows.
    authority: Option<Authority>,
}

impl Endpoint {
    /// Checks a base URL: a scheme (`http`, `https` or `memory`), a host, no user, no query, no fragment.
    ///
    /// ```
    /// use tekton_sdk::transport::Endpoint;
    ///
    /// let endpoint = Endpoint::parse("http://127.0.0.1:8005/")?;
    /// assert_eq!(endpoint.to_string(), "http://127.0.0.1:8005");
    /// assert!(Endpoint::parse("127.0.0.1:8005").is_err());
    /// # Ok::<(), tekton_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), saying what is wrong with the URL.
    pub fn parse(text: &str) -> Result<Self> {
        let problem = |why: &str| Error::invalid(format!("the endpoint {:?} {why}", shown(text)));
        let mut url =
            Url::parse(text).map_err(|e| problem("is no URL; give one as http://host:port").with_source(e))?;
        if !matches!(url.scheme(), "http" | "https" | "memory") {
            return Err(problem("must begin with http://, https:// or memory://"));
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
        let authority = url.authority().parse().ok();
        Ok(Self(Arc::new(Inner { url, authority })))
    }

    /// The scheme: `http`, `https` or `memory`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.url.scheme()
    }

    /// Host and port as written, as `127.0.0.1:8005`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.url.authority()
    }

    /// The host without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, or the scheme's default one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.url.port_or_known_default()
    }

    /// The path put before every request's path, without its last slash.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.0.url.path().trim_end_matches('/')
    }

    /// The URI of a path below this endpoint. What a URL would have to encode or resolve goes through one, the rest is taken as
    /// it is.
    #[cfg(feature = "http")]
    pub(crate) fn uri(&self, path: Cow<'static, str>, query: Option<&str>) -> Result<Uri> {
        let malformed = |e: http::Error| Error::invalid(format!("the request to {self} is malformed")).with_source(e);
        let plain = path.starts_with('/') && is_plain(&path) && query.is_none_or(is_plain);
        let Some(authority) = self.0.authority.as_ref().filter(|_| plain) else {
            return self.join(&path, query).as_str().parse().map_err(|e: InvalidUri| malformed(e.into()));
        };
        let whole = match (self.base_path(), query) {
            ("", None) => path.into_owned(),
            (base, None) => [base, &path].concat(),
            (base, Some(query)) => [base, &path, "?", query].concat(),
        };
        let mut parts = uri::Parts::default();
        parts.scheme = Some(if self.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(whole).map_err(|e| malformed(e.into()))?);
        Uri::from_parts(parts).map_err(|e| malformed(e.into()))
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.url.as_str().trim_end_matches('/'))
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
        ] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let secret = Endpoint::parse("http://me:pass@h").unwrap_err();
        assert!(!secret.report().contains("pass@"), "{}", secret.report());
    }

    #[test]
    fn a_path_is_joined_below_the_base() {
        let plain = Endpoint::parse("http://h:1").unwrap();
        assert_eq!(plain.join("/api/v1/x", Some("a=b")).as_str(), "http://h:1/api/v1/x?a=b");
        let below = Endpoint::parse("http://h:1/base/").unwrap();
        assert_eq!(below.join("/x", None).as_str(), "http://h:1/base/x");
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_uri_is_what_the_url_would_be() {
        let paths =
            ["/", "/api/v1/x", "/a b", "/ä", "/%41", "/a/../b", "/a/./b", "/.", "/{x}", "/a//b", "/x.y", "", "x"];
        for endpoint in ["http://h:1", "http://h/base/", "http://[::1]:8005", "http://H.example:80/a/b"] {
            let endpoint = Endpoint::parse(endpoint).unwrap();
            for path in paths {
                for query in [None, Some("a=b&c=d+e"), Some("a=%20"), Some("a=ä b"), Some("")] {
                    let uri = endpoint.uri(path.into(), query).unwrap();
                    let url = endpoint.join(path, query);
                    assert_eq!(uri.to_string(), url.to_string(), "{endpoint} {path} {query:?}");
                }
            }
        }
        assert!(Endpoint::parse("http://h").unwrap().uri(format!("/{}", "x".repeat(1 << 16)).into(), None).is_err());
    }
}
