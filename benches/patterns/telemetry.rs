//! What it costs to count an attempt: a counter and a histogram.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::{CounterVec, HistogramOpts, HistogramVec, Opts, Registry};
use tekton_sdk::{Verdict, telemetry::Metrics};
use tekton_sdk_benches::{Selection, Table};

const LABELS: [&str; 3] = ["reader", "summarizer", "summarize"];

pub(crate) fn run(selection: &Selection) {
    let title = "metrics: a counter and a histogram";
    if !selection.takes(title) {
        return;
    }
    let names = ["source", "target", "endpoint"];
    let buckets = [0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 3e4];
    let options = HistogramOpts::new("seconds", "Seconds.").buckets(buckets.map(|millis| millis / 1e3).to_vec());
    let counters = CounterVec::new(Opts::new("total", "Count."), &names).expect("constants");
    let histograms = HistogramVec::new(options, &names).expect("constants");
    let (counter, histogram) = (counters.with_label_values(&LABELS), histograms.with_label_values(&LABELS));
    let registry = Registry::new();
    let metrics = Metrics::register(&registry, Arc::new([])).expect("an empty registry");
    let [source, target, endpoint] = LABELS;
    let (ours, looked_up) = (metrics.of(source, target, endpoint), metrics.clone());
    let cells: [AtomicU64; 3] = std::array::from_fn(|_| AtomicU64::new(0));
    // Durations of three buckets in turns, as calls have them.
    let took = |n: u64| Duration::from_micros(black_box([180, 900, 3_000][(n % 3) as usize]));
    Table::new(title)
        .case("prometheus, handles kept", |operations| {
            for n in 0..operations {
                counter.inc();
                histogram.observe(took(n).as_secs_f64());
            }
        })
        .case("prometheus, looked up by labels", |operations| {
            for n in 0..operations {
                counters.with_label_values(&LABELS).inc();
                histograms.with_label_values(&LABELS).observe(took(n).as_secs_f64());
            }
        })
        .case("three relaxed adds", |operations| {
            for n in 0..operations {
                let nanos = took(n).as_nanos() as u64;
                for cell in &cells {
                    cell.fetch_add(nanos, Ordering::Relaxed);
                }
            }
        })
        .case("tekton, an attempt with its verdict", |operations| {
            for n in 0..operations {
                ours.attempt(took(n), Some(Verdict::Success));
            }
        })
        .case("tekton, a call", |operations| {
            for n in 0..operations {
                ours.call(took(n), None);
            }
        })
        .case("tekton, looked up by labels", |operations| {
            for n in 0..operations {
                looked_up.of(source, target, endpoint).attempt(took(n), Some(Verdict::Success));
            }
        })
        .run(selection);
}
