//! Where a component listens.

use std::{fmt, sync::Arc};

use url::Url;

use crate::error::{Error, Result};

/// A checked base URL, as `http://127.0.0.1:8005` or `https://mesh.example/rhetor`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Arc<Url>);

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
        Ok(Self(Arc::new(url)))
    }

    /// The scheme: `http`, `https` or `memory`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Host and port as written, as `127.0.0.1:8005`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    /// The host without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, or the scheme's default one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }

    /// The path put before every request's path, without its last slash.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// The URL of a path below this endpoint.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn join(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = Url::clone(&self.0);
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

/// The first characters of a text from elsewhere, for a message.
fn shown(text: &str) -> String {
    // A password may stand before an `@`: such a text is not repeated.
    if text.contains('@') { "***".to_owned() } else { text.chars().take(100).collect() }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
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
}
