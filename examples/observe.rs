//! What is seen of a component: an observer that prints, `/metrics`, `/introspect`.
//! Run with: `cargo run --example observe [-- --stay]`; with `--stay` it goes on until SIGTERM or Ctrl-C.
//! Expect: an event for each call and attempt, some metrics, and the settings that hold. `tests/promtool` scrapes it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use tekton_sdk::{
    Component, Error, Result, Tekton,
    http::Method,
    patterns::request::{Call, Reply},
    service,
    telemetry::{Event, Observer},
};

/// Adds numbers, but not all.
#[derive(Component)]
#[component(name = "adder", version = "1.0.0")]
struct Adder;

#[service]
impl Adder {
    /// Adds two numbers.
    ///
    /// # Arguments
    /// * `a` - one
    /// * `b` - the other
    #[op(read)]
    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        a.checked_add(b).ok_or_else(|| Error::invalid("the sum does not fit"))
    }
}

/// Prints what happens to calls. A real one would hand it on to a channel: it must not block.
#[derive(Debug)]
struct Prints;

impl Observer for Prints {
    fn observe(&self, event: &Event<'_>) {
        if matches!(event, Event::CallEnded { .. } | Event::AttemptEnded { .. } | Event::Retrying { .. }) {
            let mut line = format!("  {:14}", event.name());
            event.each(&mut |name, value| {
                if name != "took" && name != "wait" {
                    line.push_str(&format!(" {name}={value}"));
                }
            });
            println!("{}", line.escape_debug());
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let builder = Tekton::builder().named("example").observer(Prints);
    let tekton = builder.configure(|config| config.host.introspect = true).build()?;
    let served = Adder.serve(&tekton).start().await?;
    let adder: AdderClient = tekton.find().await?;

    println!("events");
    println!("  1 + 2 = {}", adder.add(1, 2).await?);
    println!("  {}", adder.add(i64::MAX, 1).await.map_or_else(|error| error.report(), |sum| sum.to_string()));
    // Whatever a label holds, the text that is scraped stays well formed.
    let strange: Result<Reply<()>> = tekton.peer("nobody \"of\"\nthis\\name").request("add").await;
    println!("  {}", strange.map_or_else(|error| error.to_string().escape_debug().to_string(), |_| "found".to_owned()));

    // Nobody listens there: it is tried again, then its breaker opens, and what comes next is refused.
    let down = tekton.peer_at("http://127.0.0.1:9")?;
    for _ in 0..3 {
        if let Err(error) = down.request::<()>("add").await {
            println!("  {error}");
        }
    }

    println!("metrics");
    let host = tekton.peer_at(served.endpoint())?;
    let answer = host.request::<()>("metrics").method(Method::GET).path("/metrics").send().await?;
    let text = String::from_utf8_lossy(&answer.into_body().collect(1 << 20).await?).into_owned();
    for line in text.lines().filter(|line| line.starts_with("integration_attempts_total")) {
        println!("  {line}");
    }

    println!("inside");
    let call: Call<'_> = host.request("introspect").method(Method::GET).path("/introspect");
    let inside = call.await?;
    println!("  pipeline        {}", inside["calls"]["pipeline"]);
    println!("  request.timeout {}", inside["settings"]["request.timeout"]);

    if std::env::args().any(|argument| argument == "--stay") {
        println!("serving {}", served.endpoint());
        served.until_shutdown().await?;
    } else {
        served.shutdown().await;
    }
    tekton.shutdown().await;
    println!("shut down in order");
    Ok(())
}
