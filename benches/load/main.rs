//! 10,000 subscribers of one host, over WebSockets on loopback: what connecting takes, what a connection that waits keeps in
//! memory, how soon an event is read, and what a broadcast costs beside a bare loop of writes over as many sockets.
//!
//! ```sh
//! cargo bench -p tekton-sdk-benches --bench load
//! ```
//!
//! The host, the bare loop and the clients of each are processes of their own, started from this program; the parent tells them
//! what to do, a line at a time. `CONNECTIONS`, `TOPICS`, `RATES` (events per second, with commas between), `SECONDS` and `ROUNDS`
//! change the run.
//!
//! Budgets: connected and subscribed within 50 ms at the 99th percentile, an event read within 10 ms of being published, less
//! than 16 KiB of memory for a connection.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

mod bare;
mod client;
mod host;
mod process;
mod report;
mod wire;

use std::env;

use tekton_sdk_benches::Selection;

use self::{
    process::{Process, cpu, rss},
    report::{Settings, Spread, heading, row, times},
};

fn main() {
    match env::var("LOAD_ROLE").ok().as_deref() {
        Some("host") => host::run(),
        Some("bare") => bare::run(),
        Some("client") => client::run(),
        _ => run(&Selection::from_process()),
    }
}

fn run(selection: &Selection) {
    let title = "load: subscribers of one host, over WebSockets";
    if !selection.takes(title) {
        return;
    }
    let settings = Settings::from_process();
    println!("\n{title}: {settings}");
    let (mut host, mut client) = (Process::start("host"), Process::start("client"));
    let address = host.line();
    host.ask("settle");
    let before = rss(host.id());
    let connected = client.ask(&settings.connect(&address, true));
    host.ask("settle");
    let idle = rss(host.id()).saturating_sub(before) as f64 / settings.connections as f64 / 1024.0;
    heading();
    let spread = Spread::of(&connected);
    row("connected and upgraded, ms", &spread.at(0), "");
    row("connected, upgraded and subscribed, ms", &spread.at(1), "p99 50");
    println!("  memory of a connection that waits: {idle:.1} KiB (aim 16)");
    for rate in &settings.rates {
        let began = cpu(host.id());
        let published = host.ask(&format!("publish {rate} {} {}", settings.seconds, settings.topics));
        let spent = cpu(host.id()) - began;
        let published: usize = published.parse().expect("the host says how many it published");
        let expected = published * settings.connections / settings.topics;
        let spread = Spread::of(&client.ask(&format!("read {expected}")));
        let what =
            format!("published to read, ms: {rate} events/s, {} reads each", settings.connections / settings.topics);
        row(&what, &spread.at(0), "p99 10");
        println!("  CPU of the host for each of {expected} reads: {:.1} µs", spent * 1e6 / expected as f64);
    }
    broadcasts(&settings, &mut host, &mut client);
}

/// Both in turns, in the same run.
fn broadcasts(settings: &Settings, host: &mut Process, client: &mut Process) {
    let (mut bare, mut reader) = (Process::start("bare"), Process::start("client"));
    let address = bare.line();
    reader.ask(&settings.connect(&address, false));
    bare.ask("settle");
    let (mut ours, mut theirs) = (Turns::default(), Turns::default());
    for round in 1..=settings.rounds {
        ours.take(settings, round, host, client);
        theirs.take(settings, round, &mut bare, &mut reader);
    }
    println!("  broadcast to all, {} rounds in turns, from being published to the last read", settings.rounds);
    let ratio = times(theirs.wall.iter().zip(&ours.wall).map(|(bare, tekton)| bare / tekton));
    row("a bare loop of writes, ms", &theirs.spread(), "");
    row("tekton, ms", &ours.spread(), "");
    println!(
        "  ratio {:.2}, quartiles {:.2}..{:.2}; CPU for each read: bare {:.1} µs, tekton {:.1} µs",
        ratio[1],
        ratio[0],
        ratio[2],
        theirs.cpu_each(settings),
        ours.cpu_each(settings)
    );
}

#[derive(Default)]
struct Turns {
    /// Milliseconds.
    wall: Vec<f64>,
    /// Seconds.
    cpu: f64,
}

impl Turns {
    fn take(&mut self, settings: &Settings, round: usize, host: &mut Process, client: &mut Process) {
        let began = cpu(host.id());
        host.ask(&format!("broadcast {round}"));
        let took = client.ask(&format!("all {round} {}", settings.connections));
        self.cpu += cpu(host.id()) - began;
        self.wall.push(took.parse::<f64>().expect("the client says how long it took") / 1e6);
    }

    fn spread(&self) -> [f64; 3] {
        let mut wall = self.wall.clone();
        wall.sort_by(f64::total_cmp);
        [wall[wall.len() / 2], wall[wall.len() * 99 / 100], wall[wall.len() - 1]]
    }

    fn cpu_each(&self, settings: &Settings) -> f64 {
        self.cpu * 1e6 / (settings.rounds * settings.connections) as f64
    }
}
