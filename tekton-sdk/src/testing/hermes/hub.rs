//! The hub behind the socket: what it knows, and how it takes a request.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::sync::{broadcast, watch};

use super::{
    Fault, Route, events,
    fault::{self, Plan},
    log::Log,
    routes::Asked,
    token,
};
use crate::{
    error::ErrorKind,
    random::Random,
    time::SharedClock,
    transport::{Handler, Inbound, Response},
    wire::hermes::{ComponentRecord, HubEvent, RegisterRequest, ToolRecord, ToolRequest},
};

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Like upstream's, the key is no secret: a token of one fake hub is good for every other.
const KEY: &[u8] = b"the fake hub's key";

/// What a hub knows, and how to wait for a change of it.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
    pub(super) events: broadcast::Sender<HubEvent>,
    clock: SharedClock,
    random: Random,
    claimed_port: u16,
}

#[derive(Debug)]
pub(super) struct State {
    /// In the order of their first registration, as upstream's dictionary keeps them.
    pub(super) entries: Vec<ComponentRecord>,
    /// In the order of their first registration.
    pub(super) tools: Vec<ToolRecord>,
    pub(super) log: Log,
    pub(super) plan: Plan,
    pub(super) key: Vec<u8>,
}

impl Hub {
    pub(super) fn new(clock: SharedClock, random: Random, claimed_port: u16) -> Self {
        let state = State {
            entries: Vec::new(),
            tools: Vec::new(),
            log: Log::default(),
            plan: Plan::default(),
            key: KEY.to_vec(),
        };
        let changes = watch::Sender::new(0);
        let events = broadcast::Sender::new(events::MAX_BEHIND);
        Self { state: Mutex::new(state), changes, events, clock, random, claimed_port }
    }

    /// Reads the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state and wakes who waits for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        changed
    }

    /// Waits until what is seen in the state satisfies `holds`, and gives it.
    pub(super) async fn until<T: Send>(
        &self,
        see: impl Fn(&State) -> T + Send,
        mut holds: impl FnMut(&T) -> bool + Send,
    ) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let seen = self.look(&see);
            if holds(&seen) {
                return seen;
            }
            changes.changed().await.expect("the sender lives in `self`");
        }
    }

    /// Keeps a registration as upstream does: the same id replaces, none makes a new entry every time.
    pub(super) fn insert(&self, request: RegisterRequest) -> String {
        let id = match request.component_id.as_ref().filter(|id| !id.is_empty()) {
            Some(id) => id.clone(),
            None => self.made_up_id(&request),
        };
        let record = ComponentRecord::registered(request, &id, self.epoch());
        self.change(|state| match state.entries.iter_mut().find(|entry| entry.component_id == id) {
            Some(entry) => *entry = record,
            None => state.entries.push(record),
        });
        id
    }

    /// Keeps a tool as upstream does: the same id replaces, none makes a new entry every time.
    pub(super) fn insert_tool(&self, request: ToolRequest) -> String {
        let id = match request.id.as_ref().filter(|id| !id.is_empty()) {
            Some(id) => id.clone(),
            None => format!("tool-{}", token::uuid(&self.random)),
        };
        let record = ToolRecord::registered(request, &id, self.epoch());
        self.change(|state| match state.tools.iter_mut().find(|tool| tool.id == id) {
            Some(tool) => *tool = record,
            None => state.tools.push(record),
        });
        id
    }

    fn made_up_id(&self, request: &RegisterRequest) -> String {
        let name = request.name.to_lowercase().replace(' ', "-");
        format!("{}-{name}-{}", request.component_type, &token::uuid(&self.random)[..8])
    }

    /// A new token for this component.
    pub(super) fn issue(&self, id: &str) -> String {
        let token_id = token::uuid(&self.random);
        self.look(|state| token::issue(&state.key, id, &token_id, self.seconds()))
    }

    /// A new id, as upstream makes them.
    pub(super) fn uuid(&self) -> String {
        token::uuid(&self.random)
    }

    pub(super) const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The wall time in seconds since the epoch, as upstream's registry dates its entries.
    pub(super) fn epoch(&self) -> f64 {
        self.since_epoch().as_secs_f64()
    }

    pub(super) fn seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    pub(super) fn timestamp(&self) -> String {
        humantime::format_rfc3339_micros(self.clock.wall()).to_string()
    }

    /// The port it says it listens on.
    pub(super) const fn claimed_port(&self) -> u16 {
        self.claimed_port
    }

    fn since_epoch(&self) -> Duration {
        self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    async fn serve(&self, asked: &Asked) -> Response {
        match self.change(|state| state.plan.take(asked.route)) {
            None => self.answer(asked),
            Some(Fault::Delay(wait)) => {
                self.clock.sleep(wait).await;
                self.answer(asked)
            }
            Some(Fault::Status(status)) => fault::plain(status),
            Some(Fault::Detail(status)) => fault::detail(status),
            Some(Fault::Garbage) => fault::garbage(),
            Some(Fault::Html) => fault::html(),
            Some(Fault::Truncated) => fault::truncated(self.answer(asked)),
            Some(Fault::Broken) => fault::broken(self.answer(asked)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Forget) => {
                self.change(State::forget_everybody);
                self.answer(asked)
            }
        }
    }
}

#[async_trait]
impl Handler for Hub {
    async fn handle(&self, mut request: Inbound) -> Response {
        let body = std::mem::take(&mut request.body).collect(MAX_BODY_BYTES).await;
        let number = self.change(|state| state.log.begin(&request, body.as_deref().unwrap_or_default()));
        let answer = match body {
            Ok(body) => {
                let Inbound { method, path, query, headers, .. } = request;
                self.serve(&Asked { route: Route::of(&path), method, path, query, headers, body }).await
            }
            Err(error) if error.kind() == ErrorKind::Rejected => fault::plain(413),
            Err(_) => fault::plain(400),
        };
        self.change(|state| state.log.end(number, answer.status));
        answer
    }
}
