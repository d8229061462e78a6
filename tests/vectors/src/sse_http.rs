//! What a client of event streams does over its connections: played without a socket, under a clock that moves by itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tekton_sdk::{
    patterns::streaming::{Ended, Events, ReconnectConfig, SseClient},
    testing::{SseAnswer, SseRequest, SseScript},
    time::SharedClock,
    transport::MemoryTransport,
};

use crate::{Case, Miss, Suite, sse_parse::hex};

pub(crate) const SUITE: Suite = Suite {
    name: "sse-http",
    rules: &[],
    capabilities: &["post", "read-timeout", "restart", "server-directed shutdown"],
    check,
};

/// How long what is expected may take to come: less than the idle time-out, which would change what is seen.
const LONGEST: Duration = Duration::from_secs(40);

/// How long nothing more may come afterwards, unless the case says.
const OBSERVED_MS: u64 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    client: Client,
    server: Vec<Answer>,
    expect: Expect,
    observe_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    method: Option<String>,
    body: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    initial_delay_ms: Option<u64>,
    read_timeout_ms: Option<u64>,
    last_event_id: Option<String>,
    close_after_events: Option<usize>,
    restart_after_events: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<Part>,
    end: End,
    path: Option<String>,
    origin: Option<Origin>,
    chunk_size: Option<usize>,
    #[serde(default)]
    repeat_forever: bool,
    /// A connection that is closed carries nothing: there is nothing to play.
    #[serde(rename = "after_client_close")]
    _after_client_close: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Part {
    Text(String),
    Hex { hex: String },
    Sleep { sleep_ms: u64 },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    Close,
    Break,
    Hold,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Origin {
    Other,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    requests: Option<Vec<Wanted>>,
    events: Option<Vec<Event>>,
    request_count: Option<usize>,
    request_count_max: Option<usize>,
    error: Option<bool>,
    state: Option<State>,
    within_ms: Option<u64>,
    min_gap_ms: Option<u64>,
    observe_ms: Option<u64>,
    one_of: Option<Vec<Expect>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    method: Option<String>,
    path: Option<String>,
    body: Option<String>,
    headers: BTreeMap<String, String>,
    headers_hex: BTreeMap<String, String>,
    absent: Vec<String>,
    gap_ms_min: Option<u64>,
    gap_ms_max: Option<u64>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Event {
    r#type: String,
    data: String,
    last_event_id: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Closed,
}

/// What was seen of a client.
struct Seen {
    events: Vec<Event>,
    requests: Vec<SseRequest>,
    /// Why it failed, or that the server wanted no more of it; when.
    error: Option<(String, Duration)>,
    state: State,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let scenario: Scenario = case.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("there is no runtime: {error}"))?;
    let seen = runtime.block_on(scenario.play())?;
    for (at, (answer, request)) in scenario.server.iter().zip(&seen.requests).enumerate() {
        if answer.path.as_ref().is_some_and(|wanted| *wanted != request.path) {
            return Err(format!("requests[{at}]: went to {:?}", request.path).into());
        }
    }
    if let Some(any) = &scenario.expect.one_of {
        let differs: Vec<_> = any.iter().filter_map(|one| one.differs(&seen)).collect();
        return if differs.len() < any.len() {
            Ok(())
        } else {
            Err(format!("none of: {}", differs.join("; or ")).into())
        };
    }
    scenario.expect.differs(&seen).map_or(Ok(()), |why| Err(why.into()))
}

fn name(text: &str) -> Result<HeaderName, String> {
    HeaderName::try_from(text).map_err(|error| format!("the header {text:?}: {error}"))
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|error| format!("the header's value {text:?}: {error}"))
}

