//! `docs/observability.md`, the guide, the dashboard and the alerts say what the code says.

use std::collections::BTreeSet;

use tekton_sdk::{
    Tekton,
    telemetry::{
        Event,
        names::{self, METRICS, MetricKind, SPANS},
    },
};

fn file(path: &str) -> String {
    let whole = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).expect("the start is there");
    rest.split_once(end).expect("the end is there").0
}

#[test]
fn the_pages_table_of_metrics_is_the_codes_table() {
    let page = file("docs/observability.md");
    let table = between(&page, "<!-- metrics: begin -->\n", "<!-- metrics: end -->");
    // `cargo test` prints both; copy the right one.
    assert_eq!(table.trim(), names::markdown().trim());
}

#[test]
fn the_page_lists_every_span_and_every_event_and_no_other() {
    let page = file("docs/observability.md");
    let first_cells = |start: &str, end: &str| -> Vec<String> {
        let rows = between(&page, start, end).lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
    };
    assert_eq!(first_cells("<!-- spans: begin -->", "<!-- spans: end -->"), SPANS);
    assert_eq!(first_cells("<!-- events: begin -->", "<!-- events: end -->"), Event::NAMES);
}

/// The metrics that a text names, without what a histogram's series have behind the name.
fn named(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("integration_") {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        let histogram = |name: &str| METRICS.iter().any(|m| m.name == name && m.kind == MetricKind::Histogram);
        found.insert(base.filter(|base| histogram(base)).unwrap_or(name));
    }
    found
}

#[test]
fn the_dashboard_and_the_alerts_name_only_what_there_is() {
    let all: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    let (dashboard, alerts) = (file("docs/grafana/dashboard.json"), file("docs/alerts.yml"));
    for (path, text) in [("dashboard.json", &dashboard), ("alerts.yml", &alerts)] {
        let unknown: Vec<_> = named(text).difference(&all).copied().collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
    let missing: Vec<_> = all.difference(&named(&dashboard)).copied().collect();
    assert!(missing.is_empty(), "the dashboard has no panel for {missing:?}");
    assert!(named(&alerts).len() >= 6, "{:?}", named(&alerts));
    assert_eq!(
        named("integration_duration_seconds_bucket{} integration_x_total"),
        BTreeSet::from(["integration_duration_seconds", "integration_x_total"])
    );
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: serde_json::Value = serde_json::from_str(&file("docs/grafana/dashboard.json")).unwrap();
    assert!(dashboard["title"].is_string() && dashboard["uid"].is_string() && dashboard["schemaVersion"].is_u64());
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        if panel["type"] != "row" {
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        }
    }
}

/// The items of the first numbered list behind a text, without their numbers, line ends and last characters.
fn items(text: &str, after: &str) -> Vec<String> {
    let (_, rest) = text.split_once(after).expect("the text is there");
    let mut items: Vec<String> = Vec::new();
    for line in
        rest.lines().map(|line| line.trim_start_matches("///").trim()).skip_while(|line| !line.starts_with("1. "))
    {
        let number = line.split_once(". ").filter(|(number, _)| number.parse::<usize>() == Ok(items.len() + 1));
        match (number, items.last_mut()) {
            (Some((_, item)), _) => items.push(item.to_owned()),
            (None, Some(last)) if !line.is_empty() && !line.starts_with('#') => {
                last.push(' ');
                last.push_str(line);
            }
            _ => break,
        }
    }
    items.into_iter().map(|item| item.trim_end_matches([';', '.']).to_owned()).collect()
}

#[test]
fn the_guide_and_the_type_list_the_same_stages_and_the_pipeline_has_them() {
    let on_the_type = items(&file("tekton-sdk/src/policy/pipeline.rs"), "Every call goes through these stages");
    let in_the_guide = items(&file("docs/guide.md"), "## A call, stage by stage");
    assert!(on_the_type.len() > 5, "{on_the_type:?}");
    assert_eq!(in_the_guide, on_the_type);
    let tekton = Tekton::builder().build().unwrap();
    let listed: Vec<_> =
        on_the_type.iter().filter_map(|item| Some(item.strip_prefix('`')?.split_once('`')?.0)).collect();
    let mut rest = listed.iter();
    for stage in tekton.pipeline().stages() {
        assert!(rest.any(|listed| *listed == stage), "{stage} stands in {listed:?}, in this order");
    }
}
