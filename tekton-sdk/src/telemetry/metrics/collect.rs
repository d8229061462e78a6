//! From the cells to what a registry gathers.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Weak},
};

use prometheus::{
    core::{Collector, Desc},
    proto,
};

use super::{
    All, HostLimit,
    capped::{MAX_VALUES, short},
    cells::Snapshot,
};
use crate::{
    error::{ErrorKind, Verdict},
    telemetry::{
        Gauge, Introspect,
        names::{self, METRICS, Metric, MetricKind, OTHER},
    },
};

/// Shows the cells, and asks the parts of a handle for their gauges, at each scrape.
pub(super) struct Collects {
    all: Arc<All>,
    parts: Weak<[Arc<dyn Introspect>]>,
    descriptions: Vec<Desc>,
}

impl Collects {
    pub(super) fn new(all: Arc<All>, parts: Weak<[Arc<dyn Introspect>]>) -> prometheus::Result<Self> {
        let describe = |metric: &Metric| {
            let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())
        };
        Ok(Self { all, parts, descriptions: METRICS.iter().map(describe).collect::<prometheus::Result<_>>()? })
    }
}

impl Collector for Collects {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut scrape = Scrape::default();
        scrape.calls(&self.all);
        scrape.events(&self.all);
        scrape.served(&self.all);
        if let Some(parts) = self.parts.upgrade() {
            scrape.gauges(&parts);
        }
        scrape.families()
    }
}

impl fmt::Debug for Collects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collects").finish_non_exhaustive()
    }
}

