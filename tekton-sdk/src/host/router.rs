//! From a request to its operation and back to an answer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{Method, StatusCode};
use tracing::{Instrument, Span, field};

use super::{
    Arguments, Identify, Operations, RequestHead,
    client::{Clients, Seat},
    control::{Control, json_answer},
    limit::{COME_AGAIN, Place, Places},
    operations::{Entry, Run},
    origin::Origins,
    refusal::Refusal,
    run::run,
    spend::{self, Purse},
    stream::{Asked, Format, Streams},
    ticket::{self, Tickets},
    topics::Topics,
    watch::Watch,
};
use crate::{
    config::HostConfig,
    context::{Budget, Context, Identity},
    contract::{Operation, OperationKind, Priority},
    error::{Error, ErrorKind, Result},
    random::Random,
    telemetry::{Event, HostLimit, Observers, ServedMetrics, method_name, names, record_trace},
    time::{Deadline, SharedClock},
    transport::{Handler, Inbound, Response},
    wire::{baggage::Baggage, headers, trace::TraceContext},
};

/// A component's routes, with every bound of the host's: what the socket and the memory transport both call.
///
/// 1. control routes, which no limit refuses;
/// 2. version, operation and method;
/// 3. the deadline and the budget: the caller's remaining time and what it may spend, cut to the host's and the operation's limits;
/// 4. who calls, if somebody can tell;
/// 5. the limits of this client: its rate, and what it asks for at once;
/// 6. a place under the limit of the host, in the order of priority;
/// 7. the body, under its cap, read to its end before the operation begins: only then is a closed connection noticed;
/// 8. the operation inside its [`Context`], ended by the deadline, its panic contained.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) control: Control,
    pub(super) operations: Operations,
    pub(super) versions: Vec<u32>,
    pub(super) places: Arc<Places>,
    /// `None`: clients have no limits.
    pub(super) clients: Option<Arc<Clients>>,
    /// `None`: nobody is identified.
    pub(super) identify: Option<Arc<dyn Identify>>,
    pub(super) purse: Purse,
    pub(super) config: HostConfig,
    pub(super) clock: SharedClock,
    pub(super) random: Random,
    pub(super) observers: Observers,
    /// The component's name.
    pub(super) component: Arc<str>,
    pub(super) streams: Arc<Streams>,
    pub(super) origins: Origins,
    pub(super) tickets: Arc<Tickets>,
    /// `None`: it serves no topics.
    pub(super) topics: Option<Arc<Topics>>,
    /// Counts requests for what is not there.
    pub(super) unknown: ServedMetrics,
}

#[async_trait]
impl Handler for Router {
    async fn handle(&self, request: Inbound) -> Response {
        let told = request.headers.contains_key(&headers::BUDGET);
        let mut answer = self.answer_any(request).await;
        // Whatever was not begun has cost nothing, and who set something aside for it is told so. What a stream costs nobody
        // knows before its end.
        if told && !answer.body.is_stream() && !answer.headers.contains_key(&headers::SPENT) {
            spend::tell(&mut answer, None);
        }
        answer
    }
}

/// What a connection is told that is one too many.
fn no_place() -> Box<Refusal> {
    let detail = "connections: as many connections are open as may be, and this one is for control routes alone";
    Refusal::limit(HostLimit::Connections, detail.to_owned(), COME_AGAIN)
}

impl Router {
    async fn answer_any(&self, request: Inbound) -> Response {
        let limits = || self.limits();
        match self.control.answer(&request.path, request.query.as_deref(), &limits) {
            Some(answer) if matches!(request.method, Method::GET | Method::HEAD) => answer,
            Some(_) => Refusal::method("GET").answer(),
            None => match self.route(&request) {
                Ok(Route::Operation(entry)) => self.serve(entry, request).await,
                Ok(Route::Topics(_) | Route::Ticket) if request.spare => no_place().answer(),
                Ok(Route::Topics(topics)) => self.listen(topics, &request).await,
                Ok(Route::Ticket) => self.ticket(&request).await,
                Ok(Route::Stream(id)) => self.cancel(&id, &request).await.unwrap_or_else(|refusal| refusal.answer()),
                Err(refusal) => {
                    let answer = refusal.answer();
                    self.unknown.turned_away(answer.status.as_u16());
                    answer
                }
            },
        }
    }

