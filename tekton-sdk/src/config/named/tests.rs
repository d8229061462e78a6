//! Every mistake has its sentence and its place; what is nearer goes before what is farther.

use std::time::Duration;

use super::*;
use crate::{
    Tekton,
    config::{Config, Layers},
    error::Result,
    policy::{FallbackConfig, HedgeConfig, RateConfig, Rules},
};

fn file(text: &str) -> Result<Config> {
    Layers::new().file("tekton.toml", text).build().map(|(config, _)| config)
}

fn problems(text: &str) -> Vec<String> {
    file(text).unwrap_err().fields().iter().map(ToString::to_string).collect()
}

fn said(config: &Config) -> Vec<String> {
    config.validate().unwrap_err().fields().iter().map(ToString::to_string).collect()
}

fn rules(config: &Config, name: &str) -> Rules {
    resolve::rules(config, &Base::default(), name)
}

#[test]
fn every_mistake_in_a_file_has_its_sentence_and_its_line() {
    for (text, problem) in [
        ("policy = 1", "policy: must be a table, is 1 (from tekton.toml line 1)"),
        ("[policy]\nx = 1", "policy.x: must be a table, is 1 (from tekton.toml line 2)"),
        (
            "[policy.x]\nmax_attempt = 2",
            "policy.x.max_attempt: is no setting, did you mean policy.x.max_attempts? (from tekton.toml line 2)",
        ),
        (
            "[policy.x]\nburst = 2",
            "policy.x.burst: is no setting, did you mean policy.x.rate.burst? (from tekton.toml line 2)",
        ),
        ("[policy.x]\ncolour = 2", "policy.x.colour: is no setting (from tekton.toml line 2)"),
        ("[policy.x]\nmax_attempts = 0", "policy.x.max_attempts: must be at least 1, is 0 (from tekton.toml line 2)"),
        ("[policy.x.rate]\nburst = 0", "policy.x.rate.burst: must be at least 1, is 0 (from tekton.toml line 2)"),
        ("[policy.x]\nhedge = 1", "policy.x.hedge: must be a table, `true` or `false`, is 1 (from tekton.toml line 2)"),
        (
            "[policy.x.fallback]\nvalue = 1\ncached = \"1s\"",
            "policy.x.fallback: must have one of value, component, capability and cached, has 2 (from tekton.toml line 1)",
        ),
        (
            "[policy.x]\nfallback = true",
            "policy.x.fallback: must have one of value, component, capability and cached, has 0 (from tekton.toml line 2)",
        ),
        (
            "[policy.gentle]\n[target.engram]\npolicy = \"gentel\"",
            "target.engram.policy: names no policy, is \"gentel\", did you mean gentle? (from tekton.toml line 3)",
        ),
        (
            "[target.engram.op.store]\npolicy = \"other\"",
            "target.engram.op.store.policy: names no policy, is \"other\" (from tekton.toml line 2)",
        ),
        (
            "[target.engram]\npolice = \"fast\"",
            "target.engram.police: is no setting, did you mean target.engram.policy? (from tekton.toml line 2)",
        ),
        ("[target.engram]\nop = 1", "target.engram.op: must be a table, is 1 (from tekton.toml line 2)"),
        ("[target.engram.op]\nx = 1", "target.engram.op.x: must be a table, is 1 (from tekton.toml line 2)"),
        (
            "[target.engram.op.\"a b\"]\npolic = 1",
            "target.engram.op.\"a b\".polic: is no setting, did you mean target.engram.op.\"a b\".policy? \
             (from tekton.toml line 2)",
        ),
        ("[policie.x]", "policie: is no setting, did you mean policy? (from tekton.toml line 1)"),
        (
            "[policy.fast]",
            "policy.fast: is the name of a preset, give it another and let it extend the preset (from tekton.toml line 1)",
        ),
        (
            "[policy.x]\nextends = \"patent\"",
            "policy.x.extends: names no policy, is \"patent\", did you mean patient? (from tekton.toml line 2)",
        ),
        ("[policy.x]\nextends = \"x\"", "policy.x.extends: leads back to itself: x → x (from tekton.toml line 2)"),
        (
            "[policy.x]\nbase_delay = \"20s\"",
            "policy.x.max_delay: must be at least policy.x.base_delay, which is 20s, is 10s (the default)",
        ),
        (
            "[policy.x.hedge]\nmax_delay = \"1ms\"",
            "policy.x.hedge.max_delay: must be at least policy.x.hedge.min_delay, which is 5ms, is 1ms \
             (from tekton.toml line 2)",
        ),
        (
            "[target.engram]\n[target.Engram]",
            "target.engram: names the same component as target.Engram (from tekton.toml line 1)",
        ),
        (
            "[policy.x]\nfallback = {component = \"engram\"}\n[target.Engram]\npolicy = \"x\"",
            "target.engram: has a fallback that leads back to it: engram → engram (the default)",
        ),
    ] {
        assert_eq!(problems(text), [problem], "{text}");
    }
}

