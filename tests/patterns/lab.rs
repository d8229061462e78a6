//! A component that does what the tests need, served over a real socket.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Peer, Result, Tekton,
    config::HostConfig,
    contract::{Descriptor, Operation, Parameter},
    host::{Operations, Served},
    patterns::request::Reply,
};
use tokio::sync::Notify;

const ECHO: Operation =
    Operation::read("echo", "Gives back what it is given.").parameters(&[Parameter::required("value", "anything")]);
const SIZE: Operation = Operation::write("size", "Counts characters and repeats a number.").parameters(&[
    Parameter::required("text", "what to count"),
    Parameter::optional("times", "how often; once if left out"),
]);
const CONTEXT: Operation = Operation::read("context", "Says what it inherited.");
const HANG: Operation = Operation::read("hang", "Never ends.");
const BLOCK: Operation = Operation::write("block", "Blocks its thread until it is released.");
const PANIC: Operation = Operation::write("panic", "Panics.");
const FAIL: Operation =
    Operation::write("fail", "Fails with a kind.").parameters(&[Parameter::required("kind", "which")]);
const RELAY: Operation = Operation::read("relay", "Asks another component for its context.")
    .parameters(&[Parameter::required("operation", "what to ask")]);

/// What the tests watch and release.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    pub(crate) running: AtomicUsize,
    pub(crate) started: Notify,
    pub(crate) dropped: Notify,
    gate: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Gauge {
    /// Makes `block` wait until the sender is dropped.
    pub(crate) fn close(&self) -> mpsc::Sender<()> {
        let (open, gate) = mpsc::channel();
        *self.gate.lock().unwrap() = Some(gate);
        open
    }
}

pub(crate) struct Lab {
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) next: Option<Peer>,
}

/// Counts an operation as running until it is dropped.
struct Running(Arc<Gauge>);

impl Running {
    fn new(gauge: &Arc<Gauge>) -> Self {
        gauge.running.fetch_add(1, Ordering::SeqCst);
        gauge.started.notify_one();
        Self(Arc::clone(gauge))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.dropped.notify_one();
    }
}

impl Lab {
    fn fail(kind: &str) -> Result<()> {
        let kind = ErrorKind::ALL.iter().find(|known| known.name() == kind).copied().unwrap_or(ErrorKind::Invalid);
        Err(Error::new(kind, "as asked").with_source(std::io::Error::other("a secret cause")))
    }

    fn inherited(context: &Context) -> Value {
        json!({
            "caller": context.caller(),
            "attempt": context.attempt(),
            "key": context.idempotency_key(),
            "parent": context.trace().map(|trace| trace.parent_id().to_vec()),
            "state": context.trace().and_then(|trace| trace.state().map(str::to_owned)),
            "baggage": context.baggage().to_string(),
            "trace": context.trace().map(|trace| trace.trace_id().to_vec()),
            "has_deadline": context.deadline().is_some(),
        })
    }

    async fn relay(&self, operation: String) -> Result<Value> {
        let next = self.next.as_ref().ok_or_else(|| Error::internal("there is no next component"))?;
        let reply: Reply<Value> = next.request(&operation).await?;
        Ok(reply.into_inner())
    }
}

impl Component for Lab {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("lab", "1.2.3")
            .describe("Does what the tests need.")
            .scored_capability("lab.work", 0.8)
            .depends_on("engram")
            .context_window(1000)
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, ECHO, |_, _, args| async move { args.get::<Value>("value") })
            .on(&self, SIZE, |_, _, args| async move {
                let (text, times) = (args.get::<String>("text")?, args.get_or("times", 1_usize)?);
                Ok(text.chars().count() * times)
            })
            .on(&self, CONTEXT, |_, context, _| async move {
                assert_eq!(Context::current().map(|c| c.attempt()), Some(context.attempt()));
                Ok(Self::inherited(&context))
            })
            .on(&self, HANG, |lab, _, _| async move {
                let _running = Running::new(&lab.gauge);
                std::future::pending::<Result<()>>().await
            })
            .on_blocking(&self, BLOCK, |lab, _, _| {
                let _running = Running::new(&lab.gauge);
                let gate = lab.gauge.gate.lock().unwrap().take();
                // An error says that the sender is gone: the gate is open.
                let _ = gate.map(|gate| gate.recv());
                Ok(())
            })
            .on(&self, PANIC, |_, _, _| async { panic!("a secret panic") as Result<()> })
            .on(&self, FAIL, |_, _, args| async move { Self::fail(&args.get::<String>("kind")?) })
            .on(&self, RELAY, |lab, _, args| async move { lab.relay(args.get("operation")?).await })
    }
}

/// A handle with defaults over HTTP, its directory in memory.
pub(crate) fn tekton() -> Tekton {
    Tekton::builder().named("tester").build().unwrap()
}

/// Serves a lab on a free port.
pub(crate) async fn serve(tekton: &Tekton) -> (Served, Arc<Gauge>) {
    serve_with(tekton, |_| {}).await
}

/// Serves a lab with other settings.
pub(crate) async fn serve_with(tekton: &Tekton, change: impl FnOnce(&mut HostConfig)) -> (Served, Arc<Gauge>) {
    let gauge = Arc::new(Gauge::default());
    let mut config = HostConfig::default();
    change(&mut config);
    let lab = Lab { gauge: Arc::clone(&gauge), next: None };
    (lab.serve(tekton).with_config(config).start().await.unwrap(), gauge)
}
