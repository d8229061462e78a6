//! The limits of a host one by one, for those who measure them.

use std::{net::IpAddr, sync::Arc, time::Instant};

use super::{
    client::{Crowd, Keys, MAX_CLIENTS, Rate, Seat},
    limit::{Place, Places},
};
use crate::{config::HostConfig, time::SharedClock};

/// What a host limits, without a host.
#[doc(hidden)]
#[derive(Debug)]
pub struct HostLimits {
    keys: Keys,
    rate: Rate,
    crowd: Arc<Crowd>,
    places: Arc<Places>,
}

/// What is held of a limit until it is dropped.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "it is only dropped")]
pub struct Held(#[expect(dead_code, reason = "it is only dropped")] Kept);

enum Kept {
    Seat(#[expect(dead_code, reason = "it is only dropped")] Seat),
    Place(#[expect(dead_code, reason = "it is only dropped")] Place),
}

#[doc(hidden)]
impl HostLimits {
    /// So many requests in a second, and as many at once.
    #[must_use]
    pub fn new(per_second: u32, at_once: u32, clock: SharedClock) -> Self {
        Self {
            keys: Keys::default(),
            rate: Rate::new(per_second, per_second, MAX_CLIENTS, clock.now()),
            crowd: Arc::new(Crowd::new(at_once, MAX_CLIENTS)),
            places: Arc::new(Places::new(&HostConfig::default(), clock)),
        }
    }

    /// The rate of one client at this moment.
    #[must_use]
    pub fn rate(&self, address: IpAddr, now: Instant) -> bool {
        self.rate.take(self.keys.of_address(Some(address)), now).is_ok()
    }

    /// A client's share of what runs at once.
    #[must_use]
    pub fn seat(&self, address: IpAddr) -> Option<Held> {
        self.crowd.enter(self.keys.of_address(Some(address))).map(|seat| Held(Kept::Seat(seat)))
    }

    /// A free place.
    #[must_use]
    pub fn place(&self) -> Option<Held> {
        self.places.free().map(|place| Held(Kept::Place(place)))
    }

    /// How many clients the rate remembers.
    #[must_use]
    pub fn known(&self) -> usize {
        self.rate.known()
    }
}
