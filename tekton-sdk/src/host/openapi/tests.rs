use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    contract::{Operation, Parameter},
    error::Result,
};

/// Read and written alike.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Plain {
    word: String,
}

/// Written it always has its number; read it may lack it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Lopsided {
    #[serde(default)]
    number: u8,
    plain: Plain,
}

/// Equal in itself, but not in what it holds.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Holder {
    inner: Vec<Lopsided>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    /// With a text of its own.
    Green,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    children: Vec<Tree>,
}

mod theirs {
    use super::*;

    /// A name that is taken.
    #[derive(Serialize, Deserialize, JsonSchema)]
    pub(super) struct Problem {
        solved: bool,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(rename = "Strange name/~<%>")]
    pub(super) struct Strange {
        solved: bool,
    }
}

fn document(operations: &[Operation]) -> Value {
    let component = Arc::new(());
    let add = |all: Operations, operation: &Operation| match operation.stream {
        None => all.on(&component, *operation, |_, _, _| async { Ok(()) }),
        Some(_) => {
            all.on_stream(&component, *operation, |_, _, _| async { Ok(futures_util::stream::empty::<Result<()>>()) })
        }
    };
    let operations = operations.iter().fold(Operations::new(), add);
    let descriptor = Descriptor { api_versions: vec![1, 2], ..Descriptor::new("lab", "1.2.3").describe("A lab.") };
    openapi(&descriptor, &operations)
}

/// Every `$ref` of the document leads somewhere.
fn check_references(document: &Value) {
    fn walk(at: &Value, document: &Value) {
        match at {
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to} leads nowhere");
                }
                fields.values().for_each(|value| walk(value, document));
            }
            _ => {}
        }
    }
    walk(document, document);
}

#[test]
fn an_operation_is_one_path_for_each_version() {
    let document =
        document(
            &[
                Operation::write("store", "Stores a text.")
                    .parameters(
                        const {
                            &[
                                Parameter::required("text", "what").of::<String>(),
                                Parameter::optional("any", "whatever"),
                            ]
                        },
                    )
                    .idempotent(),
                Operation::read("none", "Takes nothing.").returns::<Option<u8>>(),
            ],
        );
    check_references(&document);
    assert_eq!(document["info"], json!({ "title": "lab", "version": "1.2.3", "description": "A lab." }));
    let post = &document["paths"]["/api/v1/store"]["post"];
    assert_eq!(
        (&post["operationId"], &post["tags"][0], &post["x-tekton-idempotent"]),
        (&json!("store"), &json!("write"), &json!(true))
    );
    assert_eq!(
        post["requestBody"]["content"]["application/json"]["schema"],
        json!({
            "type": "object",
            "properties": { "text": { "type": "string", "description": "what" }, "any": { "description": "whatever" } },
            "required": ["text"],
            "additionalProperties": false,
        })
    );
    assert_eq!(post["responses"]["200"]["content"]["application/json"]["schema"], json!({}));
    assert_eq!(document["paths"]["/api/v1/store"].get("get"), None);
    assert_eq!(document["paths"]["/api/v2/store"]["post"]["operationId"], "store_v2");
    let none = &document["paths"]["/api/v2/none"];
    assert_eq!(
        (&none["get"]["operationId"], &none["post"]["requestBody"]["required"]),
        (&json!("none_v2_get"), &json!(false))
    );
    assert_eq!(
        none["get"]["responses"]["200"]["content"]["application/json"]["schema"]["type"],
        json!(["integer", "null"])
    );
}

#[test]
fn ids_of_operations_are_given_once() {
    let document = document(&["a", "a_get", "a_v2", "a_get2"].map(|name| Operation::read(name, "x")));
    let ids = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<_> = ids.filter_map(|method| method["operationId"].as_str()).collect();
    let once: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), once.len()), (16, 16), "{ids:?}");
}

