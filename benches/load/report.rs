//! What was asked for, and how it is shown.

use std::{env, fmt};

pub(crate) struct Settings {
    pub(crate) connections: usize,
    pub(crate) topics: usize,
    pub(crate) rates: Vec<usize>,
    pub(crate) seconds: usize,
    pub(crate) rounds: usize,
}

impl Settings {
    pub(crate) fn from_process() -> Self {
        let number = |name: &str, default: usize| {
            env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
        };
        let rates = env::var("RATES").unwrap_or_else(|_| "100,200".to_owned());
        Self {
            connections: number("CONNECTIONS", 10_000),
            topics: number("TOPICS", 100),
            rates: rates.split(',').filter_map(|rate| rate.parse().ok()).collect(),
            seconds: number("SECONDS", 10),
            rounds: number("ROUNDS", 15),
        }
    }

    /// Has a client connect.
    pub(crate) fn connect(&self, address: &str, subscribe: bool) -> String {
        format!("connect {address} {} {} {subscribe}", self.connections, self.topics)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections, {} topics", self.connections, self.topics)
    }
}

/// The median, the 99th percentile and the most of one or more things, in microseconds, as a process says them.
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split(' ').map(|number| number.parse().expect("a process says numbers")).collect())
    }

    /// Of the thing at this place, in milliseconds.
    pub(crate) fn at(&self, place: usize) -> [f64; 3] {
        [0, 1, 2].map(|of| self.0[place * 3 + of] / 1000.0)
    }

    /// What a process says of its figures.
    pub(crate) fn text(micros: &mut [u32]) -> String {
        micros.sort_unstable();
        let at = |part: usize, of: usize| micros.get(micros.len() * part / of).or(micros.last()).copied().unwrap_or(0);
        format!("{} {} {}", at(1, 2), at(99, 100), at(1, 1))
    }
}

pub(crate) fn heading() {
    println!("  {:64} {:>9} {:>9} {:>9}  aim", "", "median", "p99", "most");
}

pub(crate) fn row(what: &str, figures: &[f64; 3], aim: &str) {
    let [median, late, most] = figures;
    println!("  {what:64} {median:>9.2} {late:>9.2} {most:>9.2}  {aim}");
}

/// The quartiles.
pub(crate) fn times(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
