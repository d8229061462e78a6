//! Tickets: a proof for one connection, for those who cannot send a proof with it.
//!
//! A page cannot set headers of its `WebSocket` and its `EventSource`. It proves who it is to `POST /ws/ticket`, which it can send
//! headers to, and puts what it is given into the query of the connection. Queries are written down by proxies, so a ticket is good
//! once and not for long.

mod machine;
mod route;

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

use self::machine::{Machine, Mark, Refused, Shown};
pub(super) use self::route::readable;
use super::{
    client::{Clients, Source},
    mint::Mint,
    origin::one,
    refusal::Refusal,
};
use crate::{config::HostConfig, context::Identity, random::Random, time::SharedClock};

/// Where tickets are given.
pub(super) const PATH: &str = "/ws/ticket";
/// How many bytes nobody guesses: 192 bits, 32 characters.
const BYTES: usize = 24;

/// The tickets of a host.
pub(super) struct Tickets {
    machine: Mutex<Machine>,
    mint: Mint,
    life: Duration,
    clock: SharedClock,
    /// Who shows a wrong one pays for it.
    clients: Option<Arc<Clients>>,
}

impl Tickets {
    pub(super) fn new(config: &HostConfig, clock: SharedClock, random: Random, clients: Option<Arc<Clients>>) -> Self {
        Self {
            machine: Mutex::new(Machine::new(config.ticket_life, config.max_tickets)),
            mint: Mint::new(random),
            life: config.ticket_life,
            clock,
            clients,
        }
    }

    /// Makes one for this identity, and for the pages of this origin if one asked for it.
    fn give(&self, who: Identity, origin: Option<&str>) -> String {
        let ticket = URL_SAFE_NO_PAD.encode(&self.mint.next()[..BYTES]);
        self.lock().give(self.clock.now(), mark(&ticket), who, origin);
        ticket
    }

    /// Takes the ticket of a query, if there is one.
    ///
    /// # Errors
    /// 401 for a ticket that is not good; it counts against the address, so that none is guessed at any speed.
    pub(super) fn take(&self, query: Option<&str>, from: Source<'_>) -> Result<Option<Identity>, Box<Refusal>> {
        let Some(ticket) = query.and_then(in_query) else { return Ok(None) };
        let shown = Shown { origin: one(from.headers, &header::ORIGIN), host: one(from.headers, &header::HOST) };
        let now = self.clock.now();
        let taken = self.lock().take(now, &mark(&ticket), shown);
        taken.map(Some).or_else(|why| {
            if let Some(clients) = &self.clients {
                clients.unproven(from, now).map_err(|(_, refusal)| refusal)?;
            }
            let detail = match why {
                Refused::Unknown => {
                    "the ticket was used, is too old, or was never given; ask for another at `POST /ws/ticket`"
                }
                Refused::OtherOrigin => "the ticket was given to pages of another origin; each page asks for its own",
            };
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "ticket_refused", detail.to_owned()))
        })
    }

    /// How many there are, for `/introspect`.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("life", &self.life).field("count", &self.count()).finish_non_exhaustive()
    }
}

fn mark(ticket: &str) -> Mark {
    Sha256::digest(ticket.as_bytes()).into()
}

/// The ticket in a query; the first, if there are several.
fn in_query(query: &str) -> Option<Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket").map(|(_, value)| value)
}