#[test]
fn circles_are_told_of_at_each_policy_and_component_in_them() {
    let text = "[policy.a]\nextends = \"b\"\n[policy.b]\nextends = \"a\"\n[policy.c]\nextends = \"a\"";
    assert_eq!(
        problems(text),
        [
            "policy.a.extends: leads back to itself: a → b → a (from tekton.toml line 2)",
            "policy.b.extends: leads back to itself: b → a → b (from tekton.toml line 4)",
        ]
    );
    let to = |name: &str| PolicySpec::new().with_fallback(FallbackConfig::Component(name.into()));
    let config = Config::default()
        .with_policy("to-b", to("b"))
        .with_policy("to-a", to("A"))
        .with_target("a", TargetSpec::new().with_policy("to-b"))
        .with_target("b", TargetSpec::new().with_op("store", "to-a"));
    assert_eq!(said(&config), ["target.a: has a fallback that leads back to it: a → b → a"]);
}

#[test]
fn what_code_says_is_checked_as_well() {
    let spec = PolicySpec::new().with_max_attempts(0).with("rate.brust", 1_u32).with("timeout", "soon");
    let config = Config::default().with_policy("x", spec);
    let said = said(&config);
    assert!(said.contains(&"policy.x.max_attempts: must be at least 1, is 0".to_owned()), "{said:?}");
    let unknown = "policy.x.rate.brust: is no setting, did you mean policy.x.rate.burst?".to_owned();
    assert!(said.contains(&unknown), "{said:?}");
    assert!(said.iter().any(|problem| problem.starts_with("policy.x.timeout: must be ")), "{said:?}");
}

#[test]
fn a_policy_lies_over_what_it_extends_and_that_over_the_settings() {
    let config = file(
        "[retry]\nmax_attempts = 7\n[request]\ntimeout = \"9s\"\n[policy.low]\nmax_attempts = 3\nrate = true\nhedge = {percentile = 90}\n\
         [policy.high]\nextends = \"low\"\nrate = false\nhedge = {max_hedges = 2}\nattempt_timeout = 0\n[policy.quick]\nextends = \"fast\"\n\
         timeout = \"2s\"",
    )
    .unwrap();
    let low = rules(&config, "low");
    assert_eq!((low.max_attempts, low.timeout, low.rate), (3, Duration::from_secs(9), Some(RateConfig::default())));
    let high = rules(&config, "high");
    let hedge = HedgeConfig::default().with_percentile(90).with_max_hedges(2);
    assert_eq!((high.max_attempts, high.rate, high.hedge, high.attempt_timeout), (3, None, Some(hedge), None));
    let quick = rules(&config, "quick");
    assert_eq!((quick.timeout, quick.max_attempts), (Duration::from_secs(2), Rules::fast().max_attempts));
    assert_eq!(quick.attempt_timeout, Rules::fast().attempt_timeout);
}

#[test]
fn every_key_of_the_table_is_read_from_a_file_and_reaches_the_rules() {
    use crate::env::{Kind, POLICY_KEYS};
    for key in POLICY_KEYS.iter().filter(|key| key.path != "extends" && key.path != "fallback") {
        let written = match key.kind {
            Kind::Duration { .. } => "\"1s\"",
            Kind::Count { .. } => "17",
            Kind::Flag if key.default.is_none_or(|default| default == "true") => "false",
            Kind::Flag => "true",
            Kind::Name => "\"blue\"",
            _ => "{a = [1, 2.5, \"x\", true]}",
        };
        let config = file(&format!("[policy.x]\n{} = {written}", key.path)).unwrap();
        let value = config.policies["x"].get(key.path).unwrap_or_else(|| panic!("{} is lost", key.path));
        assert_eq!(resolve::get(&rules(&config, "x"), key.path).as_ref(), Some(value), "{}", key.path);
        // And through serde as well.
        let spec = &config.policies["x"];
        let json = serde_json::to_value(spec).unwrap();
        assert_eq!(serde_json::from_value::<PolicySpec>(json).unwrap(), *spec, "{}", key.path);
    }
}

#[test]
fn a_later_file_lies_over_an_earlier_one_value_by_value() {
    let below = "[policy.x]\ntimeout = \"1s\"\nmax_attempts = 2\n[target.a]\npolicy = \"x\"";
    let above = "[policy.x]\ntimeout = \"2s\"\n[target.a.op.store]\npolicy = \"fast\"";
    let (config, _) = Layers::new().file("below.toml", below).file("above.toml", above).build().unwrap();
    let x = rules(&config, "x");
    assert_eq!((x.timeout, x.max_attempts), (Duration::from_secs(2), 2));
    let named = |operation| resolve::named(&config, "A", operation).map(|(_, policy, own)| (policy, own));
    assert_eq!((named("store"), named("other")), (Some(("fast", true)), Some(("x", false))));
}

