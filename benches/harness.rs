//! A round-robin harness: every case has its turn in every round, and ratios are taken round by round.
//!
//! Machines drift, and neighbours come and go; two cases that ran one after the other within a second saw the same
//! weather. Quote the medians of the ratios, never two figures of different runs.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// How long one turn of one case takes.
const TURN: Duration = Duration::from_millis(60);

/// What is asked of a run: words of the command line that are no option select tables whose title holds one of them.
#[derive(Debug)]
pub struct Selection {
    words: Vec<String>,
    rounds: usize,
}

impl Selection {
    /// Reads the command line and `ROUNDS`, 41 unless set.
    #[must_use]
    pub fn from_process() -> Self {
        let words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
        let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(41).max(1);
        Self { words, rounds }
    }

    /// Whether a table of this title is asked for.
    #[must_use]
    pub fn takes(&self, title: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| title.contains(word.as_str()))
    }
}

/// One contender.
struct Case<'a> {
    name: String,
    work: Box<dyn FnMut(u64) + 'a>,
    turn: u64,
    samples: Vec<Sample>,
}

/// Nanoseconds per operation.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

/// Contenders for one thing; the first is what the others are measured by.
pub struct Table<'a> {
    title: String,
    cases: Vec<Case<'a>>,
}

impl<'a> Table<'a> {
    /// A table without a case.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), cases: Vec::new() }
    }

    /// Adds a case: `work` does so many operations on the calling thread.
    #[must_use]
    pub fn case(mut self, name: impl Into<String>, work: impl FnMut(u64) + 'a) -> Self {
        self.cases.push(Case { name: name.into(), work: Box::new(work), turn: 0, samples: Vec::new() });
        self
    }

    /// Warms up, runs the rounds and prints the medians.
    pub fn run(mut self, selection: &Selection) {
        for case in &mut self.cases {
            case.turn = operations_per_turn(&mut case.work);
        }
        for round in 0..selection.rounds {
            // Another one begins each round, so that nobody always follows the same neighbour.
            let first = round % self.cases.len();
            let (late, early) = self.cases.split_at_mut(first);
            for case in early.iter_mut().chain(late) {
                case.samples.push(measure(&mut case.work, case.turn));
            }
        }
        self.print();
    }

    fn print(&self) {
        let width = self.cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max(4);
        println!("\n{}", self.title);
        println!(
            "  {:width$} {:>11} {:>11} {:>9} {:>15} {:>11} {:>9}",
            "case", "ns/op", "op/s", "ratio", "quartiles", "cpu ns/op", "cpu ratio"
        );
        let Some(base) = self.cases.first() else { return };
        for case in &self.cases {
            let wall = quartiles(case.samples.iter().map(|s| s.wall));
            let cpu = quartiles(case.samples.iter().map(|s| s.cpu));
            let speed = quartiles(base.samples.iter().zip(&case.samples).map(|(b, s)| b.wall / s.wall));
            let effort = quartiles(base.samples.iter().zip(&case.samples).map(|(b, s)| s.cpu / b.cpu));
            let spread = format!("{:.3}..{:.3}", speed[0], speed[2]);
            println!(
                "  {:width$} {:>11.1} {:>11.0} {:>9.3} {spread:>15} {:>11.1} {:>9.3}",
                case.name,
                wall[1],
                1e9 / wall[1],
                speed[1],
                cpu[1],
                effort[1]
            );
        }
    }
}

impl std::fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("title", &self.title).finish_non_exhaustive()
    }
}

/// Keeps a value from being optimised away.
pub fn keep<T>(value: T) {
    black_box(value);
}

/// Doubles the work until a turn lasts long enough; this is the warm-up too.
fn operations_per_turn(work: &mut dyn FnMut(u64)) -> u64 {
    let mut operations = 64;
    loop {
        let took = measure(work, operations).wall * operations as f64;
        if took >= TURN.as_nanos() as f64 * 0.7 {
            return operations;
        }
        operations *= 2;
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
fn measure(work: &mut dyn FnMut(u64), operations: u64) -> Sample {
    let (began, cpu) = (Instant::now(), thread_cpu());
    work(operations);
    let (wall, cpu) = (began.elapsed(), thread_cpu().saturating_sub(cpu));
    let each = |time: Duration| time.as_nanos() as f64 / operations as f64;
    Sample { wall: each(wall), cpu: each(cpu) }
}

/// The time this thread has been on a processor; zero where the system does not tell.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN))
}
