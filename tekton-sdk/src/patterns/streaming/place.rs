//! Where a stream is asked for: redirects are followed for one connection, and the next one begins at the beginning.

use http::StatusCode;
use url::Url;

/// How many redirects in a row are followed, as in the Fetch standard.
const MAX_REDIRECTS: u32 = 20;

/// A URL and where it leads at the moment.
#[derive(Clone, Debug)]
pub(super) struct Place {
    start: Url,
    at: Url,
    followed: u32,
    crossed: bool,
    plain: bool,
}

impl Place {
    pub(super) fn new(start: Url) -> Self {
        Self { at: start.clone(), start, followed: 0, crossed: false, plain: false }
    }

    /// Where the next request goes.
    pub(super) const fn url(&self) -> &Url {
        &self.at
    }

    /// Whether a redirect led to another origin on the way, so that what proves who the caller is must stay behind.
    pub(super) const fn crossed(&self) -> bool {
        self.crossed
    }

    /// Whether a redirect turned the request into a `GET` without a body (RFC 9110 §15.4).
    pub(super) const fn is_plain(&self) -> bool {
        self.plain
    }

    /// Begins at the beginning.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.start.clone());
    }

    /// Goes where an answer of this status leads.
    pub(super) fn follow(&mut self, status: u16, location: Option<&str>) -> Result<(), &'static str> {
        let location = location.filter(|location| !location.is_empty()).ok_or("names no place to go to")?;
        if self.followed >= MAX_REDIRECTS {
            return Err("is one more than the 20 in a row that are followed");
        }
        let mut to = self.at.join(location).map_err(|_| "names a place that is no URL")?;
        to.set_fragment(None);
        if !to.username().is_empty() || to.password().is_some() {
            return Err("names a user or a password");
        }
        if !matches!(to.scheme(), "http" | "https" | "memory")
            || (self.at.scheme() == "https" && to.scheme() != "https")
        {
            return Err("leads to a scheme that is not followed");
        }
        self.crossed |= origin(&to) != origin(&self.at);
        // 307 and 308 keep the method; 303 does not, and 301 and 302 never did for POST.
        self.plain |= matches!(status, 301..=303);
        self.followed += 1;
        self.at = to;
        Ok(())
    }
}

/// Whether an answer of this status leads elsewhere.
pub(super) const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301..=303 | 307 | 308)
}

/// Scheme, host and port; what `Url` calls an origin knows no scheme of ours.
fn origin(url: &Url) -> (&str, Option<&str>, Option<u16>) {
    (url.scheme(), url.host_str(), url.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::new(Url::parse(url).unwrap())
    }

    #[test]
    fn a_redirect_is_followed_from_where_it_stands_and_forgotten_afterwards() {
        let mut place = place("https://h/a/b?x=1");
        place.follow(307, Some("c?y=2#part")).unwrap();
        assert_eq!((place.url().as_str(), place.crossed(), place.is_plain()), ("https://h/a/c?y=2", false, false));
        place.follow(302, Some("https://h:444/d")).unwrap();
        assert_eq!((place.url().as_str(), place.crossed(), place.is_plain()), ("https://h:444/d", true, true));
        place.follow(308, Some("https://h/")).unwrap();
        assert!(place.crossed(), "what stayed behind does not come back");
        place.restart();
        assert_eq!((place.url().as_str(), place.crossed(), place.is_plain()), ("https://h/a/b?x=1", false, false));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (location, said) in [
            (None, "no place"),
            (Some(""), "no place"),
            (Some("http://["), "no URL"),
            (Some("https://u:p@h/"), "a user"),
            (Some("http://h/"), "scheme"),
            (Some("ftp://h/"), "scheme"),
            (Some("javascript:1"), "scheme"),
        ] {
            let error = place("https://h/").follow(301, location).unwrap_err();
            assert!(error.contains(said), "{location:?}: {error}");
        }
        let mut round = place("http://h/");
        let followed = (0..100).take_while(|_| round.follow(307, Some("http://h/")).is_ok()).count();
        assert_eq!(followed, 20);
    }
}
