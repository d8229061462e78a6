//! A component's OpenAPI 3.1 document, made from its table of operations.

mod control;
mod failures;
mod names;
mod operations;
mod references;
mod types;

use serde_json::{Map, Value, json};

use self::{names::Names, types::Types};
use super::Operations;
use crate::contract::{Descriptor, StreamKind};

/// The OpenAPI 3.1 document of a component, as it is served at `/openapi.json`: each operation in each API version, what it
/// takes and answers, every failure, and the control routes.
///
/// A stream is described in its three forms, the array of all items among them.
///
/// A read whose parameters are all scalar is described as `GET` too. A parameter or an answer without a declared type may
/// be any value. The descriptor and the operations are not checked here, but when the component is started.
///
/// A program can write the document when it is built:
///
/// ```
/// use std::sync::Arc;
/// use tekton_sdk::{contract::{Descriptor, Operation, Parameter}, host::{self, Operations}};
///
/// const ADD: Operation = Operation::read("add", "Adds two numbers.")
///     .parameters(&[Parameter::required("a", "one").of::<i64>(), Parameter::required("b", "the other").of::<i64>()])
///     .returns::<i64>();
///
/// let operations = Operations::new()
///     .on(&Arc::new(()), ADD, |_, _, args| async move { Ok(args.get::<i64>("a")? + args.get::<i64>("b")?) });
/// let document = host::openapi(&Descriptor::new("adder", "1.0.0"), &operations);
///
/// let add = &document["paths"]["/api/v1/add"];
/// assert_eq!(add["post"]["operationId"], "add");
/// assert_eq!(add["get"]["parameters"][0]["schema"]["type"], "integer");
/// assert_eq!(add["post"]["responses"]["200"]["content"]["application/json"]["schema"]["type"], "integer");
/// ```
#[must_use]
pub fn openapi(descriptor: &Descriptor, operations: &Operations) -> Value {
    let mut types = Types::new();
    // First, so that the name `Problem` is this one's.
    let responses = failures::responses(&mut types);
    let mut paths = Map::new();
    let mut ids = Names::taken(operations.table().map(|operation| operation.name));
    let mut versions = descriptor.api_versions.clone();
    versions.dedup();
    for (at, version) in versions.iter().enumerate() {
        for operation in operations.table() {
            let id =
                if at == 0 { operation.name.to_owned() } else { ids.free(&format!("{}_v{version}", operation.name)) };
            let item = operations::item(operation, &id, &mut ids, &mut types);
            paths.insert(format!("/api/v{version}/{}", operation.name), item);
        }
        if operations.table().any(|operation| operation.stream == Some(StreamKind::Resumable)) {
            paths.insert(format!("/api/v{version}/streams/{{id}}"), operations::cancel());
        }
    }
    paths.extend(control::paths(&mut types));
    let mut document = json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": info(descriptor),
        "tags": [
            { "name": "read", "description": "changes nothing" },
            { "name": "write", "description": "changes something" },
            { "name": "control", "description": "what every component answers" },
        ],
        "paths": paths,
        "components": {
            "responses": responses,
            "parameters": operations::headers(),
            "headers": failures::headers(),
        },
    });
    let schemas = types.settle(&mut document);
    document["components"]["schemas"] = schemas;
    document
}

fn info(descriptor: &Descriptor) -> Value {
    let mut info = json!({ "title": descriptor.name, "version": descriptor.version });
    if !descriptor.description.is_empty() {
        info["description"] = descriptor.description.clone().into();
    }
    info
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

#[cfg(test)]
mod tests;
