//! Room 1, request: a typed call, a deadline, a failure that says what to do, a raw call to a peer with other routes.
//! Run with: `cargo run --example 01_request`
//! Expect: four short paragraphs, one for each of these.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] }
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{collections::HashMap, time::Duration};

use tekton_sdk::{Component, ErrorKind, Result, Tekton, http::Method, patterns::request::Reply, service};

/// Divides.
#[derive(Component)]
#[component(version = "1.0.0", capabilities("math.divide"))]
struct Divider;

#[service]
impl Divider {
    /// Divides one whole number by another.
    ///
    /// # Arguments
    /// * `a` - the dividend
    /// * `b` - the divisor
    #[op(read)]
    async fn divide(&self, a: i64, b: i64) -> Result<i64> {
        a.checked_div(b).ok_or_else(|| tekton_sdk::Error::invalid("b must not be 0"))
    }

    /// Takes its time.
    #[op(read)]
    async fn think(&self) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let tekton = Tekton::builder().named("example").build()?;
    let served = Divider.serve(&tekton).start().await?;
    let divider = tekton.peer("divider");

    let quotient: Reply<i64> = divider.request("divide").json(&HashMap::from([("a", 42), ("b", 6)])).await?;
    assert_eq!((*quotient, quotient.attempts()), (7, 1));
    println!("42 / 6 = {}, in {} attempt", *quotient, quotient.attempts());

    let error = divider.request::<()>("think").timeout(Duration::from_millis(50)).await.expect_err("it never answers");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    println!("\na deadline:\n  {}", error.report());

    let error =
        divider.request::<i64>("divide").json(&HashMap::from([("a", 1), ("c", 2)])).await.expect_err("c is wrong");
    let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["c", "b"]);
    println!("\na failure:\n  {}", error.report());

    let raw: Reply<i64> =
        divider.request("divide").method(Method::GET).path("/api/v1/divide").query("a", "9").query("b", "3").await?;
    assert_eq!(*raw, 3);
    let ping = divider.ping().await?;
    println!("\na raw call: 9 / 3 = {}; {} answers /health in {:?}", *raw, divider.name(), ping.answered_in);

    assert!(served.shutdown().await);
    Ok(())
}