#[test]
fn an_explanation_names_the_source_of_every_value() {
    let text = "[retry]\nmax_delay = \"40s\"\n[policy.gentle]\nextends = \"patient\"\ntimeout = \"10s\"\nreuse = true\n\
                [policy.still]\nextends = \"gentle\"\nreuse = false\n[target.engram]\npolicy = \"gentle\"\n\
                [target.engram.op.store]\npolicy = \"still\"";
    let layers = Layers::new().file("tekton.toml", text);
    let layers = layers.env([("TEKTON_REQUEST_TIMEOUT", "8s")].into_iter().collect());
    let tekton = Tekton::builder()
        .layers(layers)
        .unwrap()
        .configure(|config| config.retry.max_attempts = 3)
        .bulkhead(crate::policy::BulkheadConfig::default())
        .build()
        .unwrap();
    let source = |target: &str, operation: &str, key: &str| {
        let explanation = tekton.explain(target, operation).unwrap();
        let line = explanation.lines.into_iter().find(|line| line.key == key)?;
        Some(format!("{} {}", line.value, line.source))
    };
    for (target, operation, key, expected) in [
        ("engram", "recall", "timeout", "10s policy gentle (tekton.toml line 5)"),
        ("Engram", "recall", "max_attempts", "6 preset patient"),
        ("engram", "recall", "breaker", "true default"),
        ("engram", "recall", "bulkhead.max_concurrency", "64 code"),
        ("engram", "recall", "rate", "false default"),
        ("engram", "recall", "reuse", "true policy gentle (tekton.toml line 6)"),
        ("engram", "recall", "reuse.single_flight", "true default"),
        ("engram", "store", "reuse", "false policy still (tekton.toml line 9)"),
        ("engram", "store", "timeout", "10s policy gentle (tekton.toml line 5)"),
        ("other", "store", "timeout", "8s TEKTON_REQUEST_TIMEOUT"),
        ("other", "store", "max_attempts", "3 code"),
        ("other", "store", "max_delay", "40s tekton.toml line 2"),
        ("other", "store", "base_delay", "100ms default"),
    ] {
        assert_eq!(source(target, operation, key).as_deref(), Some(expected), "{target} {operation} {key}");
    }
    assert_eq!(source("engram", "store", "reuse.single_flight"), None, "it is off");
    let store = tekton.explain("engram", "store").unwrap();
    assert_eq!(store.because.as_deref(), Some("target.engram.op.store.policy (tekton.toml line 13)"));
    assert!(tekton.explain("other", "x").unwrap().to_string().starts_with("other x: no policy\ntimeout "));
    let json = serde_json::to_value(&store).unwrap();
    assert_eq!(json["lines"][0]["key"], "timeout");
}

#[test]
fn an_answer_that_stands_in_is_not_shown() {
    let config = file("[policy.x.fallback]\nvalue = \"secret\"\n[target.a]\npolicy = \"x\"").unwrap();
    assert!(!format!("{config:?}").contains("secret"));
    let tekton = Tekton::builder().config(config).build().unwrap();
    assert!(!tekton.explain("a", "b").unwrap().to_string().contains("secret"));
}

#[test]
fn weights_are_read_with_their_lines_and_explained() {
    let text = "[target.engram]\nweights = { \"1.2\" = 95, \"1.3\" = 5 }";
    let config = file(text).unwrap();
    assert_eq!(config.targets["engram"].weights.as_ref().unwrap().to_string(), "1.2 = 95, 1.3 = 5");
    let tekton = Tekton::builder().layers(Layers::new().file("tekton.toml", text)).unwrap().build().unwrap();
    assert_eq!(tekton.balancer().weights("Engram").to_string(), "1.2 = 95, 1.3 = 5");
    let explanation = tekton.explain("engram", "store").unwrap().to_string();
    assert_eq!(
        explanation.lines().nth(1),
        Some("weights 1.2 = 95, 1.3 = 5, from target.engram.weights (tekton.toml line 2)")
    );
    for (text, problem) in [
        ("[target.a]\nweights = 5", "target.a.weights: must be a table, is 5 (from tekton.toml line 2)"),
        (
            "[target.a.weights]\n\"1.2\" = 101",
            "target.a.weights.\"1.2\": must be at most 100, is 101 (from tekton.toml line 2)",
        ),
        (
            "[target.a.weights]\n\"1.2\" = 90\n\"1.3\" = 20",
            "target.a.weights: must sum to at most 100, sum to 110 (from tekton.toml line 1)",
        ),
        (
            "[target.a]\nweight = 1",
            "target.a.weight: is no setting, did you mean target.a.weights? (from tekton.toml line 2)",
        ),
    ] {
        assert_eq!(problems(text), [problem], "{text}");
    }
}
