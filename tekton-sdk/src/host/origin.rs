//! Pages of which origins may listen and call, and under which names this host may be asked.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::refusal::Refusal;
use crate::config::HostConfig;

/// From where a browser says that a request comes (Fetch Metadata, §2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins and the names that are allowed.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    allowed: Vec<String>,
    /// The names of this host, without ports; `*` is any.
    hosts: Vec<String>,
}

impl Origins {
    pub(super) fn of(config: &HostConfig) -> Self {
        let of_origins = config.ws_origins.iter().filter_map(|origin| match origin.split_once("://") {
            Some((_, authority)) => name_of(authority),
            // Where pages of any origin may come, no name makes them others.
            None => (origin == "*").then_some("*"),
        });
        let hosts = config.allowed_hosts.iter().chain(&config.advertise_host).map(String::as_str).chain(of_origins);
        Self { allowed: config.ws_origins.clone(), hosts: hosts.map(str::to_owned).collect() }
    }

    /// The origin of a request that may be served, if it names one.
    ///
    /// Whoever serves a page can make any name mean this machine, and its page then asks for what is of its own origin: so the name
    /// that is asked for must be an address, `localhost`, or one that was named. Then a page may ask the host that it came from, and
    /// pages of origins that were named may.
    ///
    /// # Errors
    /// 403, saying what to name.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Box<Refusal>> {
        let refused = |code: &str, detail: &str| Err(Refusal::new(StatusCode::FORBIDDEN, code, detail.to_owned()));
        let host = one(headers, &header::HOST);
        // Browsers always say whom they ask; a request within the process says nothing.
        if headers.contains_key(header::HOST) && !host.and_then(name_of).is_some_and(|name| self.is_ours(name)) {
            let detail =
                "`Host` is no name of this component; name it in `host.allowed_hosts` if it is asked for by that";
            return refused("host_refused", detail);
        }
        let from_elsewhere = "pages of this origin may not do this; name it in `host.ws_origins` if they should";
        let Some(said) = headers.get(header::ORIGIN) else {
            // A page of another origin can have a browser ask without saying so, as for an image.
            let is_own = !headers.contains_key(SEC_FETCH_SITE)
                || matches!(one(headers, &SEC_FETCH_SITE), Some("same-origin" | "none"));
            return if is_own { Ok(None) } else { refused("origin_refused", from_elsewhere) };
        };
        let is_allowed = one(headers, &header::ORIGIN).is_some_and(|origin| {
            let is_named = self.allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin));
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            is_named || authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
        });
        if is_allowed { Ok(Some(said.clone())) } else { refused("origin_refused", from_elsewhere) }
    }

    fn is_ours(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || name.parse::<Ipv6Addr>().is_ok()
            || self.hosts.iter().any(|host| host == "*" || host.eq_ignore_ascii_case(name))
    }
}

/// The host of an authority without its port, and without the brackets of an address.
fn name_of(authority: &str) -> Option<&str> {
    let is_port =
        |port: &str| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let (name, port) = match authority.strip_prefix('[') {
        Some(six) => six.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    is_port(port).then_some(name)
}

/// The one value of a header.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let config = HostConfig::default().with_advertise_host("box.example").with_allowed_hosts(["kitchen.internal"]);
        Origins::of(&config.with_ws_origins(["https://app.example:8443"]))
    }

    /// The code of the refusal, if it is one.
    fn told(origins: &Origins, lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        match origins.admit(&headers) {
            Ok(None) => "no origin".to_owned(),
            Ok(Some(origin)) => origin.to_str().unwrap().to_owned(),
            Err(refusal) => refusal.into_problem().code,
        }
    }

    #[test]
    fn a_name_that_somebody_else_may_have_given_this_machine_is_none() {
        for (host, wanted) in [
            ("127.0.0.1:8005", true),
            ("[::1]:8005", true),
            ("[::1]", true),
            ("192.0.2.7", true),
            ("LocalHost:8005", true),
            ("box.example", true),
            ("kitchen.internal:80", true),
            ("app.example", true),
            ("evil.example:8005", false),
            ("box.example.evil", false),
            ("localhost.evil.example", false),
            ("evil.localhost", false),
            ("localhost:evil", false),
            ("evil@localhost", false),
            ("[::1", false),
            ("", false),
        ] {
            let wanted = if wanted { "no origin" } else { "host_refused" };
            assert_eq!(told(&origins(), &[("host", host)]), wanted, "{host}");
        }
        assert_eq!(told(&origins(), &[]), "no origin", "no browser leaves it out");
        assert_eq!(told(&origins(), &[("host", "localhost"), ("host", "localhost")]), "host_refused");
        let any = Origins::of(&HostConfig::default().with_allowed_hosts(["*"]));
        assert_eq!(told(&any, &[("host", "evil.example")]), "no origin");
        let any = Origins::of(&HostConfig::default().with_ws_origins(["*"]));
        assert_eq!(told(&any, &[("host", "any.example"), ("origin", "https://x.example")]), "https://x.example");
    }

    #[test]
    fn a_page_that_says_no_origin_is_known_by_where_its_browser_says_that_it_is_from() {
        for (site, wanted) in [
            ("same-origin", "no origin"),
            ("none", "no origin"),
            ("same-site", "origin_refused"),
            ("cross-site", "origin_refused"),
            ("", "origin_refused"),
        ] {
            assert_eq!(told(&origins(), &[("host", "localhost"), ("sec-fetch-site", site)]), wanted, "{site}");
        }
        let lines = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("origin", "https://app.example:8443")];
        assert_eq!(told(&origins(), &lines), "https://app.example:8443", "which was named");
    }
}
