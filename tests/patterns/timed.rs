//! A callee whose answers take as long as the test says, on the runtime's paused clock.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::StatusCode;
use tekton_sdk::{
    Result, Tekton,
    config::TektonBuilder,
    contract::Entry,
    directory::MemoryDirectory,
    testing::EventLog,
    time::SharedClock,
    transport::{Request, Response, Transport, TransportCapabilities},
};

type Plan = Box<dyn FnMut(usize, &Request) -> (Duration, Result<Response>) + Send>;

/// Answers each request as the plan says, which is given its number and the request.
pub(crate) struct Timed(Arc<Play>);

/// What a [`Timed`] was sent.
pub(crate) struct Seen(Arc<Play>);

struct Play {
    plan: Mutex<Plan>,
    clock: SharedClock,
    requests: Mutex<Vec<Sent>>,
    dropped: AtomicUsize,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Timed {
    pub(crate) fn new(
        plan: impl FnMut(usize, &Request) -> (Duration, Result<Response>) + Send + 'static,
    ) -> (Self, Seen) {
        let play = Arc::new(Play {
            plan: Mutex::new(Box::new(plan)),
            clock: SharedClock::default(),
            requests: Mutex::default(),
            dropped: AtomicUsize::new(0),
        });
        (Self(Arc::clone(&play)), Seen(play))
    }
}

impl Seen {
    pub(crate) fn all(&self) -> Vec<Sent> {
        self.0.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.requests.lock().unwrap().len()
    }

    /// How many were given up.
    pub(crate) fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::SeqCst)
    }

    /// The attempts' numbers as they were sent, from the request of this number on.
    pub(crate) fn attempts(&self, from: usize) -> Vec<String> {
        self.all()[from..].iter().map(|sent| sent.header("x-tekton-attempt").unwrap().to_owned()).collect()
    }
}

/// Counts a request as given up unless it was answered.
struct Running<'a>(&'a Play, bool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Transport for Timed {
    async fn send(&self, request: Request) -> Result<Response> {
        let number = {
            let mut requests = self.0.requests.lock().unwrap();
            requests.push(Sent {
                host: request.endpoint.as_ref().unwrap().host().to_owned(),
                path: request.path.to_string(),
                headers: request.headers.clone(),
            });
            requests.len() - 1
        };
        let (wait, answer) = (self.0.plan.lock().unwrap())(number, &request);
        let mut running = Running(&self.0, false);
        if !wait.is_zero() {
            self.0.clock.sleep(wait).await;
        }
        running.1 = true;
        answer
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http"])
    }
}

impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timed")
    }
}

/// An answer of this status.
pub(crate) fn status(status: u16, body: &'static str) -> Result<Response> {
    Ok(Response::new(StatusCode::from_u16(status).unwrap(), bytes::Bytes::from_static(body.as_bytes())))
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A handle to the components `notes`, `backup` and `spare`, the latter two of which can do `memory`; it hears of everything.
pub(crate) fn mesh(timed: Timed, change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> (Tekton, EventLog) {
    let able = |id: &str, name: &str| {
        let mut entry = Entry::new(id, name, format!("http://{name}:1"));
        entry.capabilities = vec![tekton_sdk::contract::Capability::new("memory", None)];
        entry
    };
    let entries =
        [able("notes-1", "notes"), able("backup-1", "backup"), Entry::new("spare-1", "spare", "http://spare:1")];
    let log = EventLog::default();
    let builder = Tekton::builder().named("tester").transport(timed).observer(log.clone());
    let builder = builder.directory(MemoryDirectory::fixed(entries)).random(tekton_sdk::random::Random::seeded(7));
    (change(builder).build().unwrap(), log)
}

pub(crate) fn metrics(tekton: &Tekton) -> String {
    prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap()
}
