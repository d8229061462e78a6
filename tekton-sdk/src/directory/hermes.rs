//! The Hermes hub as a directory, in upstream's dialect.
//!
//! What the hub gets wrong is mended here: ids are matched by listing, because its heartbeat answers 200 after it forgot us;
//! its filters are not used, because they find nothing; who is well is asked of the components, because it rarely knows.

mod tools;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{Directory, DirectoryCapabilities, HealthFilter, Lease, Query, Standing};
use crate::{
    contract::{Capability, Entry, PublishedTool, Registration, Score},
    error::{Error, ErrorKind, Result},
    secret::Secret,
    time::SharedClock,
    transport::{Body, CallInfo, Endpoint, Request, ResponseParts, Safety, Transport},
    wire::{
        health::{HealthStatus, read_health},
        hermes::{self, Ack, ComponentRecord, HeartbeatRequest, RegisterReply, RegisterRequest},
        problem,
    },
};

/// The most bytes that are read of an answer of the hub: 32 MiB, enough for 10,000 components.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// The most bytes that are read of a `/health` body.
const MAX_HEALTH_BYTES: usize = 64 * 1024;
/// A heartbeat within this time says that a component is well; twice the interval of upstream's own clients.
const HEARD_OF: Duration = Duration::from_secs(60);
/// How long the answer of a component's `/health` is believed.
const BELIEVED: Duration = Duration::from_secs(10);
/// How long a component may take for its `/health`.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// How many components are asked at the same time.
const PROBES: usize = 16;
/// The most answers that are remembered.
const MAX_BELIEVED: usize = 4096;

/// The hub that every component registers with. Clones share what they learned.
#[derive(Clone, Debug)]
pub struct HermesDirectory(Arc<Hub>);

#[derive(Debug)]
struct Hub {
    endpoint: Endpoint,
    transport: Arc<dyn Transport>,
    clock: SharedClock,
    timeout: Duration,
    believed: Mutex<HashMap<String, (Instant, Option<bool>)>>,
}

impl HermesDirectory {
    /// Talks to the hub at this endpoint, its base without `/api`; each request may take up to `timeout`.
    #[must_use]
    pub fn new(endpoint: Endpoint, transport: Arc<dyn Transport>, clock: SharedClock, timeout: Duration) -> Self {
        Self(Arc::new(Hub { endpoint, transport, clock, timeout, believed: Mutex::default() }))
    }

    /// Where the hub is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    async fn ask(&self, outgoing: Outgoing<'_>) -> Result<Bytes> {
        let safety = Safety::of_method(&outgoing.method);
        let info = CallInfo::new("hermes", outgoing.path.clone(), safety);
        let mut request = Request::new(outgoing.method, outgoing.path, info).with_endpoint(self.0.endpoint.clone());
        request.query = outgoing.query;
        if let Some(token) = outgoing.token {
            request.headers.insert(HeaderName::from_static("x-authentication-token"), hermes::token_header(token)?);
        }
        if let Some(body) = outgoing.body {
            request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body = Body::full(body);
        }
        let work = async {
            let (status, headers, body) = self.0.fetch(request, MAX_ANSWER_BYTES).await?;
            if status.is_success() {
                return Ok(body);
            }
            Err(problem::read_failure(status, &headers, &body, self.0.clock.wall()))
        };
        let limit = self.0.timeout;
        let done = self.0.clock.timeout(limit, work).await;
        done.unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, format!("no answer of the hub within {limit:?}"))))
            .map_err(|error| error.with_target("hermes"))
    }

    async fn list(&self) -> Result<Vec<Entry>> {
        let body = self.ask(Outgoing::get(hermes::COMPONENTS)).await?;
        let listing = hermes::read_components(&body).map_err(|error| error.with_target("hermes"))?;
        if listing.skipped > 0 {
            tracing::warn!(skipped = listing.skipped, "the hub lists components that cannot be read");
        }
        let now = self.0.clock.wall();
        Ok(listing.components.into_iter().map(|record| entry(record, now)).collect())
    }

    /// The newest listed entry of this id.
    async fn own(&self, id: &str) -> Result<Option<Entry>> {
        let mut own: Vec<_> = self.list().await?.into_iter().filter(|entry| entry.id == id).collect();
        own.sort_by_key(|entry| entry.registered_at);
        Ok(own.pop())
    }

    /// The entry of this lease, unless it is gone or a newer process's.
    async fn listed(&self, lease: &Lease) -> Result<Option<Entry>> {
        Ok(self.own(&lease.id).await?.filter(|entry| entry.endpoint == lease.endpoint))
    }

    /// Removes whatever entry has this id.
    async fn remove(&self, lease: &Lease) -> Result<bool> {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("component_id", &lease.id).finish();
        let outgoing =
            Outgoing { query: Some(query), ..Outgoing::post(hermes::UNREGISTER, lease.token.as_ref(), None) };
        let answer = self.ask(outgoing).await?;
        Ok(Ack::read(&answer).map_err(|error| error.with_target("hermes"))?.success)
    }

    /// Asks those of whom the hub does not know whether they are well.
    async fn verify(&self, entries: &mut [Entry]) {
        let unknown: Vec<_> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.healthy.is_none())
            .map(|(at, entry)| (at, entry.endpoint.clone(), entry.metadata.health_check.clone()))
            .collect();
        let answers = stream::iter(unknown)
            .map(|(at, endpoint, path)| async move { (at, self.0.probe(&endpoint, path).await) })
            .buffer_unordered(PROBES);
        let answers: Vec<_> = answers.collect().await;
        for (at, healthy) in answers {
            entries[at].healthy = healthy;
        }
    }
}

