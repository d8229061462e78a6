//! Room 5, breaker: a bank fails on cue; its caller's breaker opens, refuses at once, probes, and closes when the bank is well.
//! Run with: `cargo run --example 05_breaker`
//! Expect: one call in each second of a clock that is moved by hand, with the breaker's state; then its changes of state.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tekton_sdk::{
    Component, Error, ErrorKind, Result, Tekton,
    patterns::breaker::BreakerState,
    random::Random,
    service,
    time::{Clock, ManualClock},
};

/// Tells balances, unless its ledger is down.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Bank {
    down: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

#[service]
impl Bank {
    /// Tells the balance.
    #[op(read)]
    async fn balance(&self) -> Result<u32> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) { Err(Error::internal("the ledger is down")) } else { Ok(100) }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // The clock is moved by hand and chance is seeded, so that nobody waits and every run is the same. The sockets are real.
    let clock = ManualClock::new();
    let builder = Tekton::builder().named("shop").clock(clock.clone()).random(Random::seeded(5)).configure(|config| {
        config.retry.max_attempts = 1;
        config.breaker.failure_threshold = 3; // in a row; 5 unless said
        config.breaker.half_open_calls = 1; // probes; 3 unless said
    });
    let tekton = builder.build()?;
    let (down, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
    let served = Bank { down: Arc::clone(&down), asked: Arc::clone(&asked) }.serve(&tekton).start().await?;
    let bank: BankClient = tekton.find().await?;
    let breaker = tekton.breakers().expect("they are on unless switched off").of("bank");

    let (began, mut refused) = (clock.wall(), 0);
    for second in 0..26 {
        down.store((3..15).contains(&second), Ordering::Relaxed);
        let outcome = match bank.balance().await {
            Ok(balance) => format!("balance {balance}"),
            Err(error) => {
                refused += u32::from(error.kind() == ErrorKind::Rejected); // and nothing was sent
                error.to_string()
            }
        };
        println!("{second:>2} s  {:<9}  {outcome}", breaker.state().name());
        clock.advance(Duration::from_secs(1));
    }

    println!();
    for change in breaker.recent() {
        let at = change.at.duration_since(began).unwrap_or_default();
        println!("after {at:.0?}: {} -> {}: {}", change.from, change.to, change.reason.name());
    }
    assert_eq!((breaker.state(), asked.load(Ordering::Relaxed) + refused), (BreakerState::Closed, 26));
    served.shutdown().await;
    tekton.shutdown().await;
    Ok(())
}
