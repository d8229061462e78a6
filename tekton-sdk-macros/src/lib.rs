//! The macros of `tekton-sdk`; use them through that crate.
//!
//! So far there are [`macro@data`] and [`macro@landmark`]. The macros that make a component of an annotated struct are not here yet.

mod data;
mod landmark;
mod support;

use proc_macro::TokenStream;

/// Makes a struct or an enum a value that crosses the wire: it derives serde's `Serialize` and `Deserialize` and
/// schemars' `JsonSchema`, without a dependency of yours on either.
///
/// | argument | type | default | meaning |
/// |---|---|---|---|
/// | `crate` | path in a string | found by the name in your `Cargo.toml` | where the SDK is, if it is re-exported |
///
/// `#[serde(…)]` and `#[schemars(…)]` attributes on the type and its fields work as usual.
///
/// ```text
/// #[tekton_sdk::data]
/// struct Summary { text: String }
/// ```
#[proc_macro_attribute]
pub fn data(arguments: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(arguments.into(), item.into()).into()
}

/// Marks a place that whoever changes it should know of: a decision, a boundary, a danger. What is marked is gathered
/// when the program is linked, searched with `tekton_sdk::landmarks::Landmarks`, and served at `/landmarks`.
///
/// It goes on any item: a function, a method with a body, a type, a constant, a trait, an `impl`, an inline `mod`. It
/// cannot go on a trait's function without a body, on an associated type, or on `mod file;`.
///
/// | argument | type | default | meaning |
/// |---|---|---|---|
/// | `kind` | text | required | one of the six below, or a word of your own |
/// | `title` | text | required | what it is, in a few words |
/// | `description` | text | the item's documentation | what to know |
/// | `author` | text | `"system"` | who says so |
/// | `tags` | texts | none | `tags("money", "audit")` or `tags = ["money", "audit"]` |
/// | `crate` | path in a text | found by the name in your `Cargo.toml` | where the SDK is, if it is re-exported |
///
/// | kind | required | optional (default) |
/// |---|---|---|
/// | `architecture_decision` | `rationale` | `alternatives_considered` (none), `impacts` (none), `decided_by` (`"team"`) |
/// | `performance_boundary` | `sla` | `optimization_notes` (`""`), `metrics(name = …)` (none) |
/// | `api_contract` | `endpoint` | `method` (`"GET"`), `request_schema(name = …)`, `response_schema(name = …)` (none), `auth_required` (`false`) |
/// | `danger_zone` | | `risk_level` (`"low"`, `"medium"`, `"high"`; `"medium"`), `risks` (none), `mitigation` (`""`), `review_required` (`true`) |
/// | `integration_point` | `target_component`, `protocol` | `data_flow` (`""`) |
/// | `state_checkpoint` | `state_type` | `persistence` (`false`), `consistency_requirements` (`""`), `recovery_strategy` (`""`) |
/// | any other word | | any `name = value`: text, number, `true`, `[…]`, or `name(key = value)` |
///
/// It adds one static value, before the item or in its body, and no line to what runs.
///
/// ```text
/// #[tekton_sdk::landmark(
///     kind = "integration_point",
///     title = "Summaries come from Rhetor",
///     target_component = "rhetor",
///     protocol = "HTTP"
/// )]
/// async fn summarize(text: &str) -> Result<String> { … }
/// ```
#[proc_macro_attribute]
pub fn landmark(arguments: TokenStream, item: TokenStream) -> TokenStream {
    landmark::expand(arguments.into(), item.into()).into()
}
