//! Addresses as people write them.

use std::net::IpAddr;

/// The normal form of a hub's address: scheme, host, port and path, without a trailing `/` or `/api`.
///
/// `None` if it is no http or https URL, or holds a user, a query or a fragment.
#[must_use]
pub fn base_url(text: &str) -> Option<String> {
    // The URL standard drops tabs and line ends silently.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let mut url = url::Url::parse(text).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !plain || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    let mut path = url.path().trim_end_matches('/');
    while let Some(shorter) = path.strip_suffix("/api") {
        path = shorter.trim_end_matches('/');
    }
    let path = path.to_owned();
    url.set_path(&path);
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// A host that can be called: a name, or an address that is not 0.0.0.0 or `::`. Brackets are cut.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bare.unwrap_or(text).parse::<IpAddr>() {
        Ok(ip) => return (!ip.is_unspecified() && (bare.is_none() || ip.is_ipv6())).then(|| ip.to_string()),
        Err(_) if bare.is_some() => return None,
        Err(_) => {}
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 253 && text.chars().all(allowed);
    fits.then(|| text.to_owned())
}

/// The longest path of a Unix socket, as the kernels' `sun_path` takes it with its closing zero.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The path of a socket, or what is wrong with it.
pub(crate) fn socket_path(path: &str) -> Result<&str, String> {
    // An empty host is allowed before an absolute path (RFC 8089 §2).
    let path = path.strip_prefix("//").unwrap_or(path);
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("must hold the absolute path of a socket; give one as unix:/run/name.sock".to_owned());
    }
    if path.ends_with('/') {
        return Err("names a folder; give the path of a socket as unix:/run/name.sock".to_owned());
    }
    if let Some(c) = path.chars().find(|c| c.is_control() || matches!(c, '?' | '#' | '%')) {
        return Err(format!("holds {c:?}, which the path of a socket may not"));
    }
    match path.len() {
        length if length > MAX_SOCKET_PATH => {
            Err(format!("has a path of {length} bytes; a socket's may have {MAX_SOCKET_PATH}"))
        }
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_loses_api_and_slash() {
        let cases = [
            ("http://localhost:8001", "http://localhost:8001"),
            ("http://localhost:8001/", "http://localhost:8001"),
            ("http://localhost:8001/api", "http://localhost:8001"),
            ("HTTP://Hub.example/api/", "http://hub.example"),
            ("https://example/tekton/api//", "https://example/tekton"),
            ("https://example/api/api", "https://example"),
            ("https://example/my-api", "https://example/my-api"),
            ("http://[::1]:8001/api", "http://[::1]:8001"),
        ];
        for (text, base) in cases {
            assert_eq!(base_url(text).as_deref(), Some(base), "{text}");
            assert_eq!(base_url(base).as_deref(), Some(base), "{base} is stable");
        }
        for text in [
            "",
            "localhost:8001",
            "ftp://x",
            "http://",
            "http://u:p@x",
            "http://x?y",
            "http://x#y",
            "http://x/a b",
            "http://x\t",
        ] {
            assert_eq!(base_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_can_be_called() {
        for (text, name) in
            [("hub", "hub"), ("10.0.0.1", "10.0.0.1"), ("[::1]", "::1"), ("::1", "::1"), ("a_b-c.d", "a_b-c.d")]
        {
            assert_eq!(host(text).as_deref(), Some(name), "{text}");
        }
        for text in ["", "0.0.0.0", "::", "[::]", "[10.0.0.1]", "[hub]", "a b", "http://x", "hub:80", "-a", "ä"] {
            assert_eq!(host(text), None, "{text}");
        }
    }
}
