//! Three instances of one component: one turns slow, is kept out while the calls go on, and comes back when it is well.
//! Run with: `cargo run --example traffic`
//! Expect: three rounds of calls, none of them failed; in the second the slow instance answers none, in the third more and more again.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     futures-util = "0.3"
//!                     tokio = { version = "1", features = ["macros", "rt", "test-util"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use tekton_sdk::{
    Component, Error, Result, Tekton,
    contract::{Descriptor, Operation},
    host::Operations,
    patterns::request::Reply,
    random::Random,
    telemetry::{Event, Observer},
    time::SharedClock,
    transport::{MemoryTransport, Safety},
};

const RECALL: Operation = Operation::read("recall", "Says who answers.").returns::<String>();

/// One instance. It answers in 5 ms, or in 5 s while it is slow.
struct Memory {
    instance: &'static str,
    slow: Arc<AtomicBool>,
    clock: SharedClock,
}

impl Memory {
    async fn recall(&self) -> Result<String> {
        let slow = self.slow.load(Ordering::Relaxed);
        self.clock.sleep(if slow { Duration::from_secs(5) } else { Duration::from_millis(5) }).await;
        Ok(self.instance.to_owned())
    }
}

impl Component for Memory {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("engram", "1.0.0").capability("memory.recall")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new().on(&self, RECALL, |memory, _, _| async move { memory.recall().await })
    }
}

/// Prints what the balancer does.
#[derive(Debug)]
struct Watch;

impl Observer for Watch {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Ejected { endpoint, reason, wait, .. } => println!("{endpoint} is out for {wait:.0?}: {reason}"),
            Event::Returned { endpoint, .. } => println!("{endpoint} is back"),
            _ => {}
        }
    }
}

// The time is virtual, so that half a minute takes no time.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let transport = MemoryTransport::new();
    let tekton = Tekton::builder()
        .named("traffic")
        .transport(transport.clone())
        .random(Random::seeded(7))
        .observer(Watch)
        // Who has not answered by then is given up, and another is asked.
        .configure(|config| config.request.attempt_timeout = Some(Duration::from_millis(100)))
        .build()?;
    let slow = Arc::new(AtomicBool::new(false));
    let mut served = Vec::new();
    for instance in ["blue", "green", "red"] {
        let slow = if instance == "red" { Arc::clone(&slow) } else { Arc::default() };
        let memory = Memory { instance, slow, clock: tekton.clock().clone() };
        served.push(memory.serve(&tekton).in_memory(&transport).instance(instance).start().await?);
    }

    round(&tekton, "all are well").await?;
    slow.store(true, Ordering::Relaxed);
    round(&tekton, "red is slow").await?;
    slow.store(false, Ordering::Relaxed);
    tekton.clock().sleep(Duration::from_secs(40)).await;
    round(&tekton, "red is well").await?;

    for served in served {
        served.shutdown().await;
    }
    Ok(())
}

/// Makes 600 calls, 30 at once, and says who answered how many.
async fn round(tekton: &Tekton, what: &str) -> Result<()> {
    let (engram, mut answers) = (tekton.peer("engram"), BTreeMap::new());
    for _ in 0..20 {
        let calls = (0..30).map(|_| async {
            let reply: Reply<String> = engram.request("recall").safety(Safety::Read).await?;
            Ok::<_, Error>(reply.into_inner())
        });
        for instance in try_join_all(calls).await? {
            *answers.entry(instance).or_insert(0_u32) += 1;
        }
        tekton.clock().sleep(Duration::from_millis(200)).await;
    }
    let shares: Vec<_> = answers.iter().map(|(instance, count)| format!("{instance} {count}")).collect();
    println!("{what:<14} {} calls, none failed: {}", answers.values().sum::<u32>(), shares.join(", "));
    Ok(())
}