#[test]
fn a_type_has_two_schemas_only_where_the_directions_differ() {
    let document = document(&[
        Operation::write("hold", "x")
            .parameters(const { &[Parameter::required("it", "x").of::<Holder>()] })
            .returns::<Holder>(),
        Operation::write("tree", "x")
            .parameters(const { &[Parameter::required("it", "x").of::<Tree>()] })
            .returns::<Tree>(),
        Operation::write("solve", "x").parameters(const { &[Parameter::required("it", "x").of::<theirs::Problem>()] }),
        Operation::read("strange", "x").returns::<theirs::Strange>(),
    ]);
    check_references(&document);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in ["Holder", "HolderInput", "Lopsided", "LopsidedInput", "Plain", "Tree", "Problem", "ProblemInput"] {
        assert!(schemas.contains_key(name), "{name}: {:?}", schemas.keys());
    }
    assert!(!schemas.contains_key("PlainInput") && !schemas.contains_key("TreeInput"), "{:?}", schemas.keys());
    assert_eq!(schemas["LopsidedInput"]["required"], json!(["plain"]));
    assert_eq!(schemas["Lopsided"]["required"], json!(["number", "plain"]));
    assert_eq!(schemas["HolderInput"]["properties"]["inner"]["items"]["$ref"], "#/components/schemas/LopsidedInput");
    assert!(schemas["Problem"]["properties"].get("detail").is_some());
    assert!(schemas.contains_key("Strange_name_____"), "{:?}", schemas.keys());
}

#[test]
fn a_read_is_also_a_get_if_its_parameters_are_scalar() {
    const SCALAR: &[Parameter] = &[
        Parameter::required("text", "x").of::<String>(),
        Parameter::optional("number", "x").of::<Option<u8>>(),
        Parameter::optional("colour", "x").of::<Option<Colour>>(),
        Parameter::optional("letter", "x").of::<char>(),
    ];
    let document = document(&[
        Operation::read("scalar", "x").parameters(SCALAR),
        Operation::read("list", "x").parameters(const { &[Parameter::optional("all", "x").of::<Vec<u8>>()] }),
        Operation::read("object", "x").parameters(const { &[Parameter::optional("it", "x").of::<Plain>()] }),
        Operation::read("untyped", "x").parameters(const { &[Parameter::optional("it", "x")] }),
        Operation::write("command", "x").parameters(SCALAR),
    ]);
    let is_get = |name: &str| document["paths"][format!("/api/v1/{name}")].get("get").is_some();
    assert_eq!(["scalar", "list", "object", "untyped", "command"].map(is_get), [true, false, false, false, false]);
    let query = &document["paths"]["/api/v1/scalar"]["get"]["parameters"];
    assert_eq!((&query[0]["in"], &query[0]["required"]), (&json!("query"), &json!(true)));
    assert_eq!(query[1]["schema"]["type"], "integer");
    assert_eq!(query[2]["schema"], json!({ "$ref": "#/components/schemas/Colour" }));
}

#[test]
fn a_stream_has_three_forms_and_may_be_ended_where_it_can_be_resumed() {
    let plain = document(&[Operation::read("list", "x").returns::<Plain>().streams()]);
    check_references(&plain);
    let success = &plain["paths"]["/api/v1/list"]["get"]["responses"]["200"];
    let content = success["content"].as_object().unwrap();
    let forms: Vec<_> = content.keys().map(String::as_str).collect();
    assert_eq!(forms, ["application/json", "application/x-ndjson", "text/event-stream"]);
    let array = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Plain" } });
    assert_eq!((&content["application/json"]["schema"], success.get("headers")), (&array, None));
    assert!(plain["paths"]["/api/v1/list"]["post"]["responses"].get("406").is_some());
    assert_eq!(plain["paths"].get("/api/v1/streams/{id}"), None);

    let resumable = document(&[Operation::write("tape", "x").resumable(), Operation::read("once", "x")]);
    check_references(&resumable);
    let post = &resumable["paths"]["/api/v1/tape"]["post"];
    assert_eq!(post["responses"]["200"]["headers"]["X-Tekton-Stream"]["$ref"], "#/components/headers/Stream");
    assert!(post["parameters"].to_string().contains("LastEventId"), "{}", post["parameters"]);
    assert!(resumable["paths"]["/api/v2/streams/{id}"]["delete"]["responses"].get("204").is_some());
    let once = &resumable["paths"]["/api/v1/once"]["post"];
    assert!(once["responses"].get("406").is_none() && !once["parameters"].to_string().contains("LastEventId"));
}
