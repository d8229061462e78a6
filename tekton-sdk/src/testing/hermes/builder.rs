//! What can be said of a hub before it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{FakeHermes, hub::Hub};
use crate::{
    error::Result,
    random::Random,
    time::{Clock, SharedClock},
};

/// Upstream's default port, claimed by a hub that was given none.
const DEFAULT_PORT: u16 = 8001;

/// Builds a [`FakeHermes`].
#[derive(Debug)]
#[must_use = "nothing listens until `start` is awaited"]
pub struct FakeHermesBuilder {
    address: IpAddr,
    port: u16,
    clock: SharedClock,
    random: Random,
}

impl Default for FakeHermesBuilder {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), port: 0, clock: SharedClock::default(), random: Random::new() }
    }
}

impl FakeHermesBuilder {
    /// Listens on this address. Default: 127.0.0.1.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Listens on this port; upstream's is 8001. Default: 0, any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Takes the time from this clock: what dates entries and tokens, and what delays wait for.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// Makes ids and tokens from this source.
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// Starts the hub.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) naming the port, if it is taken.
    pub async fn start(self) -> Result<FakeHermes> {
        FakeHermes::open(self.hub(), SocketAddr::new(self.address, self.port)).await
    }

    /// The hub without its socket.
    pub(super) fn hub(&self) -> Hub {
        let claimed_port = if self.port == 0 { DEFAULT_PORT } else { self.port };
        Hub::new(self.clock.clone(), self.random.clone(), claimed_port)
    }
}
