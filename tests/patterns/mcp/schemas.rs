//! What we make is valid against the protocol's own schemas; `vectors.rs` has what others make.

use std::{borrow::Cow, sync::Arc};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Tekton,
    contract::{Descriptor, Operation, Tool},
    host::Operations,
    patterns::request::Reply,
    testing::assert_tools_snapshot,
};

use super::Notes;

const SCHEMAS: [(&str, &str); 2] = [
    ("2025-11-25", include_str!("../../vectors/mcp-schema/schema-2025-11-25.json")),
    ("2026-07-28", include_str!("../../vectors/mcp-schema/schema-2026-07-28.json")),
];

/// The validator of one type of the protocol.
fn validator(version: &str, kind: &str) -> Validator {
    let (_, text) = SCHEMAS.iter().find(|(known, _)| *known == version).unwrap();
    let mut schema: Value = serde_json::from_str(text).unwrap();
    schema["$ref"] = format!("#/$defs/{kind}").into();
    jsonschema::validator_for(&schema).unwrap()
}

fn assert_valid(validator: &Validator, value: &Value) {
    let wrong: Vec<_> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:?} in {value:#}");
}

#[test]
fn every_shape_of_a_tool_is_valid() {
    for (version, _) in SCHEMAS {
        let validator = validator(version, "Tool");
        for tool in Arc::new(Notes).operations().tools() {
            let value = serde_json::to_value(&tool).unwrap();
            assert_valid(&validator, &value);
            assert_valid(&validator, &serde_json::to_value(tool.clone().with_hash()).unwrap());
            assert_eq!(serde_json::from_value::<Tool>(value).unwrap(), tool, "it reads what it writes");
        }
    }
}

#[test]
fn the_schemas_in_a_tool_say_what_the_operation_takes_and_gives() {
    let tools = Arc::new(Notes).operations().tools();
    let compiled = |name: &str, output: bool| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        let schema = if output { tool.output_schema.as_ref().unwrap() } else { tool.input_schema.as_map() };
        let schema = Value::Object(schema.clone());
        assert!(jsonschema::meta::is_valid(&schema), "{schema:#}");
        jsonschema::draft202012::new(&schema).unwrap()
    };
    let note = json!({"text": "a", "reply_to": {"text": "b", "reply_to": null, "more": 1}, "more": [true]});
    let add = compiled("add", false);
    assert!(add.is_valid(&json!({"note": note, "anything": null, "untyped": 5})));
    for wrong in [
        json!({"note": note}),
        json!({"note": {"text": 5}, "anything": 1}),
        json!({"note": note, "anything": 1, "other": 1}),
    ] {
        assert!(!add.is_valid(&wrong), "{wrong}");
    }
    assert!(compiled("import", false).is_valid(&json!({"whatever": 1})));
    let count = compiled("count", false);
    assert!(count.is_valid(&json!({"filter": {"Word": "a"}})) && !count.is_valid(&json!({"filter": "Some"})));
    for (name, answer) in [
        ("count", json!({"result": 3})),
        ("list", json!({"result": [note]})),
        ("latest", json!({"result": null})),
        ("latest", json!({"result": note})),
        ("add", note.clone()),
        ("clear", json!({"result": null})),
    ] {
        assert_valid(&compiled(name, true), &answer);
    }
    assert!(!compiled("count", true).is_valid(&json!({})) && !compiled("add", true).is_valid(&json!({"text": 1})));
}

#[tokio::test]
async fn the_list_is_served_as_the_protocol_has_it() {
    let tekton = Tekton::builder().build().unwrap();
    let served = Notes.serve(&tekton).start().await.unwrap();
    let peer = tekton.peer_at(served.endpoint()).unwrap();
    let reply: Reply<Value> = peer.request("tools").method(Method::GET).path("/mcp/tools.json").await.unwrap();
    for (version, _) in SCHEMAS {
        assert_valid(&validator(version, "ListToolsResult"), &reply);
    }
    let tools: Vec<Tool> = serde_json::from_value(reply["tools"].clone()).unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["count", "list", "latest", "add", "clear", "import"]);
    for tool in tools {
        assert_eq!(tool.meta[Tool::HASH_KEY], json!(tool.hash()), "{}", tool.name);
    }
    served.shutdown().await;
}

#[test]
fn the_tools_are_those_of_the_snapshot() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/patterns/mcp/notes.tools.json");
    assert_tools_snapshot(path, &Arc::new(Notes).operations().tools());
}

/// Says of itself that it is an object, and is none.
struct Impostor;

impl schemars::JsonSchema for Impostor {
    fn schema_name() -> Cow<'static, str> {
        "Impostor".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "properties": [1]})
    }
}

struct Wrong;

impl Component for Wrong {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("wrong", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        let operation = Operation::read("ask", "Asks.").returns::<Impostor>();
        Operations::new().on(&self, operation, |_, _, _| async { Ok(()) })
    }
}

#[tokio::test]
async fn an_answer_that_can_be_no_object_keeps_a_component_from_starting() {
    let tekton = Tekton::builder().build().unwrap();
    let error = Wrong.serve(&tekton).start().await.unwrap_err();
    let said: Vec<_> = error.fields().iter().map(ToString::to_string).collect();
    assert_eq!(said, ["operations.ask.outputSchema: `properties` must be an object of schemas"]);
}