impl Hub {
    async fn fetch(&self, request: Request, cap_bytes: usize) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let response = self.transport.send(request).await?;
        let ResponseParts { status, headers, body, .. } = response.into_parts();
        Ok((status, headers, body.collect(cap_bytes).await?))
    }

    async fn probe(&self, endpoint: &str, path: Option<String>) -> Option<bool> {
        let now = self.clock.now();
        {
            let believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, healthy)) = believed.get(endpoint)
                && now.saturating_duration_since(*at) < BELIEVED
            {
                return *healthy;
            }
        }
        // Who cannot be asked at all, or does not answer, is not well.
        let healthy = match Endpoint::parse(endpoint) {
            Err(_) => Some(false),
            Ok(parsed) => {
                let path = path.filter(|path| path.starts_with('/')).unwrap_or_else(|| "/health".to_owned());
                let request = Request::new(Method::GET, path, CallInfo::new(endpoint, "health", Safety::Read))
                    .with_endpoint(parsed);
                match self.clock.timeout(PROBE_LIMIT, self.fetch(request, MAX_HEALTH_BYTES)).await {
                    Some(Ok((status, _, body))) => match read_health(status, &body).status {
                        HealthStatus::Healthy | HealthStatus::Degraded => Some(true),
                        HealthStatus::Unhealthy => Some(false),
                        _ => None,
                    },
                    Some(Err(_)) | None => Some(false),
                }
            }
        };
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.len() >= MAX_BELIEVED {
            believed.retain(|_, (at, _)| now.saturating_duration_since(*at) < BELIEVED);
        }
        if believed.len() < MAX_BELIEVED {
            believed.insert(endpoint.to_owned(), (now, healthy));
        }
        healthy
    }
}

struct Outgoing<'a> {
    method: Method,
    path: Cow<'static, str>,
    query: Option<String>,
    token: Option<&'a Secret<String>>,
    body: Option<Bytes>,
}

impl<'a> Outgoing<'a> {
    const fn get(path: &'static str) -> Self {
        Self { method: Method::GET, path: Cow::Borrowed(path), query: None, token: None, body: None }
    }

    const fn post(path: &'static str, token: Option<&'a Secret<String>>, body: Option<Bytes>) -> Self {
        Self { method: Method::POST, path: Cow::Borrowed(path), query: None, token, body }
    }
}

