//! What the hub answers, route by route, with upstream's statuses, bodies and defects.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    fault,
    hub::{Hub, State},
    log::token_header,
    token::{self, Verdict},
    tools::tool_of,
};
use crate::{
    secret::Secret,
    transport::Response,
    wire::hermes::{
        self, Ack, ComponentRecord, HeartbeatRequest, QueryRequest, Refusal, RegisterReply, RegisterRequest,
        write_components, write_query,
    },
};

/// A heartbeat within so many seconds makes a component healthy in the listing.
const HEARD_OF: f64 = 60.0;
/// The ports that upstream's health model accepts; on any other its route fails.
const HEALTHY_PORTS: std::ops::RangeInclusive<u16> = 8000..=9999;
/// The release the hub claims to be.
const VERSION: &str = "0.1.0";

/// A route of the hub: what a [`Fault`](super::Fault) may be limited to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /api/register`
    Register,
    /// `POST /api/heartbeat`
    Heartbeat,
    /// `POST /api/unregister`
    Unregister,
    /// `POST /api/query`
    Query,
    /// `GET /api/components`
    Components,
    /// `GET /api/components/{name}`
    Component,
    /// `GET` and `POST /api/mcp/v2/tools`
    Tools,
    /// `GET` and `DELETE /api/mcp/v2/tools/{id}`
    Tool,
    /// `POST /api/mcp/v2/tools/{id}/execute`
    Execute,
    /// `GET /api/a2a/v1/stream/events`
    Events,
    /// `GET /api/health` and `GET /health`
    Health,
    /// Every other path.
    Unknown,
}

impl Route {
    pub(super) fn of(path: &str) -> Self {
        match path {
            hermes::REGISTER => Self::Register,
            hermes::HEARTBEAT => Self::Heartbeat,
            hermes::UNREGISTER => Self::Unregister,
            hermes::QUERY => Self::Query,
            hermes::COMPONENTS => Self::Components,
            hermes::TOOLS => Self::Tools,
            hermes::EVENTS => Self::Events,
            hermes::HEALTH | "/health" => Self::Health,
            _ if component_of(path).is_some() => Self::Component,
            _ => match tool_of(path) {
                Some((_, false)) => Self::Tool,
                Some((_, true)) => Self::Execute,
                None => Self::Unknown,
            },
        }
    }

    /// What it takes; upstream allows the first of them, whatever else it takes.
    const fn methods(self) -> &'static [Method] {
        match self {
            Self::Register | Self::Heartbeat | Self::Unregister | Self::Query | Self::Execute => &[Method::POST],
            Self::Components | Self::Component | Self::Events | Self::Health | Self::Unknown => &[Method::GET],
            Self::Tools => &[Method::POST, Method::GET],
            Self::Tool => &[Method::DELETE, Method::GET],
        }
    }
}

