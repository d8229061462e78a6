//! Five components of three instances each, every one a process with a handle of its own.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, Result, Tekton,
    contract::{Descriptor, Operation, Parameter},
    directory::MemoryDirectory,
    host::{Operations, Served},
    patterns::request::Reply,
    random::Random,
    time::SharedClock,
    transport::{MemoryTransport, Safety},
};

use super::faults::{Fate, Network, Sends};

pub(super) const COMPONENTS: [&str; 5] = ["ada", "bell", "cray", "dijk", "euler"];
pub(super) const INSTANCES: usize = 3;
/// How long things go wrong.
pub(super) const TROUBLE: Duration = Duration::from_secs(40);

const READ: Operation = Operation::read("look", "Looks something up.").parameters(&[HOPS]);
const WRITE: Operation = Operation::write("store", "Stores something.").parameters(&[HOPS]);
const HOPS: Parameter = Parameter::required("hops", "how many others are asked in turn");

/// One process: its handle, and what went out of it.
pub(super) struct Process {
    pub(super) tekton: Tekton,
    pub(super) sends: Sends,
}

/// A component that may ask the next one before it answers.
struct Node {
    at: usize,
    tekton: Tekton,
    random: Random,
}

impl Node {
    async fn work(&self, context: &Context, hops: u64) -> Result<Value> {
        let deadline = context.deadline().expect("every call has one");
        SharedClock::default().sleep(self.random.up_to(Duration::from_millis(10))).await;
        if hops > 0 {
            let next = COMPONENTS[(self.at + 1) % COMPONENTS.len()];
            let call = self.tekton.peer(next);
            let reply: Reply<Value> =
                call.request("look").safety(Safety::Read).json(&json!({ "hops": hops - 1 })).await?;
            drop(reply);
        }
        assert!(!deadline.is_past(self.tekton.clock().now()), "an operation ran on past its deadline");
        Ok(json!(self.at))
    }
}

impl Component for Node {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new(COMPONENTS[self.at], "1.0.0").capability("work")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, READ, |this, context, args| async move { this.work(&context, args.get("hops")?).await })
            .on(&self, WRITE, |this, context, args| async move { this.work(&context, args.get("hops")?).await })
    }
}

pub(super) struct Mesh {
    pub(super) clients: Vec<Process>,
    pub(super) nodes: Vec<Process>,
    pub(super) random: Random,
    pub(super) began: Instant,
    served: Vec<Served>,
}

impl Mesh {
    pub(super) async fn start(seed: u64, heard: &super::Heard) -> Self {
        let (random, began) = (Random::seeded(seed), SharedClock::default().now());
        let directory = MemoryDirectory::new(SharedClock::default());
        let memory = MemoryTransport::new();
        let instances = COMPONENTS.iter().flat_map(|name| (1..=INSTANCES).map(move |n| format!("{name}-{n}")));
        let fates: Arc<HashMap<_, _>> = Arc::new(instances.map(|id| (id, Fate::drawn(&random, TROUBLE))).collect());
        let process = |name: &str| {
            let sends = Sends::default();
            let network = Network {
                inner: memory.clone(),
                fates: Arc::clone(&fates),
                began,
                random: Random::seeded(random.next_u64()),
                sends: sends.clone(),
            };
            let builder = Tekton::builder().named(name).transport(network).directory(directory.clone());
            let builder = builder.random(Random::seeded(random.next_u64()));
            Process { tekton: super::policies(builder, seed, heard).build().unwrap(), sends }
        };
        let mut mesh =
            Self { clients: Vec::new(), nodes: Vec::new(), random: random.clone(), began, served: Vec::new() };
        for (at, name) in COMPONENTS.iter().enumerate() {
            for instance in 1..=INSTANCES {
                let process = process(&format!("{name}-{instance}"));
                let node = Node { at, tekton: process.tekton.clone(), random: Random::seeded(random.next_u64()) };
                let serve = node.serve(&process.tekton).in_memory(&memory).instance(instance.to_string());
                mesh.served.push(Box::pin(serve.start()).await.unwrap());
                mesh.nodes.push(process);
            }
        }
        mesh.clients = ["one", "two", "three"].map(process).into();
        mesh
    }

    pub(super) async fn shutdown(self) {
        for served in self.served {
            served.shutdown().await;
        }
        for process in self.clients.iter().chain(&self.nodes) {
            process.tekton.shutdown().await;
        }
    }
}
