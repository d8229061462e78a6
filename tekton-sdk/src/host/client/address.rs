//! From where a request came, seen through the proxies that are believed.

use std::net::IpAddr;

use http::{HeaderMap, header::FORWARDED};
use ipnet::IpNet;

use crate::{
    env,
    wire::forwarded::{X_FORWARDED_FOR, forwarded, x_forwarded_for},
};

/// The peers that are believed when they say for whom they ask.
#[derive(Debug, Default)]
pub(super) struct Trusted {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Trusted {
    /// What is no network is left out; the settings have been checked.
    pub(super) fn new(proxies: &[String]) -> Self {
        let networks = proxies.iter().filter_map(|proxy| env::network(proxy)).collect();
        Self { networks, unix: proxies.iter().any(|proxy| proxy == env::UNIX) }
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The address that a request came from. The headers of a trusted peer are read from the right, past trusted hops, to the
    /// first one that is not trusted; an entry that is no address ends that at the hop before it.
    ///
    /// Where `X-Forwarded-For` and `Forwarded` are both there they must say the same, else the peer itself counts: a proxy
    /// that writes the one hands on whatever the client wrote into the other.
    pub(super) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let believed = peer.map_or(self.unix, |peer| self.holds(peer));
        if !believed {
            return peer;
        }
        let plain = headers.contains_key(X_FORWARDED_FOR).then(|| self.walk(peer, x_forwarded_for(headers)));
        let standard = headers.contains_key(FORWARDED).then(|| self.walk(peer, forwarded(headers)));
        match (plain, standard) {
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    fn walk(&self, peer: Option<IpAddr>, hops: impl IntoIterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut reached = peer;
        for hop in hops {
            let Some(address) = hop else { break };
            reached = Some(address);
            if !self.holds(address) {
                break;
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: Option<&str>, headers: &[(&'static str, &str)]) -> String {
        let trusted: Vec<String> = trusted.iter().copied().map(str::to_owned).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let address = Trusted::new(&trusted).client(peer.map(|peer| peer.parse().unwrap()), &map);
        address.map_or_else(|| "none".to_owned(), |address| address.to_string())
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client(&[], Some("203.0.113.9"), &[(XFF, "192.0.2.1")]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], Some("203.0.113.9"), &[(XFF, "192.0.2.1")]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], None, &[(XFF, "192.0.2.1")]), "none");
        assert_eq!(client(&["10.0.0.0/8"], Some("203.0.113.9"), &[("forwarded", "for=192.0.2.1")]), "203.0.113.9");
    }

    #[test]
    fn a_chain_is_walked_to_the_first_that_is_not_trusted() {
        let trusted = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];
        let through = |peer, list| client(&trusted, Some(peer), &[(XFF, list)]);
        assert_eq!(through("10.0.0.1", "198.51.100.1"), "198.51.100.1");
        // What the client itself wrote stands left of what the first proxy saw.
        assert_eq!(through("10.0.0.1", "1.1.1.1, 198.51.100.1"), "198.51.100.1");
        assert_eq!(through("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2,192.0.2.7"), "198.51.100.1");
        assert_eq!(through("2001:db8::5", "198.51.100.1, 2001:db8::6"), "198.51.100.1");
        assert_eq!(through("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(through("10.0.0.1", ""), "10.0.0.1");
        assert_eq!(client(&trusted, Some("10.0.0.1"), &[]), "10.0.0.1");
        assert_eq!(client(&["unix"], None, &[(XFF, "198.51.100.1")]), "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        let through = |list| client(&["10.0.0.0/8"], Some("10.0.0.1"), &[(XFF, list)]);
        assert_eq!(through("198.51.100.1, unknown"), "10.0.0.1");
        assert_eq!(through("198.51.100.1, junk, 10.0.0.2"), "10.0.0.2");
        assert_eq!(through(&"10.0.0.2,".repeat(1000)), "10.0.0.2");
    }

    #[test]
    fn both_headers_must_say_the_same() {
        let both =
            |plain, standard| client(&["10.0.0.0/8"], Some("10.0.0.1"), &[(XFF, plain), ("forwarded", standard)]);
        assert_eq!(both("198.51.100.1", "for=198.51.100.1"), "198.51.100.1");
        assert_eq!(both("198.51.100.1", "for=1.1.1.1"), "10.0.0.1");
        assert_eq!(
            client(&["10.0.0.0/8"], Some("10.0.0.1"), &[("forwarded", "for=1.1.1.1, for=198.51.100.1")]),
            "198.51.100.1"
        );
    }
}
