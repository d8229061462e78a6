//! Checks the SDK against a file of known answers.
//! Run with: `cargo run -q --example vectors -- <suite> <file.json>`
//! Expect: a line per failing case, then the counts; exit status 1 if a case failed, 2 if nothing could be run.

use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
};

use tekton_sdk_vectors::{Report, SUITES, Suite};

fn main() -> ExitCode {
    match report() {
        Ok(report) => {
            // Whoever stops reading half way still gets the exit status.
            let _ = io::stdout().write_all(report.to_string().as_bytes());
            ExitCode::from(u8::from(!report.failed().is_empty()))
        }
        Err(why) => {
            eprintln!("vectors: {why}");
            ExitCode::from(2)
        }
    }
}

fn report() -> Result<Report, String> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [suite, path] = arguments.as_slice() else {
        let known: Vec<_> = SUITES.iter().map(Suite::name).collect();
        return Err(format!("give a suite and a file of cases: vectors <{}> <file.json>", known.join("|")));
    };
    let text = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    tekton_sdk_vectors::run(&suite.to_string_lossy(), &text)
}