/// The series of one scrape, by the metric's name.
#[derive(Default)]
struct Scrape(BTreeMap<&'static str, Vec<proto::Metric>>);

impl Scrape {
    fn push(&mut self, name: &'static str, values: &[&str], fill: impl FnOnce(&mut proto::Metric)) {
        let labels = METRICS.iter().find(|metric| metric.name == name).map_or(&[] as &[_], |metric| metric.labels);
        let mut pairs: Vec<_> = labels.iter().zip(values).map(|(name, value)| pair(name, value)).collect();
        // As the crate's own metrics have them.
        pairs.sort_by(|one, other| one.name().cmp(other.name()));
        let mut series = proto::Metric::from_label(pairs);
        fill(&mut series);
        self.0.entry(name).or_default().push(series);
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but floats")]
    fn count(&mut self, name: &'static str, values: &[&str], count: u64) {
        self.push(name, values, |series| {
            let mut counter = proto::Counter::default();
            counter.set_value(count as f64);
            series.set_counter(counter);
        });
    }

    fn gauge(&mut self, name: &'static str, values: &[&str], value: f64) {
        self.push(name, values, |series| {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            series.set_gauge(gauge);
        });
    }

    fn timing(&mut self, name: &'static str, values: &[&str], snapshot: Snapshot) {
        self.push(name, values, |series| {
            let bucket = |(bound, count)| {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            };
            let mut histogram = proto::Histogram::default();
            histogram.set_sample_count(snapshot.count);
            histogram.set_sample_sum(snapshot.sum);
            histogram.set_bucket(snapshot.buckets.into_iter().map(bucket).collect());
            series.set_histogram(histogram);
        });
    }

    fn calls(&mut self, all: &All) {
        for ([source, target, endpoint], cells) in all.calls.all() {
            let labels: [&str; 3] = [&source, &target, &endpoint];
            let [calls, attempts] = [cells.calls.snapshot(), cells.attempts.snapshot()];
            if calls.count > 0 {
                self.count(names::REQUESTS_TOTAL, &labels, calls.count);
                self.timing(names::DURATION_SECONDS, &labels, calls);
            }
            if attempts.count > 0 {
                self.timing(names::ATTEMPT_DURATION_SECONDS, &labels, attempts);
            }
            for (kind, count) in ErrorKind::ALL.iter().zip(&cells.failures).filter(|(_, count)| count.get() > 0) {
                self.count(names::FAILURES_TOTAL, &[&source, &target, &endpoint, kind.name()], count.get());
            }
            let verdicts = [Verdict::Success, Verdict::Failure, Verdict::Ignored].map(Verdict::name);
            let verdicts = verdicts.into_iter().chain([names::ABANDONED]);
            for (verdict, count) in verdicts.zip(&cells.verdicts).filter(|(_, count)| count.get() > 0) {
                self.count(names::ATTEMPTS_TOTAL, &[&source, &target, &endpoint, verdict], count.get());
            }
            let hedges =
                names::OUTCOMES.iter().zip(&cells.hedges).map(|(name, count)| (names::HEDGES_TOTAL, name, count));
            let stood_in =
                names::ORIGINS.iter().zip(&cells.stood_in).map(|(name, count)| (names::STOOD_IN_TOTAL, name, count));
            for (metric, name, count) in hedges.chain(stood_in).filter(|(_, _, count)| count.get() > 0) {
                self.count(metric, &[&source, &target, &endpoint, name], count.get());
            }
        }
    }

    fn events(&mut self, all: &All) {
        all.retries.each(|target, [reason], count| self.count(names::RETRIES_TOTAL, &[target, reason], count));
        all.not_retried.each(|target, [reason], count| self.count(names::NOT_RETRIED_TOTAL, &[target, reason], count));
        all.refusals.each(|breaker, [], count| self.count(names::BREAKER_REFUSALS_TOTAL, &[breaker], count));
        all.policy_refusals.each(|target, [policy], count| {
            self.count(names::POLICY_REFUSALS_TOTAL, &[target, policy], count);
        });
        all.transitions.each(|breaker, [from, to], count| {
            self.count(names::BREAKER_TRANSITIONS_TOTAL, &[breaker, from, to], count);
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but floats")]
    fn served(&mut self, all: &All) {
        for (component, cells) in all.served.all() {
            self.gauge(names::SERVED_IN_FLIGHT, &[&component], cells.in_flight() as f64);
            for (operation, cells) in cells.all() {
                let took = cells.took.snapshot();
                if took.count > 0 {
                    self.timing(names::SERVED_DURATION_SECONDS, &[&component, &operation], took);
                }
                for (limit, count) in HostLimit::ALL.iter().zip(&cells.refused).filter(|(_, count)| count.get() > 0) {
                    self.count(names::SERVED_REFUSED_TOTAL, &[&component, &operation, limit.name()], count.get());
                }
                for (status, count) in cells.statuses.all() {
                    let status = if status == 0 { OTHER.to_owned() } else { status.to_string() };
                    self.count(names::SERVED_TOTAL, &[&component, &operation, &status], count);
                }
            }
        }
    }

    /// Asks every part. One series for each key; beyond the cap the largest value of the rest stands under [`OTHER`].
    fn gauges(&mut self, parts: &[Arc<dyn Introspect>]) {
        let mut shown: BTreeMap<&'static str, BTreeMap<String, f64>> = BTreeMap::new();
        for part in parts {
            part.gauges(&mut |Gauge { name, key, value }| {
                let series = shown.entry(name).or_default();
                let key = short(key);
                // Who calls itself so is one of the rest: what it shows must not hide another.
                if key != OTHER && (series.len() < MAX_VALUES || series.contains_key(key)) {
                    series.insert(key.to_owned(), value);
                } else {
                    let rest = series.entry(OTHER.to_owned()).or_insert(value);
                    *rest = rest.max(value);
                }
            });
        }
        for (name, series) in shown {
            // A name that does not stand in the table has no labels, and no place here.
            if METRICS.iter().any(|metric| metric.name == name && metric.kind == MetricKind::Gauge) {
                for (key, value) in series {
                    self.gauge(name, &[&key], value);
                }
            }
        }
    }

    fn families(mut self) -> Vec<proto::MetricFamily> {
        let mut families = Vec::new();
        for metric in METRICS {
            let Some(series) = self.0.remove(metric.name) else { continue };
            let mut family = proto::MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(match metric.kind {
                MetricKind::Counter => proto::MetricType::COUNTER,
                MetricKind::Gauge => proto::MetricType::GAUGE,
                MetricKind::Histogram => proto::MetricType::HISTOGRAM,
            });
            family.set_metric(series);
            families.push(family);
        }
        families
    }
}

fn pair(name: &str, value: &str) -> proto::LabelPair {
    let mut pair = proto::LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
