//! A peer falters for one second under a hundred clients that try again, with and without a budget. Time is simulated.
//! Run with: `cargo run --example retry_storm`
//! Expect: the attempts of each second; with a budget the peer recovers at once, without one the retries keep it down.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] }
//!                     tokio = { version = "1", features = ["macros", "rt"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tekton_sdk::{
    Result, Tekton,
    http::StatusCode,
    policy::{Next, Policy},
    random::Random,
    time::{BoxFuture, SharedClock},
    transport::{Body, MemoryTransport, Request, Response, Safety},
};

const CLIENTS: usize = 100;
const SECONDS: usize = 10;
const CAPACITY: usize = 120;

/// The peer, played by the last policy. In the third second, and in each that follows one of more attempts than it can bear,
/// it answers every tenth and refuses the rest.
#[derive(Clone, Debug)]
struct Peer {
    began: Instant,
    attempts: Arc<Mutex<[usize; SECONDS + 5]>>,
    clock: SharedClock,
}

impl Policy for Peer {
    fn name(&self) -> &'static str {
        "peer"
    }

    fn handle<'a>(&'a self, _request: Request, _next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let second = (self.clock.now() - self.began).as_secs() as usize;
        let mut attempts = self.attempts.lock().expect("nobody panics with it");
        attempts[second] += 1;
        let falters = second == 3 || second > 0 && attempts[second - 1] > CAPACITY;
        let refused = falters && !attempts[second].is_multiple_of(10);
        let status = if refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        Box::pin(std::future::ready(Ok(Response::new(status, Body::full("null")))))
    }
}

/// Each client calls once a second. Gives back how many calls were answered, and by how many attempts.
async fn storm(budget: bool) -> Result<(usize, usize)> {
    let clock = SharedClock::default();
    let peer = Peer { began: clock.now(), attempts: Arc::default(), clock: clock.clone() };
    let mut tekton = Tekton::builder().transport(MemoryTransport::new()).policy(peer.clone()).random(Random::seeded(4));
    // This is about the budget: a breaker would open, with and without one.
    tekton = tekton.configure(|config| config.breaker.enabled = false);
    if !budget {
        // A retry for each call, and a reserve that is never used up: no budget to speak of.
        tekton = tekton.configure(|config| {
            config.retry = config.retry.clone().with_budget_percent(100).with_budget_reserve(100_000);
        });
    }
    let tekton = tekton.build()?;
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (engram, clock) = (tekton.peer_at("memory://engram")?, clock.clone());
        clients.push(tokio::spawn(async move {
            clock.sleep(Duration::from_millis(10 * client as u64)).await;
            let mut answered = 0;
            for _ in 0..SECONDS {
                let reply = engram.request::<()>("recall").safety(Safety::Read).await;
                answered += usize::from(reply.is_ok_and(|reply| reply.status() == StatusCode::OK));
                clock.sleep(Duration::from_secs(1)).await;
            }
            answered
        }));
    }
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("a client does not panic");
    }
    let attempts = *peer.attempts.lock().expect("nobody panics with it");
    println!("\n{} a budget", if budget { "with" } else { "without" });
    for (second, attempts) in attempts.iter().enumerate().filter(|(_, attempts)| **attempts > 0) {
        let shown = if *attempts > CAPACITY { "!" } else { "#" };
        println!("second {second:>2} {attempts:>4} {}", shown.repeat(attempts.div_ceil(5)));
    }
    Ok((answered, attempts.iter().sum()))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let calls = SECONDS * CLIENTS;
    for budget in [false, true] {
        let (answered, attempts) = storm(budget).await?;
        println!("{answered} of {calls} calls were answered, by {attempts} attempts");
        assert_eq!((answered * 4 > calls * 3, attempts * 100 < calls * 115), (budget, budget));
    }
    Ok(())
}
