//! The house: who may know whom, which handles may cross threads, and that no file is forgotten.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Floors, lowest first. A module may import what stands on a lower floor.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["time", "names", "secret", "random"],
    &["contract", "wire", "env", "telemetry", "context", "rules"],
    &["transport", "directory", "policy"],
    &["tekton"],
    &["request", "breaker", "events", "landmarks", "streaming"],
    &["hub"],
    &["config"],
    &["host"],
    &["blocking", "service"],
    &["testing", "private"],
];

/// The doors between modules of one floor.
const DOORS: &[(&str, &str)] = &[
    ("contract", "wire"),
    ("telemetry", "wire"),
    ("context", "wire"),
    ("policy", "transport"),
    ("directory", "transport"),
];

/// What `lib.rs` re-exports, and the module it comes from: naming it at the root is no way around a floor.
const ROOT_ITEMS: &[(&str, &str)] = &[
    ("CallOptions", "service"),
    ("Client", "tekton"),
    ("Component", "host"),
    ("Config", "config"),
    ("Data", "service"),
    ("Context", "context"),
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("FieldError", "error"),
    ("Peer", "tekton"),
    ("RemoteError", "error"),
    ("Result", "error"),
    ("RetryHint", "error"),
    ("SDK", "error"),
    ("Secret", "secret"),
    ("Sent", "error"),
    ("Tekton", "tekton"),
    ("Verdict", "error"),
    // Exported macros stand at the root whatever module defines them.
    ("__tekton_when_host", "private"),
    ("__tekton_when_testing", "private"),
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Why `from` may not import `to`, if it may not.
fn refused(from: &str, to: &str) -> Option<String> {
    let to = ROOT_ITEMS.iter().find(|(item, _)| *item == to).map_or(to, |(_, module)| module);
    match (floor(from), floor(to)) {
        (None, _) => Some(format!("`{from}` stands on no floor; give it one in tests/house.rs")),
        (_, None) => Some(format!("`{from}` imports `{to}`, which stands on no floor")),
        (Some(here), Some(there)) if from == to || there < here || DOORS.contains(&(from, to)) => None,
        _ => Some(format!("`{from}` may not import `{to}`")),
    }
}

/// The code without comments, strings and the unit tests at its end.
fn bare(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some((raw, hashes)) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            rest = rest[raw..].split_once(&end).map_or("", |(_, after)| after);
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = end.map_or("", |end| &rest[end + 2..]);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest = &rest[rest[1..].find("'").map_or(rest.len(), |end| end + 2)..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// Where the text of a raw string begins, and how many hashes it has.
fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let after = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br"))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some((rest.len() - after.len() + hashes + 1, hashes))
}

/// The first segments of every path that begins with `prefix`, braces opened.
fn first_segments(code: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(group) => {
                let (mut depth, mut start) = (0_usize, 0);
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            found.push(word(&group[start..at]));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.push(word(&group[start..at]));
                            start = at + 1;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The modules that a file imports, seen through `patterns::` and `super::`.
fn imports(code: &str, depth: usize) -> Vec<String> {
    let through = |prefix: &str| {
        let below = first_segments(code, &format!("{prefix}patterns::"));
        first_segments(code, prefix).into_iter().filter(|name| name != "patterns").chain(below)
    };
    // As many `super::` as the file is deep reach the root.
    through("crate::").chain(through(&"super::".repeat(depth))).chain(through("tekton_sdk::")).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every wrong import of a source tree.
fn violations(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in sources(root) {
        let inside = path.strip_prefix(root).expect("it is below the root").with_extension("");
        let mut parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_mod = parts.last().is_some_and(|last| last == "mod");
        let depth = parts.len() - usize::from(is_mod);
        if parts[0] == "patterns" {
            parts.remove(0);
        }
        let test_only = ["tests", "arbitrary"].contains(&parts.last().map_or("", |last| last.as_str()));
        if parts[0] == "lib" || (is_mod && parts.len() == 1) || test_only {
            continue;
        }
        let code = bare(&fs::read_to_string(&path).expect("the file can be read"));
        let refusals = imports(&code, depth).into_iter().filter_map(|to| refused(&parts[0], &to));
        wrong.extend(refusals.map(|why| format!("{}: {why}", path.display())));
    }
    wrong
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn modules_import_only_downwards() {
    let wrong = violations(&workspace().join("tekton-sdk/src"));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    let upward = "use crate::{error::{Error, Result}, host::Serve};";
    let found: Vec<_> = imports(&bare(upward), 2).iter().filter_map(|to| refused("transport", to)).collect();
    assert_eq!(found, ["`transport` may not import `host`"]);
    for (code, to) in [
        ("use super::super::directory::Query;", "directory"),
        ("let x = crate::patterns::request::Call::new();", "request"),
        ("use crate::Tekton;", "tekton"),
        ("use tekton_sdk::host::Serve;", "host"),
        ("use crate::cellar::Wine;", "cellar"),
    ] {
        let found: Vec<_> = imports(&bare(code), 2).iter().filter_map(|to| refused("policy", to)).collect();
        assert!(found.len() == 1 && found[0].contains(to), "{code}: {found:?}");
    }
    for code in ["// use crate::host::Serve;", "/* crate::host */", r#"let s = "crate::host";"#, "r#\"crate::host\"#;"]
    {
        assert!(imports(&bare(code), 2).is_empty(), "{code}");
    }
    assert!(refused("cellar", "error").is_some());
}

#[test]
fn handles_cross_threads() {
    fn handle<T: Send + Sync + 'static>() {}
    use tekton_sdk::{
        Context, Error, Peer, Tekton, directory, host,
        patterns::{breaker, events},
        policy, random, telemetry, time, transport,
    };
    handle::<Tekton>();
    handle::<Peer>();
    handle::<tekton_sdk::blocking::Tekton>();
    handle::<tekton_sdk::blocking::Peer>();
    handle::<Context>();
    handle::<tekton_sdk::context::Budget>();
    handle::<tekton_sdk::context::Reservation>();
    handle::<tekton_sdk::patterns::request::Scatter>();
    handle::<Error>();
    handle::<directory::CachedDirectory>();
    handle::<directory::HermesDirectory>();
    handle::<directory::MemoryDirectory>();
    handle::<directory::Registered>();
    handle::<host::Listeners>();
    handle::<host::Served>();
    handle::<host::Server>();
    #[cfg(unix)]
    handle::<host::UnixServer>();
    handle::<tekton_sdk::hub::HermesBroker>();
    handle::<tekton_sdk::landmarks::Landmarks>();
    handle::<breaker::CircuitBreakerLayer>();
    handle::<breaker::BreakerPolicy>();
    handle::<breaker::Breakers>();
    handle::<breaker::CircuitBreaker>();
    handle::<breaker::OwnedPermit>();
    handle::<breaker::Permit<'static>>();
    handle::<breaker::Transitions>();
    handle::<events::Connection>();
    handle::<events::Delivery<String>>();
    handle::<events::Events>();
    handle::<events::MemoryBroker>();
    handle::<events::Publisher>();
    handle::<events::WebSocketBroker>();
    handle::<policy::Backoff>();
    handle::<policy::Bulkhead>();
    handle::<policy::Pipeline>();
    handle::<policy::RateLimit>();
    handle::<policy::Fallback>();
    handle::<policy::Hedge>();
    handle::<policy::ReplyCache>();
    handle::<policy::Reuse>();
    handle::<policy::RetryBudget>();
    handle::<policy::RetryBudgets>();
    handle::<random::Random>();
    handle::<telemetry::CallMetrics>();
    handle::<telemetry::Metrics>();
    handle::<telemetry::Observers>();
    handle::<telemetry::ServedMetrics>();
    handle::<tekton_sdk::testing::EventLog>();
    handle::<tekton_sdk::testing::ScriptedSse>();
    handle::<tekton_sdk::testing::SseScript>();
    handle::<time::SharedClock>();
    handle::<time::ManualClock>();
    handle::<transport::Body>();
    handle::<transport::Endpoint>();
    handle::<transport::HttpTransport>();
    handle::<transport::MemoryTransport>();
    handle::<transport::MeshTransport>();
    handle::<transport::Request>();
    handle::<transport::Response>();
    handle::<transport::WebSocketTransport>();
    handle::<tekton_sdk::testing::ScriptedWebSocket>();
    fn movable<T: Send + 'static>() {}
    movable::<directory::Watch>();
    movable::<events::Subscribe<String>>();
    movable::<events::Subscription<String>>();
    movable::<host::Serve>();
    movable::<tekton_sdk::patterns::request::ScatterCall>();
    movable::<tekton_sdk::patterns::streaming::Chunks<std::cell::Cell<u8>>>();
    movable::<tekton_sdk::patterns::streaming::Events>();
    movable::<tekton_sdk::patterns::streaming::SseClient>();
    movable::<tekton_sdk::patterns::streaming::StreamCall<'static, std::rc::Rc<u8>>>();
    movable::<tekton_sdk::patterns::streaming::TypedEvents<std::rc::Rc<u8>>>();
    assert_eq!(size_of::<tekton_sdk::Result<()>>(), size_of::<usize>());
}

/// A file that `Cargo.toml` does not list is never compiled, and rots.
#[test]
fn every_example_test_and_bench_is_listed() {
    for folder in ["examples", "tests", "benches"] {
        let folder = workspace().join(folder);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest can be read");
        let mut roots = BTreeSet::new();
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            if name.ends_with(".rs") {
                roots.insert(name);
            } else if path.join("main.rs").is_file() {
                roots.insert(format!("{name}/main.rs"));
            }
        }
        for root in roots {
            assert!(manifest.contains(&format!("path = \"{root}\"")), "{root} is not listed in {}", folder.display());
        }
    }
}

#[test]
fn no_source_file_outgrows_its_purpose() {
    let long = sources(&workspace().join("tekton-sdk/src"))
        .into_iter()
        .chain(sources(&workspace().join("tekton-sdk-macros/src")));
    for path in long {
        let lines = fs::read_to_string(&path).expect("the file can be read").lines().count();
        assert!(lines <= 500, "{} has {lines} lines; split it by 500", path.display());
    }
}
