//! A development hub for the processes of one machine: what upstream's Hermes does, in memory, with nothing to install.
//! Run with: `cargo run --example hermes [-- PORT]`; the port is 8001 unless an argument or `HERMES_PORT` says otherwise.
//! Expect: how to use it, then a line whenever a component comes, moves or goes; Ctrl-C or SIGTERM ends it.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] }
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;

use tekton_sdk::{Error, Result, host::until_signal, testing::FakeHermes, wire::hermes::ComponentRecord};

/// Where upstream's components look for the hub.
const DEFAULT_PORT: u16 = 8001;

fn port() -> Result<u16> {
    let said = std::env::args().nth(1).or_else(|| std::env::var("HERMES_PORT").ok());
    let Some(said) = said else { return Ok(DEFAULT_PORT) };
    said.trim().parse().map_err(|_| Error::config(format!("{said:?} is no port; give a number from 0 to 65535")))
}

/// Prints what is in `now` and was not in `before`, and what is gone.
fn tell(before: &BTreeMap<String, ComponentRecord>, now: &BTreeMap<String, ComponentRecord>) {
    for (id, entry) in now {
        let endpoint = entry.endpoint.as_deref().unwrap_or("nowhere");
        match before.get(id) {
            None => println!("+ {id} at {endpoint} can {}", list(&entry.capabilities)),
            Some(old) if old.endpoint != entry.endpoint => println!("> {id} has moved to {endpoint}"),
            Some(old) if old.registered_at != entry.registered_at => println!("= {id} has registered again"),
            Some(_) => {}
        }
    }
    for id in before.keys().filter(|id| !now.contains_key(*id)) {
        println!("- {id} is gone");
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing it tells".to_owned() } else { names.join(", ") }
}

/// Prints every change of what is registered, for ever.
async fn watch(hub: &FakeHermes) {
    let mut known = BTreeMap::new();
    loop {
        let now = hub.until_entries(|entries| keyed(entries) != known).await;
        let now = keyed(&now);
        tell(&known, &now);
        known = now;
    }
}

fn keyed(entries: &[ComponentRecord]) -> BTreeMap<String, ComponentRecord> {
    entries.iter().map(|entry| (entry.component_id.clone(), entry.clone())).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = FakeHermes::builder().port(port()?).start().await?;
    println!("hub: {} (Ctrl-C ends it)", hub.url());
    println!("use it: HERMES_URL={} cargo run --example quickstart", hub.url());
    tokio::select! {
        () = watch(&hub) => {}
        signal = until_signal() => signal?,
    }
    println!("{} registered at the end", hub.entries().len());
    hub.shutdown().await;
    Ok(())
}
