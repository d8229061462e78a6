//! The JSON format, written.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{CloudEvent, Data, Value};

pub(super) fn json(event: &CloudEvent) -> String {
    let mut json = String::from(r#"{"specversion":"1.0""#);
    text(&mut json, "id", &event.id);
    text(&mut json, "source", &event.source);
    text(&mut json, "type", &event.kind);
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            text(&mut json, name, value);
        }
    }
    for (name, value) in &event.extensions {
        match value {
            Value::Text(value) => text(&mut json, name, value),
            Value::Bool(value) => member(&mut json, name, &value.to_string()),
            Value::Integer(value) => member(&mut json, name, &value.to_string()),
        }
    }
    match &event.data {
        Some(Data::Json(data)) => {
            let data = std::str::from_utf8(data).expect("it was read as JSON, and so is UTF-8");
            member(&mut json, "data", data);
        }
        Some(Data::Binary(bytes)) => text(&mut json, "data_base64", &BASE64_STANDARD.encode(bytes)),
        None => {}
    }
    json.push('}');
    json
}

fn text(json: &mut String, name: &str, value: &str) {
    member(json, name, &serde_json::Value::from(value).to_string());
}

/// The names are those of the specification or letters and digits: none needs an escape.
fn member(json: &mut String, name: &str, value: &str) {
    json.push_str(&format!(",\"{name}\":{value}"));
}
