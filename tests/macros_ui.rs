//! What the macros accept, and what they say of what they do not.
//!
//! What a macro sees by itself has its file under `ui/fail`: there the whole output is compared, all of it ours. To write it
//! anew: `TRYBUILD=overwrite cargo test -p tekton-sdk-tests --test macros_ui`.
//!
//! What takes the compiler to see has its file under `ui/compiler`: there the frame is the compiler's, so only our sentences
//! are compared, each with the line that ends with it after `//~`, and how many there are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

#[test]
fn macros_say_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*/*.rs");
}

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Runs cargo in a crate of these programs that stands beside the tests' own.
fn cargo(name: &str, dependency: &str, programs: &[PathBuf], command: &[&str]) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("tests").join(name);
    fs::create_dir_all(&folder).unwrap();
    let sdk = root().join("tekton-sdk");
    let mut manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n\n[workspace]\n\n[profile.dev]\ndebug = \"line-tables-only\"\n\n\
         [dependencies]\ntekton-sdk = {{ path = {sdk:?}, {dependency} }}\n"
    );
    for program in programs {
        let stem = program.file_stem().unwrap();
        manifest += &format!("\n[[bin]]\nname = {stem:?}\npath = {program:?}\n");
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(command)
        .args(["--offline", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(&folder)
        .output()
        .unwrap()
}

/// What the compiler says of each of these programs: `(line, sentence)`, by name.
fn compiled(name: &str, programs: &[PathBuf]) -> BTreeMap<String, BTreeSet<(u64, String)>> {
    let command = ["build", "--keep-going", "--message-format", "json"];
    let output = cargo(name, "features = [\"testing\"]", programs, &command);
    let mut said = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        let program = report["target"]["name"].as_str().unwrap_or_default().to_owned();
        match report["reason"].as_str() {
            Some("compiler-artifact") if report["target"]["kind"][0] == "bin" => drop(said.entry(program).or_default()),
            Some("compiler-message") if report["message"]["level"] == "error" => {
                let message = &report["message"];
                let primary = message["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true);
                // The compiler repeats what it says of several items, and cargo shows it once.
                let here: &mut BTreeSet<_> = said.entry(program).or_default();
                here.extend(primary.map(|span| {
                    let text = message["message"].as_str().unwrap();
                    let label = span["label"].as_str().unwrap_or_default();
                    (span["line_start"].as_u64().unwrap(), format!("{text}: {label}"))
                }));
            }
            _ => {}
        }
    }
    assert_eq!(said.len(), programs.len(), "not all were compiled: {}", String::from_utf8_lossy(&output.stderr));
    said
}

fn programs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut programs: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    programs.sort();
    programs
}

#[test]
fn the_compiler_says_what_to_write_instead_once_and_where() {
    let programs = programs("ui/compiler");
    let said = compiled("ui-compiler", &programs);
    let mut wrong = String::new();
    for program in programs {
        let name = program.file_stem().unwrap().to_str().unwrap();
        let mut rest = said[name].clone();
        for (line, text) in (1..).zip(fs::read_to_string(&program).unwrap().lines()) {
            for expected in text.split("//~ ").skip(1) {
                let found = rest.iter().find(|(at, said)| *at == line && said.contains(expected.trim())).cloned();
                match found {
                    Some(found) => drop(rest.remove(&found)),
                    None => wrong += &format!("{name}:{line} is not told {:?}\n", expected.trim()),
                }
            }
        }
        rest.iter().for_each(|(line, said)| wrong += &format!("{name}:{line} is told {said:?}\n"));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_component_brings_a_test_of_what_only_a_run_can_know() {
    let output =
        cargo("ui-generated", "features = [\"testing\"]", &programs("ui/generated"), &["test", "--no-fail-fast"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 passed; 1 failed; 0 ignored"), "{said}");
    assert!(said.contains("the_operations_of_unsound_are_valid"), "{said}");
    let sentence = "the operations of \"unsound\" are wrong: operations.ask_for_one.outputSchema: \
                    `properties` must be an object of schemas";
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_program_that_only_calls_needs_no_host() {
    let features = "default-features = false, features = [\"http\", \"macros\"]";
    let output = cargo("ui-client", features, &programs("ui/client"), &["check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
