//! Who a request counts for, and how much of the host one client may take.

mod address;
mod crowd;
mod key;
mod rate;
mod store;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;

use self::{address::Trusted, key::Key};
pub(super) use self::{
    crowd::{Crowd, Seat},
    key::Keys,
    rate::Rate,
};
use super::{limit::COME_AGAIN, refusal::Refusal};
use crate::{config::HostConfig, context::Identity, telemetry::HostLimit, transport::Inbound};

/// How many clients are told apart; who comes beyond that shares one limit with all others that do.
pub(super) const MAX_CLIENTS: usize = 1 << 17;

/// From where something is asked.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) peer: Option<SocketAddr>,
}

impl<'a> From<&'a Inbound> for Source<'a> {
    fn from(request: &'a Inbound) -> Self {
        Self { headers: &request.headers, peer: request.peer }
    }
}

/// The limits of single clients.
///
/// A client is who is proven, else the address that asks: that of the peer, or what a trusted proxy says for whom it asks.
/// Those without either, within the process and on a Unix socket, are one client.
#[derive(Debug)]
pub(super) struct Clients {
    trusted: Trusted,
    keys: Keys,
    rate: Option<Rate>,
    crowd: Option<Arc<Crowd>>,
}

impl Clients {
    /// `None` if nothing is limited.
    pub(super) fn new(config: &HostConfig, epoch: Instant) -> Option<Self> {
        let per_second = config.client_rate_per_second;
        let rate = per_second.map(|rate| Rate::new(rate, config.client_burst.unwrap_or(rate), MAX_CLIENTS, epoch));
        let crowd = config.client_max_concurrency.map(|most| Arc::new(Crowd::new(most, MAX_CLIENTS)));
        if rate.is_none() && crowd.is_none() {
            return None;
        }
        Some(Self { trusted: Trusted::new(&config.trusted_proxies), keys: Keys::default(), rate, crowd })
    }

    /// Lets a request in, or refuses it. The seat is the client's share of what runs at once, given back when it is dropped.
    ///
    /// # Errors
    /// A refusal by the name of the limit: `rate` or `client_concurrency`.
    pub(super) fn admit(
        &self,
        identity: Option<&Identity>,
        from: Source<'_>,
        now: Instant,
    ) -> Result<Option<Seat>, (HostLimit, Box<Refusal>)> {
        let key = self.key(identity, from);
        self.count(key, now)?;
        let Some(crowd) = &self.crowd else { return Ok(None) };
        crowd.enter(key).map(Some).ok_or_else(|| {
            let detail = format!(
                "client_concurrency: {} requests of this client are being served, which is the limit",
                crowd.most()
            );
            (HostLimit::ClientConcurrency, Refusal::limit(HostLimit::ClientConcurrency, detail, COME_AGAIN))
        })
    }

    /// Counts a request that begins no work: its rate is limited, and nothing else.
    ///
    /// # Errors
    /// As [`Clients::admit`], of the rate alone.
    pub(super) fn charge(
        &self,
        identity: Option<&Identity>,
        from: Source<'_>,
        now: Instant,
    ) -> Result<(), (HostLimit, Box<Refusal>)> {
        self.count(self.key(identity, from), now)
    }

    /// Counts a request with a proof that was not accepted against the address, so that proofs cannot be guessed at any speed.
    ///
    /// # Errors
    /// As [`Clients::admit`], of the rate alone.
    pub(super) fn unproven(&self, from: Source<'_>, now: Instant) -> Result<(), (HostLimit, Box<Refusal>)> {
        self.count(self.of_address(from), now)
    }

    /// How many clients the limits remember.
    pub(super) fn known(&self) -> usize {
        let (rate, crowd) =
            (self.rate.as_ref().map_or(0, Rate::known), self.crowd.as_ref().map_or(0, |crowd| crowd.known()));
        rate.max(crowd)
    }

    fn of_address(&self, from: Source<'_>) -> Key {
        let peer = from.peer.map(|peer| peer.ip().to_canonical());
        self.keys.of_address(self.trusted.client(peer, from.headers))
    }

    fn key(&self, identity: Option<&Identity>, from: Source<'_>) -> Key {
        match identity {
            Some(identity) => self.keys.of_subject(identity.subject()),
            None => self.of_address(from),
        }
    }

    fn count(&self, key: Key, now: Instant) -> Result<(), (HostLimit, Box<Refusal>)> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.take(key, now).map_err(|wait: Duration| {
            let detail =
                format!("rate: this client is served {} requests in a second, and has had them", rate.per_second());
            (HostLimit::Rate, Refusal::limit(HostLimit::Rate, detail, wait))
        })
    }
}
