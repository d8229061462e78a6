//! Room 5: when a breaker opens, whom it lets probe, and what it does to calls.

mod alone;
mod faults;
mod half_open;
mod keyed;
mod model;
mod pipeline;
mod seen;
mod settings;
mod verdicts;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tekton_sdk::{
    Peer, Result, Tekton,
    config::TektonBuilder,
    patterns::breaker::{BreakerConfig, BreakerState, CircuitBreaker, Refused},
    testing::{EventLog, Script, ScriptedTransport},
    time::{ManualClock, SharedClock},
};

const SECOND: Duration = Duration::from_secs(1);

/// What a test fails with, and what a refusal turns into.
#[derive(Debug, PartialEq)]
enum Failed {
    Refused(BreakerState),
    Badly,
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.state)
    }
}

/// A breaker on a clock that the test moves.
fn breaker(config: BreakerConfig) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    (CircuitBreaker::new("billing", config, SharedClock::new(clock.clone())).unwrap(), clock)
}

/// Opens after so many failures in a row, for one second, without any jitter.
fn in_a_row(failures: u32) -> BreakerConfig {
    BreakerConfig::in_a_row(failures, SECOND)
}

/// Makes so many calls that fail.
fn fail(breaker: &CircuitBreaker, times: u32) {
    for _ in 0..times {
        breaker.acquire().expect("it lets the call through").failure();
    }
}

/// What was counted so far, as (calls, failed, slow).
fn counted(breaker: &CircuitBreaker) -> (u64, u64, u64) {
    let shown = breaker.snapshot();
    (shown.calls, shown.failed, shown.slow)
}

/// A handle over a script, on a clock moved by hand, whose breakers open after two failures in a row.
struct Bad {
    tekton: Tekton,
    peer: Peer,
    script: Script,
    clock: ManualClock,
    log: EventLog,
}

impl Bad {
    fn day(change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Self {
        let (transport, script) = ScriptedTransport::new();
        let (clock, log) = (ManualClock::new(), EventLog::default());
        let builder = Tekton::builder()
            .named("tester")
            .transport(transport)
            .clock(clock.clone())
            .observer(log.clone())
            .configure(|config| config.breaker.failure_threshold = 2);
        let tekton = change(builder).build().unwrap();
        let peer = tekton.peer_at("http://engram:8005").unwrap();
        Self { tekton, peer, script, clock, log }
    }

    /// A call that may not be repeated: one attempt.
    async fn write(&self) -> Result<Value> {
        Ok(self.peer.request::<Value>("op").await?.into_inner())
    }

    fn breaker(&self) -> CircuitBreaker {
        self.tekton.breakers().expect("breakers are on").of("engram:8005")
    }

    fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.tekton.registry().gather()).unwrap()
    }
}

/// Yields so often, then fails or not; counts how often it was begun.
async fn work(yields: usize, begun: Arc<AtomicUsize>, outcome: Result<(), Failed>) -> Result<(), Failed> {
    begun.fetch_add(1, Ordering::SeqCst);
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
    outcome
}