fn entry(record: ComponentRecord, now: SystemTime) -> Entry {
    let metadata = record.typed_metadata();
    let score = |name: &str| metadata.scores.get(name).and_then(|score| Score::new(*score).ok());
    let mut capabilities: Vec<_> =
        record.capabilities.iter().map(|name| Capability::new(name.clone(), score(name))).collect();
    // A score without a tag is a capability all the same.
    for name in metadata.primary().iter().chain(metadata.scores.keys()) {
        if !capabilities.iter().any(|c| c.name == *name) {
            capabilities.push(Capability::new(name.clone(), score(name)));
        }
    }
    let last_heartbeat = record.last_heartbeat.and_then(from_epoch);
    let heard = last_heartbeat.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age <= HEARD_OF);
    Entry {
        version: record.version.unwrap_or_default(),
        kind: record.component_type,
        registered_at: record.registered_at.and_then(from_epoch),
        last_heartbeat,
        healthy: record.healthy.or(heard.then_some(true)),
        capabilities,
        metadata,
        ..Entry::new(record.component_id, record.name, record.endpoint.unwrap_or_default())
    }
}

/// What makes the same entry again.
fn registration(entry: Entry) -> Registration {
    let Entry { id, name, version, kind, endpoint, capabilities, metadata, .. } = entry;
    let mut registration = Registration::new(id, name, version, endpoint);
    registration.kind = kind.unwrap_or(registration.kind);
    registration.capabilities = capabilities.into_iter().map(|capability| capability.name).collect();
    registration.metadata = metadata;
    registration
}

fn from_epoch(seconds: f64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[async_trait]
impl Directory for HermesDirectory {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        let Registration { id, name, version, kind, endpoint, capabilities, metadata, .. } = registration;
        let body = RegisterRequest::new(name, version, endpoint)
            .with_component_id(id)
            .with_type(kind)
            .with_capabilities(capabilities)
            .with_metadata(metadata)
            .to_bytes();
        let answer = self.ask(Outgoing::post(hermes::REGISTER, None, Some(body))).await?;
        let reply = RegisterReply::read(&answer).map_err(|error| error.with_target("hermes"))?;
        if !reply.success {
            return Err(Error::new(ErrorKind::Rejected, "the hub refused the registration").with_target("hermes"));
        }
        Ok(Lease::new(id, endpoint).with_token(reply.token))
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        let body = HeartbeatRequest::new(&lease.id).with_status("health", "healthy").to_bytes();
        let accepted = match self.ask(Outgoing::post(hermes::HEARTBEAT, lease.token.as_ref(), Some(body))).await {
            Ok(answer) => Ack::read(&answer).map(|_| true).map_err(|error| error.with_target("hermes"))?,
            // The token has ended, or another process registered our id under another key.
            Err(error) if error.kind() == ErrorKind::Unauthorized => false,
            Err(error) => return Err(error),
        };
        Ok(match self.own(&lease.id).await? {
            Some(entry) if entry.endpoint != lease.endpoint => Standing::Replaced,
            Some(_) if accepted => Standing::Listed,
            Some(_) | None => Standing::Forgotten,
        })
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        // The hub removes by id alone, and an old token stays valid: look first whose entry it is.
        if self.listed(lease).await?.is_none() {
            return Ok(false);
        }
        if lease.token.is_some() {
            match self.remove(lease).await {
                Err(error) if error.kind() == ErrorKind::Unauthorized => {}
                done => return done,
            }
        }
        // Somebody removed the entry meanwhile, or the token has ended or never came: only a registration gives a new one.
        let Some(entry) = self.listed(lease).await? else { return Ok(false) };
        let renewed = self.register(&registration(entry)).await?;
        self.remove(&renewed).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        let mut found: Vec<_> = self.list().await?.into_iter().filter(|entry| query.matches(entry)).collect();
        let choose = query.health() == HealthFilter::Healthy || found.len() > 1;
        if query.health() != HealthFilter::Any && choose {
            self.verify(&mut found).await;
        }
        Ok(query.order(found))
    }

    async fn publish_tools(&self, _: &Lease, tools: &[PublishedTool]) -> Result<()> {
        self.publish(tools).await
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        self.withdraw(lease, ids).await
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        DirectoryCapabilities::full()
    }
}
