//! A typed client: plain arguments and answers, found by name, by what it can do, or made from a peer.
//! Run with: `cargo run --example typed_client`
//! Expect: the same sum three times, what was left out filled in, and a refusal that names the argument.
//!
//! In your Cargo.toml: tekton-sdk = "0.1"
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tekton_sdk::{
    Client, Component, Error, Result, Tekton,
    directory::{Query, Rank},
    service,
};

/// Adds numbers.
#[derive(Component)]
#[component(version = "1.0.0", capabilities("math.add" = 0.9))]
struct Adder;

#[service]
impl Adder {
    /// Adds numbers.
    ///
    /// # Arguments
    /// * `numbers` - what to add
    /// * `from` - where to begin; 0 if left out
    /// * `limit` - the largest sum
    #[op(read, timeout = "2s")]
    async fn sum(&self, numbers: &[i64], from: Option<i64>, #[arg(default = 1000)] limit: i64) -> Result<i64> {
        let sum = numbers.iter().fold(from.unwrap_or_default(), |sum, number| sum.saturating_add(*number));
        if sum > limit { Err(Error::invalid(format!("the sum {sum} is above the limit {limit}"))) } else { Ok(sum) }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("example").build()?;
    let served = Adder.serve(&tekton).start().await?;

    let by_name: AdderClient = tekton.find().await?;
    let best = tekton.peer_for(Query::capability("math.add").ranked(Rank::Score));
    let by_capability = AdderClient::from_peer(best);
    let at_an_endpoint = AdderClient::from_peer(tekton.peer_at(served.endpoint())?);
    for client in [&by_name, &by_capability, &at_an_endpoint] {
        let sum = client.sum(&[1, 2, 3], None, None).await?;
        assert_eq!(sum, 6);
        println!("1 + 2 + 3 = {sum}, from {}", client.as_ref().name());
    }
    println!("from 10: {}", by_name.sum(&[1, 2, 3], Some(10), None).await?);

    let error = by_name.sum(&[1, 2, 3], None, Some(5)).await.expect_err("it is above the limit");
    println!("refused: {}", error.report());

    assert!(served.shutdown().await);
    Ok(())
}
