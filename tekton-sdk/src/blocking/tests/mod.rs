//! A component on a real socket, called through faces.

#![cfg(all(feature = "host", feature = "http"))]

mod calls;
mod places;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::{Call, Peer, Tekton};
use crate::{
    config::TektonBuilder,
    context::Context,
    contract::{Descriptor, Operation, Parameter},
    directory::MemoryDirectory,
    error::Result,
    host::{Component, Operations, Served},
    tekton::Tekton as AsyncTekton,
    time::SharedClock,
    wire::trace::TraceContext,
};

/// What an operation sees of its caller.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    caller: Option<String>,
    trace: Option<[u8; 16]>,
    remaining_ms: Option<u64>,
    idempotency_key: Option<String>,
}

fn seen(context: &Context) -> Seen {
    let now = SharedClock::default().now();
    let left = context.deadline().map(|deadline| deadline.remaining(now));
    Seen {
        caller: context.caller().map(str::to_owned),
        trace: context.trace().map(TraceContext::trace_id),
        remaining_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap()),
        idempotency_key: context.idempotency_key().map(str::to_owned),
    }
}

#[derive(Clone, Default)]
struct Echo {
    /// Whom the relay calls on; set once the component is served.
    next: Arc<OnceLock<Peer>>,
}

impl Echo {
    const GREET: Operation =
        Operation::read("greet", "Greets.").parameters(&[Parameter::required("name", "whom to greet")]);
    const SEEN: Operation = Operation::read("seen", "Says what it sees of its caller.");
    const RELAY: Operation = Operation::read("relay", "Says what it sees, and what is seen when it calls on.");

    fn relay(&self, context: &Context) -> Result<(Seen, Seen)> {
        let next = self.next.get().expect("the test sets it before it calls");
        Ok((seen(context), next.request::<Seen>("seen").send()?.into_inner()))
    }
}

impl Component for Echo {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("echo", "1.0.0").capability("text.echo")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(
                &self,
                Self::GREET,
                |_, _, args| async move { Ok(format!("Good day, {}.", args.get::<String>("name")?)) },
            )
            .on(&self, Self::SEEN, |_, context, _| async move { Ok(seen(&context)) })
            .on_blocking(&self, Self::RELAY, |echo, context, _| echo.relay(&context))
    }
}

/// The component, its runtime, and the directory that knows it.
struct Stage {
    served: Served,
    echo: Echo,
    directory: MemoryDirectory,
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let directory = MemoryDirectory::new(SharedClock::default());
        let echo = Echo::default();
        let tekton = AsyncTekton::builder().directory(directory.clone()).build().unwrap();
        let served = runtime.block_on(echo.clone().serve(&tekton).start()).unwrap();
        Self { served, echo, directory, _runtime: runtime }
    }

    fn builder(&self) -> TektonBuilder {
        AsyncTekton::builder().named("tester").directory(self.directory.clone())
    }

    fn face(&self) -> Tekton {
        Tekton::new(self.builder()).unwrap()
    }
}

fn greet(face: &Tekton, name: &str) -> Call<String> {
    face.peer("echo").request("greet").json(&serde_json::json!({"name": name}))
}
