//! The client side of the Autobahn suite: `cargo run --example autobahn -- ws://127.0.0.1:9001`, beside `wstest -m fuzzingserver`.
//! `docs/conformance.md` says how it is run.
#![expect(clippy::print_stdout, reason = "the result is what it prints")]

use std::process::ExitCode;

use tekton_sdk::testing::{block_on, echo_until_closed};

const AGENT: &str = "tekton-sdk";

fn main() -> ExitCode {
    let base = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    match block_on(run(&base)) {
        Ok(cases) => {
            println!("{cases} cases were run; the report of the server says how they went");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn run(base: &str) -> tekton_sdk::Result<u32> {
    let count = echo_until_closed(&format!("{base}/getCaseCount")).await?;
    let count = count.last.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    let count = count.ok_or_else(|| tekton_sdk::Error::invalid("the server does not say how many cases there are"))?;
    for case in 1..=count {
        echo_until_closed(&format!("{base}/runCase?case={case}&agent={AGENT}")).await?;
    }
    echo_until_closed(&format!("{base}/updateReports?agent={AGENT}")).await?;
    Ok(count)
}
