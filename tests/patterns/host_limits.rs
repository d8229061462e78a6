//! What a host lets in, in which order, and what it tells those whom it does not let in.

mod clients;
mod flood;
mod places;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use tekton_sdk::{
    Component, Error, ErrorKind, Result, async_trait,
    config::HostConfig,
    context::Identity,
    contract::{Descriptor, Operation, Parameter, Priority},
    host::{Identify, Operations, RequestHead},
    testing::TestBed,
    transport::{Body, CallInfo, Endpoint, MemoryTransport, Request, Response, Safety, Transport},
};
use tokio::sync::Semaphore;

const WORK: Operation = Operation::read("work", "Ends when the test lets it.").open();
const SPARE: Operation = Operation::read("spare", "The same, and matters less.").open().priority(Priority::Low);
const URGENT: Operation = Operation::read("urgent", "The same, and matters more.").open().priority(Priority::High);
const PING: Operation = Operation::read("ping", "Ends at once.").open();
const WHO: Operation = Operation::read("who", "Says who calls.");
const NAMED: Operation = Operation::read("named", "Ends when the test lets it, and leaves its name.")
    .parameters(&[Parameter::required("name", "what is written down")]);

/// What the test lets end, and who began in which order.
#[derive(Debug)]
struct Gate {
    open: Semaphore,
    began: Mutex<Vec<String>>,
    running: AtomicUsize,
}

/// A component whose operations end when the test lets them.
struct Desk(Arc<Gate>);

struct Running<'a>(&'a Gate);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { open: Semaphore::new(0), began: Mutex::default(), running: AtomicUsize::new(0) })
    }

    async fn pass(&self, name: &str) -> Result<()> {
        self.began.lock().unwrap().push(name.to_owned());
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(self);
        self.open.acquire().await.map_err(|_| Error::internal("the gate is gone"))?.forget();
        Ok(())
    }

    fn began(&self) -> Vec<String> {
        self.began.lock().unwrap().clone()
    }

    /// Waits until so many have begun.
    async fn until_began(&self, count: usize) {
        while self.began().len() < count {
            tokio::task::yield_now().await;
        }
    }
}

impl Component for Desk {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("desk", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, WORK, |desk, _, _| async move { desk.0.pass("work").await })
            .on(&self, SPARE, |desk, _, _| async move { desk.0.pass("spare").await })
            .on(&self, URGENT, |desk, _, _| async move { desk.0.pass("urgent").await })
            .on(&self, NAMED, |desk, _, args| async move { desk.0.pass(&args.get::<String>("name")?).await })
            .on(&self, PING, |_, _, _| async { Ok("pong") })
            .on(&self, WHO, |_, context, _| async move {
                Ok(context.identity().map(|who| (who.subject().to_owned(), who.has_scope("notes.read"))))
            })
    }
}

/// Accepts `token <subject>`, and refuses every other one.
#[derive(Debug)]
struct Tokens;

#[async_trait]
impl Identify for Tokens {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        let Some(token) = head.headers.get("authorization") else { return Ok(None) };
        match token.to_str().ok().and_then(|token| token.strip_prefix("token ")) {
            Some(subject) => Ok(Some(Identity::new(subject).with_scopes(["notes.read"]))),
            None => Err(Error::new(ErrorKind::Unauthorized, "the token is not accepted")),
        }
    }
}

/// A desk in a bed, with these settings.
async fn desk(change: impl FnOnce(HostConfig) -> HostConfig) -> (TestBed, Arc<Gate>) {
    let (bed, gate) = (TestBed::new().unwrap(), Gate::new());
    let config = change(HostConfig::default().with_introspect(true));
    let serve = |serve: tekton_sdk::host::Serve| serve.with_config(config).identify(Tokens);
    bed.serve_with(Desk(Arc::clone(&gate)), serve).await.unwrap();
    (bed, gate)
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    async fn of(mut response: Response) -> Self {
        let retry_after = response.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let body = std::mem::take(&mut response.body).collect(1 << 20).await.unwrap();
        Self { status: response.status.as_u16(), retry_after, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Status and code; the code of an answer that is no refusal is empty.
    fn told(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// One request to the desk of the bed, without a client's policies.
async fn ask(transport: &MemoryTransport, operation: &str, headers: &[(&'static str, &str)]) -> Answer {
    get(transport, Method::POST, &format!("/api/v1/{operation}"), headers).await
}

async fn get(transport: &MemoryTransport, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let call = CallInfo::new("desk", path, Safety::Read);
    let mut request = Request::new(method, path.to_owned(), call)
        .with_endpoint(Endpoint::parse("memory://desk-1").unwrap())
        .with_body(bytes::Bytes::from_static(b"{\"name\":\"x\"}").into());
    if !path.ends_with("named") {
        request.body = Body::empty();
    }
    for (name, value) in headers {
        request.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    Answer::of(transport.send(request).await.unwrap()).await
}

/// What `/introspect` says of the limits.
async fn limits(transport: &MemoryTransport) -> Value {
    get(transport, Method::GET, "/introspect", &[]).await.body["host"]["limits"].clone()
}

/// Waits until so many run and so many wait.
async fn until(bed: &TestBed, running: usize, waiting: usize) {
    loop {
        let limits = limits(bed.transport()).await;
        if limits["running"] == running && limits["waiting"] == waiting {
            return;
        }
        tokio::task::yield_now().await;
    }
}

const SECOND: Duration = Duration::from_secs(1);
