//! `docs/configuration.md` says what the code says.

use tekton_sdk::{config::Layers, env};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

fn page() -> String {
    std::fs::read_to_string(PAGE).expect("the page is there")
}

/// What stands between two texts, each of which must be there.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).expect("the start is there");
    rest.split_once(end).expect("the end is there").0
}

#[test]
fn the_pages_table_is_the_codes_table() {
    let page = page();
    let table = between(&page, "<!-- settings: begin -->\n", "<!-- settings: end -->");
    // `cargo test` prints both; copy the right one.
    assert_eq!(table.trim(), env::markdown().trim());
}

#[test]
fn the_pages_example_is_read() {
    let page = page();
    let example = between(&page, "```toml\n", "```");
    let (config, warnings) = Layers::new().file("tekton.toml", example).build().expect("the example is right");
    assert_eq!(config.hub.url.as_deref(), Some("http://localhost:8001"));
    assert!(warnings.is_empty());
}

#[test]
fn the_page_names_every_upstream_port_rule_and_file() {
    let page = page();
    for word in ["TEKTON_CONFIG", "tekton.toml", "<NAME>_PORT", "<NAME>_HOST", "<NAME>_AI_PORT", "TEKTON_AI_PORT_BASE"]
    {
        assert!(page.contains(word), "{word}");
    }
    for name in env::UPSTREAM {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn the_pages_table_of_policy_keys_is_the_codes_table() {
    let page = page();
    let table = between(&page, "<!-- policy: begin -->\n", "<!-- policy: end -->");
    assert_eq!(table.trim(), env::policy_markdown().trim());
}

#[test]
fn the_pages_policies_are_read() {
    let page = page();
    let example = between(&page, "```toml\n[policy.gentle]", "```");
    let example = format!("[policy.gentle]{example}");
    let (config, _) = Layers::new().file("tekton.toml", &example).build().expect("the example is right");
    assert_eq!(config.targets["engram"].ops["recall"].policy.as_deref(), Some("lookup"));
}

#[test]
fn the_schema_in_the_repository_is_the_codes_schema() {
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tekton.schema.json");
    let schema = format!("{:#}\n", tekton_sdk::config::json_schema());
    if std::env::var_os(env::UPDATE_SNAPSHOTS).is_some_and(|value| value == "1") {
        std::fs::write(FILE, &schema).expect("it can be written");
    }
    assert_eq!(std::fs::read_to_string(FILE).expect("the schema is there"), schema);
}
