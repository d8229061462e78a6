//! Pages of which origins may listen and call.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::HostConfig;

/// The origins that are allowed.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    allowed: Vec<String>,
    /// The name that others are told of this host.
    advertised: Option<String>,
}

impl Origins {
    pub(super) fn of(config: &HostConfig) -> Self {
        Self { allowed: config.ws_origins.clone(), advertised: config.advertise_host.clone() }
    }

    /// The origin of a request that may be served, if it names one; nothing at all if it may not be.
    ///
    /// Whoever sends no origin is no browser. A page may ask the host that it came from, if that is an address, `localhost` or the
    /// name that others are told: any other name may have been made to mean this machine by whoever serves the page.
    #[expect(clippy::option_option, reason = "allowed without an origin and not allowed are two things")]
    pub(super) fn admit(&self, headers: &HeaderMap) -> Option<Option<HeaderValue>> {
        if !headers.contains_key(header::ORIGIN) {
            return Some(None);
        }
        let origin = one(headers, &header::ORIGIN)?;
        let is_named = self.allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin));
        let is_own = || {
            let host = one(headers, &header::HOST)?;
            let (_, from) = origin.split_once("://")?;
            (from.eq_ignore_ascii_case(host) && self.is_ours(host)).then_some(())
        };
        (is_named || is_own().is_some()).then(|| headers.get(header::ORIGIN).cloned())
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(six) => six.split_once(']').map_or(six, |(address, _)| address),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || name.parse::<Ipv6Addr>().is_ok()
            || self.advertised.as_deref().is_some_and(|advertised| advertised.eq_ignore_ascii_case(name))
    }
}

/// The one value of a header.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::trim)
}