impl Scenario {
    async fn play(&self) -> Result<Seen, String> {
        let clock = SharedClock::default();
        let transport = MemoryTransport::new();
        let scripts = ["server", "other"].map(|_| SseScript::new(clock.clone()));
        let bind = |name, script: &SseScript| transport.bind(name, Arc::new(script.clone())).map_err(|e| e.report());
        let _bound = [bind("server", &scripts[0])?, bind("other", &scripts[1])?];
        for answer in &self.server {
            let script = &scripts[usize::from(answer.origin.is_some())];
            let played = answer.played()?;
            if answer.repeat_forever {
                script.always(played)
            } else {
                script.answer(played)
            };
        }
        let mut events = self.client(transport)?;
        let began = clock.now();
        let mut seen = Seen { events: Vec::new(), requests: Vec::new(), error: None, state: State::Open };
        let mut left = LONGEST;
        loop {
            let complete = self.expected(&seen.events, &scripts);
            // Once everything has come, nothing more may come for a while.
            if complete {
                let more = self.observe_ms.or(self.expect.observe_ms).unwrap_or(OBSERVED_MS);
                left = left.min(Duration::from_millis(more));
            }
            let step = left.min(Duration::from_millis(50));
            match clock.timeout(step, events.next()).await {
                None => left = left.saturating_sub(step),
                Some(Some(Ok(event))) => {
                    seen.events.push(Event { r#type: event.kind, data: event.data, last_event_id: event.id });
                    let so_many = Some(seen.events.len());
                    if so_many == self.client.restart_after_events {
                        events.restart();
                    }
                    if so_many == self.client.close_after_events {
                        events.close();
                    }
                }
                Some(ended) => {
                    let error = match ended {
                        Some(Err(error)) => Some(error.report()),
                        _ => (events.ended() == Some(Ended::NoContent)).then(|| "204".to_owned()),
                    };
                    seen.error = error.map(|error| (error, clock.now() - began));
                    seen.state = State::Closed;
                    break;
                }
            }
            if left.is_zero() {
                break;
            }
        }
        if seen.state == State::Closed {
            // Whoever is closed must stay so.
            clock.sleep(Duration::from_millis(OBSERVED_MS)).await;
        }
        seen.requests = self.requests(&scripts);
        Ok(seen)
    }

    fn client(&self, transport: MemoryTransport) -> Result<Events, String> {
        let said = |error: tekton_sdk::Error| error.report();
        let Client { method, body, headers, initial_delay_ms, read_timeout_ms, last_event_id, .. } = &self.client;
        let path = self.server.first().and_then(|answer| answer.path.as_deref()).unwrap_or("/stream");
        let url = format!("memory://server{path}");
        let body = body.clone().unwrap_or_default();
        let client = match method.as_deref() {
            None | Some("GET") => SseClient::get(&url),
            // The cases send a request again, which a client of this SDK does if it is told to.
            Some("POST") => SseClient::post(&url, value("text/plain")?, body).map(|client| client.resend(true)),
            Some(other) => return Err(format!("the method {other:?} is not understood")),
        };
        let mut client = client.map_err(said)?.transport(Arc::new(transport));
        for (header, text) in headers {
            client = client.header(name(header)?, value(text)?);
        }
        if let Some(delay) = initial_delay_ms {
            client = client.reconnect(ReconnectConfig::default().with_delay(Duration::from_millis(*delay)));
        }
        if let Some(limit) = read_timeout_ms {
            client = client.idle_timeout(Duration::from_millis(*limit));
        }
        if let Some(id) = last_event_id {
            client = client.last_event_id(id);
        }
        client.open().map_err(said)
    }

    /// Whether as much has come as some expectation names.
    fn expected(&self, events: &[Event], scripts: &[SseScript; 2]) -> bool {
        let so_many = scripts.iter().map(|script| script.requests().len()).sum::<usize>();
        if self.expect.error == Some(true) || self.expect.state == Some(State::Closed) {
            // Then it ends by itself.
            return false;
        }
        let mut all = self.expect.one_of.iter().flatten().chain([&self.expect]);
        all.all(|expect| {
            let wanted = expect.requests.as_ref().map_or(0, Vec::len).max(expect.request_count.unwrap_or(0));
            so_many >= wanted && events.len() >= expect.events.as_ref().map_or(0, Vec::len)
        })
    }

    /// The requests in the order of the answers.
    fn requests(&self, scripts: &[SseScript; 2]) -> Vec<SseRequest> {
        let mut came = scripts.each_ref().map(|script| script.requests().into_iter());
        let mut all: Vec<_> =
            self.server.iter().filter_map(|answer| came[usize::from(answer.origin.is_some())].next()).collect();
        all.extend(came.into_iter().flatten());
        all
    }
}

impl Answer {
    fn played(&self) -> Result<SseAnswer, String> {
        let mut answer = SseAnswer::status(self.status);
        for (header, text) in &self.headers {
            let text = text.replace("{origin}", "memory://server").replace("{other_origin}", "memory://other");
            answer = answer.header(name(header)?, value(&text)?);
        }
        for part in &self.body {
            answer = match part {
                Part::Text(text) => answer.bytes(text.clone()),
                Part::Hex { hex: digits } => answer.bytes(hex(digits).ok_or_else(|| format!("{digits:?} is no hex"))?),
                Part::Sleep { sleep_ms } => answer.wait(Duration::from_millis(*sleep_ms)),
            };
        }
        if let Some(size) = self.chunk_size {
            answer = answer.split_every(size);
        }
        Ok(match self.end {
            End::Close => answer,
            End::Break => answer.breaks(),
            End::Hold => answer.stalls(),
        })
    }
}

impl Expect {
    /// What is otherwise than expected.
    fn differs(&self, seen: &Seen) -> Option<String> {
        if let Some(wanted) = self.events.as_ref().filter(|wanted| **wanted != seen.events) {
            return Some(format!("events: wanted {wanted:?}, got {:?}", seen.events));
        }
        let count = seen.requests.len();
        if self.request_count.is_some_and(|wanted| wanted != count)
            || self.request_count_max.is_some_and(|most| count > most)
        {
            return Some(format!("request_count: got {count}"));
        }
        if let Some(wanted) = self.error.filter(|wanted| *wanted != seen.error.is_some()) {
            return Some(format!("error: wanted {wanted}, got {:?}", seen.error));
        }
        if let Some(wanted) = self.state.filter(|wanted| *wanted != seen.state) {
            return Some(format!("state: wanted {wanted:?}, got {:?}, error {:?}", seen.state, seen.error));
        }
        if let (Some(limit), Some((_, after))) = (self.within_ms, &seen.error)
            && *after > Duration::from_millis(limit)
        {
            return Some(format!("within_ms: it took {after:?}"));
        }
        let gap = |request: &SseRequest| request.after.unwrap_or_default().as_millis();
        if let Some(least) = self.min_gap_ms
            && let Some(second) = seen.requests.get(1).filter(|second| gap(second) < least.into())
        {
            return Some(format!("min_gap_ms: wanted {least}, got {}", gap(second)));
        }
        let wanted = self.requests.as_deref().unwrap_or_default();
        wanted.iter().enumerate().find_map(|(at, wanted)| match seen.requests.get(at) {
            None => Some(format!("requests[{at}]: it was not sent")),
            Some(request) => wanted.differs(request).map(|why| format!("requests[{at}]: {why}")),
        })
    }
}

impl Wanted {
    fn differs(&self, request: &SseRequest) -> Option<String> {
        let sent = |name: &str| request.headers.get(name).map(HeaderValue::as_bytes);
        let texts = [
            ("method", &self.method, request.method.as_str().to_owned()),
            ("path", &self.path, request.path.clone()),
            ("body", &self.body, String::from_utf8_lossy(&request.body).into_owned()),
        ];
        for (what, wanted, got) in texts {
            if wanted.as_ref().is_some_and(|wanted| *wanted != got) {
                return Some(format!("{what}: got {got:?}"));
            }
        }
        for (name, wanted) in &self.headers {
            if sent(name) != Some(wanted.as_bytes()) {
                return Some(format!("the header {name}: wanted {wanted:?}, got {:?}", sent(name)));
            }
        }
        for (name, wanted) in &self.headers_hex {
            if hex(wanted).as_deref() != sent(name) {
                return Some(format!("the header {name}: wanted {wanted}, got {:02x?}", sent(name)));
            }
        }
        if let Some(name) = self.absent.iter().find(|name| sent(name).is_some()) {
            return Some(format!("the header {name}: got {:?}", sent(name)));
        }
        let gap = u64::try_from(request.after.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let fits = self.gap_ms_min.is_none_or(|least| gap >= least) && self.gap_ms_max.is_none_or(|most| gap <= most);
        (!fits).then(|| format!("gap_ms: got {gap}"))
    }
}
