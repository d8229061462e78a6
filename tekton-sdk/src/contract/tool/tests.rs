//! What becomes of an operation.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde_json::json;

use super::*;
use crate::contract::Parameter;

mod other {
    /// Another type of the same name.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "its schema is what counts")]
    pub(super) struct Page {
        number: u8,
    }
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "its schema is what counts")]
struct Page {
    text: String,
    next: Option<Box<Page>>,
    anything: Value,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "its schema is what counts")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "its schema is what counts")]
enum Colour {
    Red,
    Blue,
}

fn schemas(operation: &Operation) -> (Value, Value) {
    let tool = serde_json::to_value(Tool::of(operation)).unwrap();
    (tool["inputSchema"].clone(), tool["outputSchema"].clone())
}

const ASK: Operation = Operation::read("ask", "Asks.");

#[test]
fn parameters_keep_their_descriptions_and_types_of_one_name_do_not_collide() {
    const PAGES: &[Parameter] = &[
        Parameter::required("one", "the first page").of::<Page>(),
        Parameter::optional("other", "the other page").of::<other::Page>(),
        Parameter::required("any", "whatever").of::<Value>(),
        Parameter::optional("untyped", "who knows"),
    ];
    let operation = ASK.parameters(PAGES);
    let (input, output) = schemas(&operation);
    assert_eq!(input["properties"]["one"], json!({"$ref": "#/$defs/Page", "description": "the first page"}));
    assert_eq!(input["properties"]["other"], json!({"$ref": "#/$defs/Page2", "description": "the other page"}));
    assert_eq!(input["properties"]["any"], json!({"description": "whatever"}));
    assert_eq!(input["properties"]["untyped"], json!({"description": "who knows"}));
    assert_eq!((&input["required"], &input["additionalProperties"]), (&json!(["one", "any"]), &json!(false)));
    assert!(input["$defs"]["Page"]["properties"].get("text").is_some());
    assert!(input["$defs"]["Page2"]["properties"].get("number").is_some());
    assert_eq!(output, Value::Null);
    assert!(Tool::of(&operation).validate().is_empty());
    assert_eq!(schemas(&ASK).0, json!({"type": "object", "additionalProperties": false}));
    assert_eq!(schemas(&ASK.open()).0, json!({"type": "object"}));
}

#[test]
fn an_answer_is_an_object_or_is_wrapped_in_one() {
    let (_, page) = schemas(&ASK.returns::<Page>());
    assert_eq!((&page["type"], &page["properties"]["anything"]), (&json!("object"), &json!({})));
    assert!(page["$defs"].get("Page").is_some(), "it refers to itself");
    let (_, plain) = schemas(&ASK.returns::<other::Page>());
    assert_eq!(plain.get("$defs"), None, "nothing refers to it any more");
    let (_, shape) = schemas(&ASK.returns::<Shape>());
    assert_eq!((&shape["type"], shape["oneOf"].as_array().map(Vec::len)), (&json!("object"), Some(2)));
    let (_, map) = schemas(&ASK.returns::<BTreeMap<String, u8>>());
    assert_eq!((&map["type"], map["properties"].get("result")), (&json!("object"), None));
    let wrapped = |output: Value| {
        assert_eq!((&output["type"], &output["required"]), (&json!("object"), &json!(["result"])));
        output["properties"]["result"].clone()
    };
    assert_eq!(wrapped(schemas(&ASK.returns::<bool>()).1), json!({"type": "boolean"}));
    assert_eq!(wrapped(schemas(&ASK.returns::<()>()).1), json!({"type": "null"}));
    assert_eq!(wrapped(schemas(&ASK.returns::<Value>()).1), json!({}));
    assert_eq!(wrapped(schemas(&ASK.returns::<Colour>()).1), json!({"$ref": "#/$defs/Colour"}));
    assert_eq!(wrapped(schemas(&ASK.returns::<Vec<Page>>()).1)["items"], json!({"$ref": "#/$defs/Page"}));
    assert!(wrapped(schemas(&ASK.returns::<Option<Page>>()).1).get("anyOf").is_some());
    let (_, colours) = schemas(&ASK.returns::<Vec<Colour>>());
    assert!(colours["$defs"].get("Colour").is_some());
}

#[test]
fn hints_are_inferred_and_what_is_said_wins() {
    let hints = |operation: Operation| {
        let hints = ToolAnnotations::of(&operation);
        (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
    };
    let write = Operation::write("put", "Puts.");
    assert_eq!(hints(ASK), (Some(true), Some(false), Some(true), None));
    assert_eq!(hints(write), (Some(false), Some(true), Some(false), None));
    assert_eq!(hints(write.idempotent()), (Some(false), Some(false), Some(true), None));
    assert_eq!(hints(write.idempotent().destructive(true)), (Some(false), Some(true), Some(true), None));
    assert_eq!(hints(write.destructive(false).open_world(true)), (Some(false), Some(false), Some(false), Some(true)));
    assert_eq!(Tool::of(&ASK.title("Ask me")).title.as_deref(), Some("Ask me"));
}

#[test]
fn the_hash_is_stable_and_does_not_look_at_itself() {
    let tool = Tool::of(&ASK);
    let hashed = tool.clone().with_hash();
    // As Python makes it: json.dumps with sort_keys, then hashlib.sha256.
    assert_eq!(tool.hash(), "e68443d8366796ea003a42d2d30b87b230ebbc3e1a0a10dfe05140febd16b447");
    assert_eq!(hashed.meta[Tool::HASH_KEY], json!(tool.hash()));
    assert_eq!(hashed.hash(), tool.hash());
    assert_ne!(Tool::of(&ASK.title("Ask me")).hash(), tool.hash());
}

/// Says of itself that it is an object, and is none.
struct Impostor;

impl JsonSchema for Impostor {
    fn schema_name() -> Cow<'static, str> {
        "Impostor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "properties": [], "required": "all", "not": {"$ref": "#/$defs/Nobody"}})
    }
}

#[test]
fn a_schema_that_is_wrong_is_named() {
    let said: Vec<_> = Tool::of(&ASK.returns::<Impostor>()).validate().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "outputSchema: `properties` must be an object of schemas",
            "outputSchema: `required` must be a list of names",
            r##"outputSchema: refers to "#/$defs/Nobody", and there is no such definition"##,
        ]
    );
}

#[test]
fn the_answer_to_a_stream_is_the_list_of_its_items() {
    let (_, output) = schemas(&ASK.returns::<u8>().streams());
    assert_eq!(output["properties"]["result"]["type"], "array");
    assert_eq!(output["properties"]["result"]["items"]["maximum"], 255);
    // An object that is an item is no answer by itself.
    let (_, output) = schemas(&ASK.returns::<Page>().resumable());
    assert_eq!(output["properties"]["result"]["items"]["$ref"], "#/$defs/Page");
    assert!(output["$defs"]["Page"].is_object());
}
