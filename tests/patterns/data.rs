//! `#[data]` gives a value everything it needs on the wire.

use serde_json::json;

/// A summary.
#[tekton_sdk::data]
#[derive(Debug, PartialEq)]
struct Summary<T> {
    /// The text.
    text: T,
    #[serde(default)]
    left_out: usize,
}

#[tekton_sdk::data(crate = "renamed::inner")]
#[derive(Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    AllRight,
    Broken(String),
}

/// The SDK as a crate that re-exports it would show it.
mod renamed {
    pub(super) use tekton_sdk as inner;
}

#[test]
fn values_are_written_and_read() {
    let summary: Summary<String> = serde_json::from_value(json!({"text": "Short."})).unwrap();
    assert_eq!(summary, Summary { text: "Short.".to_owned(), left_out: 0 });
    assert_eq!(serde_json::to_value(Verdict::Broken("x".into())).unwrap(), json!({"broken": "x"}));
    assert_eq!(serde_json::from_value::<Verdict>(json!("all_right")).unwrap(), Verdict::AllRight);
}

#[test]
fn schemas_carry_the_doc_comments() {
    let schema = tekton_sdk::private::schemars::schema_for!(Summary<String>);
    assert_eq!(schema.get("description"), Some(&json!("A summary.")));
    assert_eq!(schema.pointer("/properties/text/description"), Some(&json!("The text.")));
    assert_eq!(schema.get("required"), Some(&json!(["text"])));
}
