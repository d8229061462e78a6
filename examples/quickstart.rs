//! Two components work together over real sockets: one reads files, one analyses texts and is found by what it can do.
//! Run with: `cargo run --example quickstart [-- FILE]`; the README if none is given. `HERMES_URL` names a hub to use.
//! With `--stay` the components go on until SIGTERM or Ctrl-C, each with its OpenAPI document at `/openapi.json`.
//! Expect: what was registered, the analysis of the file, how long the calls took, an orderly end.
//!
//! In your Cargo.toml: tekton-sdk = { version = "0.1", features = ["testing"] } (`testing` for the hub in the process)
//!                     tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use tekton_sdk::{
    Client, Component, Error, Result, Tekton,
    config::Layers,
    data,
    directory::{Query, Rank},
    host::until_signal,
    http::Method,
    patterns::request::Reply,
    service,
    testing::FakeHermes,
};

/// The largest text that is passed around here.
const MAX_BYTES: usize = 256 << 20;

// ---- a component that reads files below one folder

/// Reads files.
#[derive(Component)]
#[component(version = "1.0.0", capabilities("file.read"))]
struct Reader {
    folder: PathBuf,
}

/// A file's text.
#[data]
struct Text {
    text: String,
    /// How many bytes of it were no UTF-8; each counts as a separator.
    undecodable: usize,
}

#[service]
impl Reader {
    /// Reads a file of the folder as text.
    ///
    /// # Arguments
    /// * `name` - the file's name
    #[op(read)] // not async: it may block
    fn read(&self, name: &str) -> Result<Text> {
        if Path::new(name).components().count() != 1 || name.starts_with('.') && name.trim_matches('.').is_empty() {
            return Err(Error::invalid(format!("{name:?} is no name of a file in the folder")));
        }
        let path = self.folder.join(name);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(format!("there is no file {}", path.display())),
            kind => Error::invalid(format!("the file {} cannot be read: {kind}", path.display())),
        })?;
        let undecodable = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
        Ok(Text { text: String::from_utf8_lossy(&bytes).into_owned(), undecodable })
    }
}

// ---- a component that analyses texts

/// Analyses texts.
#[derive(Component)]
#[component(version = "1.0.0", capabilities("text.analyse" = 0.9))]
struct Analyser;

/// What a text is made of.
#[data]
#[derive(Debug, PartialEq)]
struct Analysis {
    lines: usize,
    words: usize,
    distinct_words: usize,
    /// The ten most frequent words with their counts; of equal ones the alphabetically first.
    top: Vec<(String, usize)>,
}

#[service]
impl Analyser {
    /// Counts lines and words; a word is a run of letters and digits.
    ///
    /// # Arguments
    /// * `text` - what to analyse
    #[op(read)]
    fn analyse(&self, text: &str) -> Result<Analysis> {
        let mut counts = HashMap::<&str, usize>::new();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.for_each(|word| *counts.entry(word).or_default() += 1);
        let mut top: Vec<_> = counts.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
        top.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        top.truncate(10);
        Ok(Analysis { lines: text.lines().count(), words: counts.values().sum(), distinct_words: counts.len(), top })
    }
}

// ---- the program

/// What `/mcp/tools.json` answers.
#[data]
struct Tools {
    tools: Vec<Listed>,
}

/// As much of a tool as is printed here.
#[data]
struct Listed {
    name: String,
    description: Option<String>,
}

async fn run(file: &Path, stay: bool) -> Result<()> {
    let mut builder = Tekton::builder().named("quickstart").layers(Layers::from_process())?.configure(|config| {
        config.request.max_request_bytes = MAX_BYTES;
        config.request.max_response_bytes = MAX_BYTES;
        config.host.max_body_bytes = MAX_BYTES;
    });
    let hub = match &builder.settings().hub.url {
        Some(url) => {
            println!("hub: {url}");
            None
        }
        None => {
            let hub = FakeHermes::start().await?;
            println!("hub: {} (in this process; set HERMES_URL to use another)", hub.url());
            builder = builder.hub(hub.url());
            Some(hub)
        }
    };
    let tekton = builder.build()?;

    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let reader = Reader { folder: folder.to_owned() }.serve(&tekton).start().await?;
    let analyser = Analyser.serve(&tekton).start().await?;
    let mut result = work(&tekton, file, [reader.id(), analyser.id()]).await;
    if stay && result.is_ok() {
        println!("\nthe components stay until SIGTERM or Ctrl-C");
        result = until_signal().await;
    }

    let drained = (analyser.shutdown().await, reader.shutdown().await);
    tekton.shutdown().await;
    if let Some(hub) = hub {
        hub.stop().await;
    }
    result?;
    assert_eq!(drained, (true, true));
    println!("\nshut down in order");
    Ok(())
}

async fn work(tekton: &Tekton, file: &Path, ids: [&str; 2]) -> Result<()> {
    let registered = tekton.components().await?;
    println!("\nregistered:");
    for entry in &registered {
        let can: Vec<_> = entry.capabilities.iter().map(|capability| capability.name.as_str()).collect();
        println!("  {:<28} {:<28} {}", entry.id, entry.endpoint, can.join(", "));
    }
    assert!(ids.iter().all(|id| registered.iter().any(|entry| entry.id == *id)));

    println!("\nMCP tools:");
    for id in ids {
        let peer = tekton.peer_for(Query::id(id));
        let tools: Reply<Tools> = peer.request("tools").method(Method::GET).path("/mcp/tools.json").await?;
        assert!(!tools.tools.is_empty());
        tools
            .tools
            .iter()
            .for_each(|tool| println!("  {:<8} {}", tool.name, tool.description.as_deref().unwrap_or("")));
    }

    let clock = tekton.clock();
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let began = clock.now();
    let text = ReaderClient::from_peer(tekton.peer_for(Query::id(ids[0]))).read(&name).await?;
    let read_in = clock.now() - began;

    // Whoever can analyse texts, the best first.
    let began = clock.now();
    let peer = tekton.peer_for(Query::capability("text.analyse").ranked(Rank::Score));
    assert!(!peer.entries().await?.is_empty());
    let analyser = AnalyserClient::from_peer(peer);
    let found_in = clock.now() - began;
    let began = clock.now();
    let analysis = analyser.analyse(&text.text).await?;
    let analysed_in = clock.now() - began;
    assert_eq!(analysis, Analyser.analyse(&text.text)?);

    println!("\n{}:", file.display());
    if text.undecodable > 0 {
        println!("  {} bytes are no UTF-8 text and count as separators", text.undecodable);
    }
    println!("  lines          {}", analysis.lines);
    println!("  words          {}", analysis.words);
    println!("  distinct words {}", analysis.distinct_words);
    println!("  most frequent:");
    if analysis.top.is_empty() {
        println!("    none");
    }
    for (word, count) in &analysis.top {
        println!("    {count:>6}  {word}");
    }
    println!("\ncalls:\n  read    {read_in:?}\n  find    {found_in:?}\n  analyse {analysed_in:?}");
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let (options, files): (Vec<_>, Vec<_>) = std::env::args_os().skip(1).partition(|argument| argument == "--stay");
    let file = files.first().map_or_else(readme, PathBuf::from);
    match run(&file, !options.is_empty()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

fn readme() -> PathBuf {
    let here = PathBuf::from("README.md");
    if here.exists() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md") }
}
