//! The table and the structs say the same; the layers lie in order; all errors come at once.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::env::{Env, Kind, SETTINGS, Setting};

fn file(text: &str) -> Result<(Config, Vec<String>)> {
    Layers::new().file("tekton.toml", text).build()
}

fn variables(pairs: &[(&str, &str)]) -> Result<(Config, Vec<String>)> {
    Layers::new().env(pairs.iter().copied().collect()).build()
}

/// The problems of a file, as they are printed.
fn problems(text: &str) -> Vec<String> {
    file(text).unwrap_err().fields().iter().map(ToString::to_string).collect()
}

/// A valid value that is not the default.
fn other(setting: &Setting) -> &'static str {
    match setting.kind {
        _ if setting.path == "retry.base_delay" => "2s",
        _ if setting.path == "balance.max_ejection_time" => "10m",
        Kind::Duration { .. } => "11s",
        Kind::Count { .. } => "17",
        _ if setting.path == "host.ws_max_message_bytes" => "200KiB",
        Kind::Bytes { .. } => "9KiB",
        Kind::Port => "8005",
        Kind::Url => "http://hub:9001",
        Kind::Ip => "::1",
        Kind::Networks => "10.0.0.0/8,::1",
        Kind::Socket => "/run/blue.sock",
        Kind::Flag if setting.default == Some("true") => "false",
        Kind::Flag => "true",
        _ => "blue",
    }
}

fn toml(setting: &Setting, value: &str) -> String {
    let bare = matches!(setting.kind, Kind::Count { .. } | Kind::Port | Kind::Flag);
    let value = if bare { value.to_owned() } else { format!("{value:?}") };
    format!("{} = {value}\n", setting.path)
}