    fn route(&self, request: &Inbound) -> Result<Route<'_>, Box<Refusal>> {
        if let Some(topics) = self.topics.as_ref().filter(|_| request.path == "/events") {
            return Ok(Route::Topics(topics));
        }
        if request.path == ticket::PATH && (self.config.ws || self.topics.is_some()) {
            return Ok(Route::Ticket);
        }
        let path = request.path.strip_prefix("/api/v").and_then(|rest| rest.split_once('/'));
        let Some((version, name)) = path else {
            let detail = format!("there is nothing at {:?}; operations stand below /api/v1/", shown(&request.path));
            return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_path", detail));
        };
        if !version.parse().is_ok_and(|version: u32| self.versions.contains(&version)) {
            let known: Vec<_> = self.versions.iter().map(|v| format!("v{v}")).collect();
            let detail = format!("API version {:?} is not served; there are: {}", shown(version), known.join(", "));
            return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_version", detail));
        }
        if let Some(id) = name.strip_prefix("streams/") {
            return Ok(Route::Stream(id.into()));
        }
        let Some(entry) = self.operations.get(name) else {
            let known: Vec<_> = self.operations.table().map(|operation| operation.name).collect();
            let detail = format!("there is no operation {:?}; there are: {}", shown(name), known.join(", "));
            return Err(Refusal::unknown_operation(detail, known));
        };
        match (&request.method, entry.operation.kind) {
            (&Method::POST, _) | (&Method::GET | &Method::HEAD, OperationKind::Read) => Ok(Route::Operation(entry)),
            (_, OperationKind::Read) => Err(Refusal::method("POST, GET")),
            (_, OperationKind::Write) => Err(Refusal::method("POST")),
        }
    }

    /// Serves one request, seen from its first moment to its last.
    async fn serve(&self, entry: &Entry, request: Inbound) -> Response {
        let began = self.clock.now();
        let mut watch = Watch::new(self, entry, began);
        let caller = TraceContext::from_headers(&request.headers);
        let trace = match &caller {
            Some(caller) => caller.child(self.random.span_id()),
            None => TraceContext::new_root(self.random.trace_id(), self.random.span_id(), true),
        };
        let span = span_of(&entry.operation, &request);
        let disabled = span.is_disabled();
        if !disabled {
            record_trace(&span, &trace);
            if let Some(caller) = &caller {
                span.record(
                    "parent_span_id",
                    field::display(format_args!("{:016x}", u64::from_be_bytes(caller.parent_id()))),
                );
            }
        }
        let answer = match self.purse.open(&request) {
            Ok(budget) => {
                let work = self.answer(entry, request, trace, budget.clone(), &mut watch, &span);
                let answer = if disabled { work.await } else { work.instrument(span.clone()).await };
                let mut answer = answer.unwrap_or_else(|refusal| refusal.answer());
                if budget.is_some() && !watch.is_handed_over() {
                    spend::tell(&mut answer, budget.as_ref());
                }
                answer
            }
            Err(refusal) => refusal.answer(),
        };
        let status = answer.status;
        watch.status = status.as_u16();
        if !disabled {
            span.record("http.response.status_code", status.as_u16());
            if status.is_server_error() {
                span.record("error.type", status.as_str());
            }
        }
        answer
    }

    async fn answer(
        &self,
        entry: &Entry,
        mut request: Inbound,
        trace: TraceContext,
        budget: Option<Budget>,
        watch: &mut Watch<'_>,
        span: &Span,
    ) -> Result<Response, Box<Refusal>> {
        if request.spare {
            return Err(self.refused(entry, (HostLimit::Connections, no_place())));
        }
        let operation = &entry.operation;
        let limit = self.allowed(operation, headers::deadline(&request.headers))?;
        let deadline = Deadline::after(watch.began, limit);
        let work = async {
            let identity = self.identity(Some(entry), &request).await?;
            let mut context = context_of(&request, trace, identity.clone());
            if let Some(budget) = &budget {
                context = context.with_budget(budget.clone());
            }
            if let (Run::Stream(start), Some(format)) = (&entry.run, Format::accepted(&request.headers)) {
                let (budget, span) = (budget.clone(), span.clone());
                let asked = Asked { entry, start, format, request, identity, context, budget, span };
                return self.open(asked, deadline, watch).await;
            }
            let admission = self.admit(entry, &request, identity.as_ref(), deadline, watch).await?;
            let context = context.with_deadline(Some(deadline));
            let arguments = self.arguments(operation, &mut request).await?;
            let _charge = self.purse.begin(budget.as_ref())?;
            let body = run(entry, context, arguments, admission, self.config.max_stream_bytes).await?;
            Ok(json_answer(StatusCode::OK, body))
        };
        self.clock.timeout(limit, work).await.unwrap_or_else(|| {
            let late = format!("{} did not end within {limit:?}", operation.name);
            Err(Error::new(ErrorKind::Timeout, late).into())
        })
    }

    /// Who calls, if that is proven; a connection that was opened with a ticket has proven it. `None` as the operation is one of the
    /// host's own.
    pub(super) async fn identity(
        &self,
        entry: Option<&Entry>,
        request: &Inbound,
    ) -> Result<Option<Identity>, Box<Refusal>> {
        if let Some(proven) = &request.proven {
            return Ok(Some(proven.clone()));
        }
        let Some(identify) = &self.identify else { return Ok(None) };
        let Inbound { method, path, query, headers, peer, .. } = request;
        let head = RequestHead { method, path, query: query.as_deref(), headers, peer: *peer };
        match identify.identify(&head).await {
            Ok(identity) => Ok(identity),
            Err(error) => {
                if let Some(clients) = &self.clients {
                    let counted = clients.unproven(request.into(), self.clock.now());
                    counted.map_err(|refused| match entry {
                        Some(entry) => self.refused(entry, refused),
                        None => refused.1,
                    })?;
                }
                Err(error.into())
            }
        }
    }

    /// Every limit of the host, one after the other.
    pub(super) async fn admit(
        &self,
        entry: &Entry,
        request: &Inbound,
        identity: Option<&Identity>,
        deadline: Deadline,
        watch: &mut Watch<'_>,
    ) -> Result<Admission, Box<Refusal>> {
        let seat = match &self.clients {
            Some(clients) => {
                clients.admit(identity, request.into(), watch.began).map_err(|refused| self.refused(entry, refused))?
            }
            None => None,
        };
        if let Some(place) = self.places.free() {
            return Ok(Admission { _place: place, _seat: seat });
        }
        let now = self.clock.now();
        // Beginning is of no use where less is left than the operation took at best.
        let latest =
            entry.fastest.get(now).and_then(|fastest| now.checked_add(deadline.remaining(now).checked_sub(fastest)?));
        let waiting = self.places.wait(priority_of(&entry.operation, request), latest);
        let place = waiting.await.map_err(|refused| self.refused(entry, refused))?;
        watch.turn = self.clock.now();
        Ok(Admission { _place: place, _seat: seat })
    }

    pub(super) fn refused(&self, entry: &Entry, (limit, refusal): (HostLimit, Box<Refusal>)) -> Box<Refusal> {
        if let Some(metrics) = &entry.metrics {
            metrics.refused(limit);
        }
        let (component, operation, reason) = (&*self.component, entry.operation.name, limit.name());
        self.observers.tell(&Event::ServeRefused { component, operation, reason });
        refusal
    }

    /// How much of the limits is taken, for `/introspect`.
    fn limits(&self) -> serde_json::Value {
        let (running, waiting) = self.places.taken();
        let clients = self.clients.as_ref().map_or(0, |clients| clients.known());
        let streams = self.streams.count();
        let mut shown = serde_json::json!({
            "running": running,
            "waiting": waiting,
            "clients": clients,
            "streams": streams,
            "tickets": self.tickets.count(),
        });
        if let Some(topics) = &self.topics {
            shown["topics"] = topics.shown();
        }
        shown
    }

    /// The least of the caller's, the operation's and the host's time.
    fn allowed(&self, operation: &Operation, caller: Option<Duration>) -> Result<Duration> {
        let own = operation.timeout.unwrap_or(self.config.request_timeout).min(self.config.request_timeout);
        let limit = caller.map_or(own, |caller| caller.min(own));
        if limit.is_zero() {
            return Err(Error::new(ErrorKind::Timeout, "the deadline had passed before the operation began"));
        }
        Ok(limit)
    }

    /// Takes the body out of the request.
    pub(super) async fn arguments(
        &self,
        operation: &Operation,
        request: &mut Inbound,
    ) -> Result<Arguments, Box<Refusal>> {
        if request.method != Method::POST {
            return Ok(Arguments::from_query(operation, request.query.as_deref().unwrap_or_default())?);
        }
        match std::mem::take(&mut request.body).collect(self.config.max_body_bytes).await {
            Ok(body) => Ok(Arguments::from_json(operation, body)?),
            Err(error) if error.kind() == ErrorKind::Rejected => {
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a request is for.
enum Route<'a> {
    Operation(&'a Entry),
    /// Events that are to be heard.
    Topics(&'a Arc<Topics>),
    /// A ticket for a connection that cannot bring a proof.
    Ticket,
    /// A stream that is to end, by what stands for its id.
    Stream(Box<str>),
}

/// What a request holds of the limits while it is served.
pub(super) struct Admission {
    _place: Place,
    _seat: Option<Seat>,
}

/// The span of an HTTP server, after OpenTelemetry's conventions. The query stays out: it may hold what is nobody's business.
fn span_of(operation: &Operation, request: &Inbound) -> Span {
    let method = method_name(&request.method);
    tracing::debug_span!(
        names::SERVE_SPAN,
        "otel.name" = %format_args!("{method} /api/v{{version}}/{}", operation.name),
        "otel.kind" = "server",
        "http.request.method" = method,
        "http.route" = %format_args!("/api/v{{version}}/{}", operation.name),
        "url.path" = request.path,
        "url.scheme" = "http",
        "http.response.status_code" = field::Empty,
        "error.type" = field::Empty,
        trace_id = field::Empty,
        span_id = field::Empty,
        parent_span_id = field::Empty,
        operation = operation.name,
    )
}

/// The operation's own, or what the caller says if that is lower: nobody raises what asks.
fn priority_of(operation: &Operation, request: &Inbound) -> Priority {
    let said = headers::label(&request.headers, &headers::PRIORITY).and_then(Priority::parse);
    said.map_or(operation.priority, |said| said.min(operation.priority))
}

fn context_of(request: &Inbound, trace: TraceContext, identity: Option<Identity>) -> Context {
    let mut context = Context::new()
        .with_identity(identity)
        .with_trace(Some(trace))
        .with_baggage(Baggage::from_headers(&request.headers))
        .with_attempt(headers::attempt(&request.headers));
    if let Some(caller) = headers::label(&request.headers, &headers::CALLER) {
        context = context.with_caller(caller);
    }
    if let Some(key) = headers::label(&request.headers, &headers::IDEMPOTENCY_KEY) {
        context = context.with_idempotency_key(key);
    }
    context
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