/// A request with its body read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) route: Route,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Hub {
    /// The answer of a hub in which nothing goes wrong.
    pub(super) fn answer(&self, asked: &Asked) -> Response {
        if asked.route == Route::Unknown {
            return refuse(&Refusal::not_found());
        }
        let methods = asked.route.methods();
        if !methods.contains(&asked.method) {
            let allow = methods.first().map_or("GET", Method::as_str);
            return refuse(&Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
                .with_header(header::ALLOW, HeaderValue::from_str(allow).expect("a method is a token"));
        }
        match asked.route {
            Route::Register => self.register(asked),
            Route::Heartbeat => self.heartbeat(asked),
            Route::Unregister => self.unregister(asked),
            Route::Query => self.query(asked),
            Route::Components => self.components(asked),
            Route::Component => self.component(asked),
            Route::Tools => self.tools(asked),
            Route::Tool => self.tool(asked),
            Route::Execute => self.execute(asked),
            Route::Events => Ok(self.stream_events(asked)),
            Route::Health if asked.path == hermes::HEALTH => Ok(self.health()),
            Route::Health | Route::Unknown => Ok(self.root_health()),
        }
        .unwrap_or_else(|refusal| refuse(&refusal))
    }

    fn register(&self, asked: &Asked) -> Result<Response, Refusal> {
        let request = RegisterRequest::read(&asked.body)?;
        let id = self.insert(request);
        let token = Secret::new(self.issue(&id));
        Ok(answer(RegisterReply::new(id, token).to_bytes()))
    }

    fn heartbeat(&self, asked: &Asked) -> Result<Response, Refusal> {
        let request = HeartbeatRequest::read(&asked.body);
        let token = asked.headers.get(token_header());
        // Bad JSON is refused before anything else is looked at; all other mistakes are told together.
        let unreadable =
            !asked.body.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&asked.body).is_err();
        let (request, token) = match (request, token) {
            (Ok(request), Some(token)) => (request, token),
            (Ok(_), None) => return Err(Refusal::missing_token()),
            (Err(body), None) if !unreadable => return Err(Refusal::missing_token().and(&body)),
            (Err(body), _) => return Err(body),
        };
        match self.judge(token, &request.component_id) {
            Verdict::Accepted => {}
            Verdict::Refused => return Err(Refusal::unauthorized()),
            Verdict::Crashed => return Ok(fault::plain(500)),
        }
        let now = self.epoch();
        // Who is not registered any more is told yes all the same.
        self.change(|state| {
            if let Some(entry) = state.entries.iter_mut().find(|entry| entry.component_id == request.component_id) {
                entry.last_heartbeat = Some(now);
            }
        });
        Ok(answer(Ack::new("Heartbeat received").with_timestamp(now).to_bytes()))
    }

    fn unregister(&self, asked: &Asked) -> Result<Response, Refusal> {
        let (id, token) = match (asked.parameter("component_id"), asked.headers.get(token_header())) {
            (Some(id), Some(token)) => (id, token),
            (Some(_), None) => return Err(Refusal::missing_token()),
            (None, Some(_)) => return Err(Refusal::missing_query("component_id")),
            (None, None) => return Err(Refusal::missing_query("component_id").and(&Refusal::missing_token())),
        };
        match self.judge(token, &id) {
            Verdict::Accepted => {}
            Verdict::Refused => return Err(Refusal::unauthorized()),
            Verdict::Crashed => return Ok(fault::plain(500)),
        }
        if !self.change(|state| state.forget(&id)) {
            return Err(Refusal::unauthorized());
        }
        Ok(answer(Ack::new("Component unregistered successfully").to_bytes()))
    }

    fn query(&self, asked: &Asked) -> Result<Response, Refusal> {
        let QueryRequest { capability, component_type, healthy_only } = QueryRequest::read(&asked.body)?;
        let found = |entry: &&ComponentRecord| {
            // Health is set by callables of the hub's own process only, so nobody registered over HTTP is healthy.
            !healthy_only
                && capability.as_ref().is_none_or(|wanted| entry.capabilities.contains(wanted))
                && component_type.as_ref().is_none_or(|wanted| entry.component_type.as_ref() == Some(wanted))
        };
        Ok(answer(self.look(|state| write_query(state.entries.iter().filter(found)))))
    }

    fn components(&self, asked: &Asked) -> Result<Response, Refusal> {
        let healthy_only = match asked.parameter("healthy_only") {
            Some(text) => truth(&text).ok_or_else(|| not_boolean("healthy_only", &text))?,
            None => false,
        };
        let capability = asked.parameter("capability").filter(|wanted| !wanted.is_empty());
        let by_type = asked.parameter("component_type").is_some_and(|wanted| !wanted.is_empty());
        let now = self.epoch();
        let found = |entry: &&ComponentRecord| {
            // The listing knows no types, so whoever asks for one finds nobody.
            !by_type
                && capability.as_ref().is_none_or(|wanted| entry.capabilities.contains(wanted))
                && (!healthy_only || entry.last_heartbeat.is_some_and(|at| now - at <= HEARD_OF))
        };
        Ok(answer(self.look(|state| write_components(state.entries.iter().filter(found)))))
    }

    fn component(&self, asked: &Asked) -> Result<Response, Refusal> {
        let name = component_of(&asked.path).map(decoded).unwrap_or_default();
        let found =
            self.look(|state| state.entries.iter().find(|entry| entry.name == name).map(ComponentRecord::to_bytes));
        found.map(answer).ok_or_else(|| Refusal::component_not_found(&name))
    }

    /// Upstream's shared model in camelCase; the keys inside `details` are no fields and stay as they are.
    fn health(&self) -> Response {
        let port = self.claimed_port();
        if !HEALTHY_PORTS.contains(&port) {
            return fault::plain(500);
        }
        let body = json!({
            "status": "healthy",
            "component": "hermes",
            "version": VERSION,
            "timestamp": self.timestamp(),
            "uptime": null,
            "port": port,
            "registeredWithHermes": true,
            "dependencies": [],
            "metrics": {},
            "details": { "registered_components": 0, "uptime": 0.0 },
        });
        answer(body.to_string().into())
    }

    fn root_health(&self) -> Response {
        let body = json!({
            "status": "healthy",
            "component": "hermes",
            "version": VERSION,
            "port": self.claimed_port(),
            "registered": true,
            "services": {},
        });
        answer(body.to_string().into())
    }

    fn judge(&self, token: &HeaderValue, component_id: &str) -> Verdict {
        self.look(|state| token::verify(&state.key, token.as_bytes(), component_id, self.seconds()))
    }
}

impl State {
    /// What a restart does.
    pub(super) fn forget_everybody(&mut self) {
        self.entries.clear();
        self.tools.clear();
    }

    /// Removes the entry of this id; tells whether there was one.
    pub(super) fn forget(&mut self, id: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.component_id != id);
        self.entries.len() < before
    }
}

impl Asked {
    /// A parameter of the query; of several the last counts.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref()?;
        let named = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        named.last().map(|(_, value)| value.into_owned())
    }
}

pub(super) fn answer(body: Bytes) -> Response {
    Response::new(StatusCode::OK, body)
}

fn refuse(refusal: &Refusal) -> Response {
    Response::new(refusal.status(), refusal.body().clone())
}

/// The name in `/api/components/{name}`, still encoded.
fn component_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(hermes::COMPONENTS)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// A path's segment with its percent-encoding undone (RFC 3986 §2.1).
pub(super) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        (rest, bytes) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                (&tail[2..], bytes)
            }
            _ => {
                bytes.push(*first);
                (tail, bytes)
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A truth value as pydantic reads one from a query.
fn truth(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["true", "1", "yes", "on", "t", "y"]) {
        Some(true)
    } else if is(&["false", "0", "no", "off", "f", "n"]) {
        Some(false)
    } else {
        None
    }
}

fn not_boolean(name: &str, input: &str) -> Refusal {
    let message = "Input should be a valid boolean, unable to interpret input";
    Refusal::wrong_query("bool_parsing", name, message, Value::from(input))
}