/// The names that a struct's deserialiser expects, taken from its refusal of another one.
fn expected(json: &str) -> Option<BTreeSet<String>> {
    let message = serde_json::from_str::<Config>(json).unwrap_err().to_string();
    let (_, names) = message.split_once("expected")?;
    message.starts_with("unknown field").then(|| names.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

#[test]
fn the_table_holds_exactly_the_fields() {
    let mut leaves = BTreeSet::new();
    for name in expected(r#"{"?": 0}"#).expect("unknown fields are refused") {
        // They have names that users give, and a table of their own.
        if name == "policy" || name == "target" {
            continue;
        }
        match expected(&format!(r#"{{"{name}": {{"?": 0}}}}"#)) {
            Some(fields) => leaves.extend(fields.into_iter().map(|field| format!("{name}.{field}"))),
            None => drop(leaves.insert(name)),
        }
    }
    let table: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.path.to_owned()).collect();
    assert_eq!(table, leaves);
}

#[test]
fn every_setting_is_read_from_file_and_environment() {
    for setting in SETTINGS {
        let value = other(setting);
        let (by_file, _) = file(&toml(setting, value)).expect(setting.path);
        let (by_env, warnings) = variables(&[(setting.variable, value)]).expect(setting.path);
        assert_eq!(by_file, by_env, "{}", setting.path);
        assert_ne!(by_file, Config::default(), "{}", setting.path);
        assert!(warnings.is_empty(), "{}: {warnings:?}", setting.path);
        // What is given is valid as code's own value too.
        by_file.validate().expect(setting.path);
    }
}

#[test]
fn the_table_says_the_defaults() {
    let defaults: String = SETTINGS.iter().filter_map(|setting| Some(toml(setting, setting.default?))).collect();
    assert_eq!(file(&defaults).unwrap().0, Config::default());
    Config::default().validate().unwrap();
    let mut emptied = Config::default();
    (emptied.hub.timeout, emptied.host.max_connections) = (Duration::ZERO, 0);
    assert_eq!(emptied.wrong().len(), 2);
}

#[test]
fn every_field_is_checked_in_code() {
    let zero = |json: &str| serde_json::from_str::<Config>(json).unwrap().wrong();
    for setting in SETTINGS {
        let (low, high) = match setting.kind {
            Kind::Duration { max, .. } => ("", format!("{}s", max.as_secs() + 1)),
            Kind::Count { min: 0, max } => ("", (max + 1).to_string()),
            Kind::Count { max, .. } => ("0", (max + 1).to_string()),
            Kind::Bytes { max, .. } => ("0", (max + 1).to_string()),
            Kind::Url | Kind::Host | Kind::Socket | Kind::Names | Kind::Networks => ("", "a b".to_owned()),
            // These are valid by their type.
            _ => continue,
        };
        for value in [low, high.as_str()].into_iter().filter(|value| !value.is_empty()) {
            let value = value.parse::<u64>().map_or_else(|_| format!("{value:?}"), |number| number.to_string());
            let wrong = zero(&match setting.path.split_once('.') {
                Some((section, key)) => format!(r#"{{"{section}": {{"{key}": {value}}}}}"#),
                None => format!(r#"{{"{}": {value}}}"#, setting.path),
            });
            assert!(wrong.iter().any(|field| field.field == setting.path), "{} = {value}: {wrong:?}", setting.path);
        }
    }
}

#[test]
fn each_layer_goes_over_the_one_before() {
    let variables: Env = [("TEKTON_RETRY_MAX_ATTEMPTS", "7")].into_iter().collect();
    let layers = Layers::new()
        .file("a.toml", "[retry]\nmax_attempts = 5\nbase_delay = 1\n[host]\nport = 1")
        .file("b.toml", "[retry]\nmax_attempts = 6\nbase_delay = 0.5");
    let (config, _) = layers.env(variables).build().unwrap();
    assert_eq!((config.retry.max_attempts, config.host.port), (7, 1));
    assert_eq!(config.retry.base_delay, Duration::from_millis(500));
}

#[test]
fn the_guides_defaults_give_the_same_as_its_sketch() {
    let guide = [
        ("INTEGRATION_TIMEOUT", "30.0"),
        ("INTEGRATION_RETRY_COUNT", "3"),
        ("INTEGRATION_RETRY_DELAY", "1.0"),
        ("CIRCUIT_BREAKER_THRESHOLD", "5"),
        ("INTEGRATION_BATCH_SIZE", "100"),
    ];
    let (config, warnings) = variables(&guide).unwrap();
    let mut same = Config::default();
    same.retry.base_delay = Duration::from_secs(1);
    assert_eq!((config, warnings), (same, vec![]));
}

#[test]
fn all_errors_come_at_once_each_with_key_value_bound_and_place() {
    let text = "[retry]\nmax_attempts = 0\n\n[hosst]\nport = 1\n[host]\nprot = 1\nmax_header_bytes = \"2MiB\"";
    let env: Env = [("TEKTON_HUB_TIMEOUT", "soon"), ("INTEGRATION_RETRY_DELAY", "20")].into_iter().collect();
    let error = Layers::new().file("tekton.toml", text).env(env).build().unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (crate::ErrorKind::Config, "6 settings are wrong".to_owned()));
    let mut problems: Vec<String> = error.fields().iter().map(ToString::to_string).collect();
    problems.sort();
    assert_eq!(
        problems,
        [
            "hosst: is no setting, did you mean host? (from tekton.toml line 4)",
            "host.max_header_bytes: must be at most 1MiB, is 2MiB (from tekton.toml line 8)",
            "host.prot: is no setting, did you mean host.port? (from tekton.toml line 7)",
            r#"hub.timeout: must be a duration from 10ms to 10m, as 500ms, 2s or 1m30s, is "soon" (from TEKTON_HUB_TIMEOUT)"#,
            "retry.max_attempts: must be at least 1, is 0 (from tekton.toml line 2)",
            "retry.max_delay: must be at least retry.base_delay, which is 20s, is 10s (the default)",
        ]
    );
}

#[test]
fn wrong_types_are_refused() {
    for (text, shown) in [
        ("retry.max_attempts = \"4\"", r#"must be a whole number from 1 to 100, is "4""#),
        ("retry.max_attempts = 4.0", "must be a whole number from 1 to 100, is 4.0"),
        ("retry.max_attempts = -1", "must be a whole number from 1 to 100, is -1"),
        ("retry.max_attempts = true", "must be a whole number from 1 to 100, is true"),
        ("retry.max_attempts = [1]", "is an array"),
        ("retry.max_attempts.x = 1", "is a table"),
        ("retry = 4", "must be a table, is 4"),
        ("hub.timeout = nan", "is nan"),
        ("hub.timeout = -1.5", "is -1.5"),
        ("hub.timeout = 1979-05-27", "is 1979-05-27"),
        ("host.bind = 1", "must be an IP address, is 1"),
        ("host.bind = \"localhost\"", r#"must be an IP address, is "localhost""#),
        ("host.port = 65536", "must be at most 65535, is 65536"),
        ("host.advertise_host = \"0.0.0.0\"", "others can reach"),
        ("instance = \"a b\"", r#"is "a b""#),
        ("hub.url = \"http://me:hunter2@hub\"", "not shown"),
        ("request.max_request_bytes = 99999999999999999999", "999"),
        ("\"retry.max_attempts\" = 3", "is no setting"),
    ] {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].contains(shown) && !problems[0].contains("hunter2"), "{text}: {problems:?}");
        assert!(problems[0].ends_with("(from tekton.toml line 1)"), "{text}: {problems:?}");
    }
}

#[test]
fn broken_toml_has_its_line_and_does_not_hide_the_rest() {
    let env: Env = [("TEKTON_HOST_PORT", "x")].into_iter().collect();
    let error = Layers::new().file("tekton.toml", "[host]\nport = = 1\n").env(env).build().unwrap_err();
    assert_eq!(error.to_string(), "2 settings are wrong");
    assert_eq!(error.fields()[0].field, "tekton.toml line 2");
    assert!(error.fields()[0].problem.starts_with("is not TOML: "), "{error:?}");
    assert_eq!(problems("[host]\nport = 1\nport = 2").len(), 1);
}

#[test]
fn a_file_full_of_errors_is_read_in_good_time() {
    let text: String = (0..5_000).map(|number| format!("k{number}=1\n")).collect();
    let problems = problems(&text);
    assert_eq!(problems.len(), 5_000);
    assert!(problems.contains(&"k4999: is no setting (from tekton.toml line 5000)".to_owned()));
}

#[test]
fn a_config_is_also_read_as_part_of_another_file() {
    #[derive(Deserialize)]
    struct Mine {
        tekton: Config,
    }
    let text = "[tekton]\ninstance = \"blue\"\n[tekton.request]\ntimeout = \"1m30s\"\nattempt_timeout = 0.5\n\
                max_request_bytes = \"1MiB\"\n[tekton.host]\nbind = \"0.0.0.0\"";
    let Mine { tekton } = toml::from_str(text).unwrap();
    assert_eq!(tekton.instance, Some(Instance::new("blue").unwrap()));
    assert_eq!(tekton.request.timeout, Duration::from_secs(90));
    assert_eq!(tekton.request.attempt_timeout, Some(Duration::from_millis(500)));
    assert_eq!(tekton.request.max_request_bytes, 1 << 20);
    assert!(toml::from_str::<Mine>("[tekton.request]\ntimeout = \"soon\"").is_err());
    assert!(toml::from_str::<Mine>("[tekton.retry]\nmax_attempt = 1").is_err());
}

proptest! {
    #[test]
    fn no_file_panics(text in "(\\[[a-z]{0,5}\\]\n|(hub|retry|host)\\.[a-z_]{1,6} = [0-9\"a-z.\\[{-]{1,9}\n){0,6}|.{0,99}") {
        let _ = file(&text);
    }

    #[test]
    fn every_value_from_the_environment_is_taken_or_named(values in proptest::collection::vec(".{0,9}|[0-9]{1,12}(ms|s|m|KiB)?", SETTINGS.len())) {
        let pairs: Vec<(&str, String)> = SETTINGS.iter().map(|setting| setting.variable).zip(values).collect();
        let env: Env = pairs.into_iter().collect();
        match Layers::new().env(env).build() {
            Ok((config, _)) => prop_assert!(config.validate().is_ok()),
            Err(error) => prop_assert!(!error.fields().is_empty(), "{error:?}"),
        }
    }
}

#[test]
fn the_settings_that_hold_are_shown_as_they_were_written() {
    let settings = Config::default().effective().unwrap();
    assert_eq!(settings.len(), SETTINGS.len());
    for setting in SETTINGS {
        let value = other(setting);
        let (config, _) = variables(&[(setting.variable, value)]).expect(setting.path);
        let shown = &config.effective().unwrap()[setting.path];
        let text = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
        assert_eq!(text, value, "{}", setting.path);
        let default = settings[setting.path].as_str().map(|text| setting.kind.parse(text).expect(setting.path));
        if let Some(default) = default {
            let none = if matches!(setting.kind, Kind::Names | Kind::Networks) { "" } else { "nothing" };
            assert_eq!(Ok(default), setting.kind.parse(setting.default.unwrap_or(none)), "{}", setting.path);
        }
    }
    let mut config = Config::default();
    config.hub.url = Some("http://me:hunter2@hub".to_owned());
    assert_eq!(config.effective().unwrap()["hub.url"], "***");
}
