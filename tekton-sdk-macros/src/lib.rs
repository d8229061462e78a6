//! The macros of `tekton-sdk`; use them through that crate.
//!
//! [`macro@Component`] makes a component of a struct, [`macro@service`] operations of its methods, [`macro@data`] a value on
//! the wire of a type, [`macro@SseEvent`] reads events as an enum, [`macro@Event`] binds a type to its topics,
//! [`macro@landmark`] marks a place, and [`macro@circuit_breaker`] stops calling what is down.
//! `docs/macros.md` of the repository says what they expand to.

mod breaker;
mod component;
mod data;
mod events;
mod landmark;
mod service;
#[cfg(test)]
mod snapshot;
mod support;
mod typed;

use proc_macro::TokenStream;

/// Puts a circuit breaker around a function or a method, `async` or not: so many failures in a row, and calls are refused
/// at once, until the callee had time to recover. Then one call probes, and closes the breaker if it goes well.
///
/// | argument | type | default | meaning |
/// |---|---|---|---|
/// | `failure_threshold` | whole number of at least 1 | `5` | how many failures in a row open it |
/// | `timeout` | `"60s"`, `"250ms"`, `"5min"` | `"60s"` | how long it stays open, each time |
/// | `name` | text | the function's module path and name | what it is called in errors and logs |
/// | `crate` | path in a text | found by the name in your `Cargo.toml` | where the SDK is, if it is re-exported |
///
/// The function returns a `Result`, under whatever alias, whose error has `From<tekton_sdk::patterns::breaker::Refused>`
/// and borrows nothing: `tekton_sdk::Error`, `anyhow::Error` and `Box<dyn Error + Send + Sync>` do. An `Err` is a failure,
/// and so is a panic; a `tekton_sdk::Error` is judged as `patterns::breaker::ByResult` does. A future that is dropped
/// counts nothing.
///
/// There is one breaker for each function, whatever the receiver and the arguments are: all instances of a generic
/// function share it. It is on the runtime's clock; `tekton_sdk::patterns::breaker::function_breakers` shows it.
///
/// It cannot stand on a function that is `const`, `unsafe` or `extern`, that returns `impl Future`, or that has no body.
///
/// ```text
/// #[tekton_sdk::circuit_breaker(failure_threshold = 5, timeout = "60s")]
/// async fn charge(&self, card: &Card) -> Result<Receipt> { … }
/// ```
#[proc_macro_attribute]
pub fn circuit_breaker(arguments: TokenStream, item: TokenStream) -> TokenStream {
    breaker::expand(arguments.into(), item.into()).into()
}

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

/// Makes a component of a struct: who it is, and what it serves.
///
/// | argument of `#[component(…)]` | type | default | meaning |
/// |---|---|---|---|
/// | `name` | text | the type's name in kebab case | what it is called |
/// | `version` | text | the version of your crate | its release, as `1.2.0` |
/// | `description` | text | the doc comment | what it is for |
/// | `capabilities` | `("text.summarize" = 0.9, …)` | none | what it can do, with scores from 0 to 1 |
/// | `depends_on` | `("engram", …)` | none | the components it needs |
/// | `context_window` | whole number | none | how many tokens it takes into view |
/// | `cost` | number | none | what one call costs |
/// | `port` | 0 to 65535 | any free one | where it listens if no setting says otherwise |
/// | `services` | `(Summarizer, Admin, …)` | its own block | the services it serves, its own by the type's name |
/// | `test` | `false` | a test | leaves out the test of its operations |
/// | `crate` | path in a string | found by the name in your `Cargo.toml` | where the SDK is, if it is re-exported |
///
/// It expands to an implementation of the trait `Component`, to `SummarizerClient` and, where the SDK has its feature
/// `testing`, to `FakeSummarizer`, and to a test of what only a run can know of the operations. [`macro@service`] adds their operations.
#[proc_macro_derive(Component, attributes(component))]
pub fn component(item: TokenStream) -> TokenStream {
    component::expand(item.into()).into()
}

/// Reads the events of a stream as an enum: each variant stands for one type of event, and one keeps all others.
///
/// | argument of `#[event(…)]` | where | meaning |
/// |---|---|---|
/// | `"said"` | on a variant | the type that `event:` names, `"message"` for those that name none; the variant's name in snake case if left out |
/// | `text` | on a variant | it holds the data as it came, and what it holds has `From<String>`; otherwise it holds the data as JSON |
/// | `other` | on one variant | it holds every event of another type, and what it holds has `From<&wire::sse::Event>`, as `StreamEvent` does |
/// | `crate = "mesh::tekton_sdk"` | on the enum | where the SDK is, if it is re-exported |
///
/// A variant holds one value, which serde reads, or nothing: then the data is passed over.
///
/// It expands to an implementation of the trait `patterns::streaming::SseEvent`.
///
/// ```text
/// #[derive(SseEvent)]
/// enum Chat {
///     Said(Said),
///     AllSaid,
///     #[event(other)]
///     Other(StreamEvent),
/// }
/// ```
#[proc_macro_derive(SseEvent, attributes(event))]
pub fn sse_event(item: TokenStream) -> TokenStream {
    events::expand(item.into()).into()
}

/// Binds a type of event to its topics: `events.tell(&event)` and `events.hear::<Event>()` need no other.
///
/// | argument of `#[event(…)]` | where | meaning |
/// |---|---|---|
/// | `topic = "orders.new"` | on a struct, an enum, or each variant of an enum | on which topic it is told; a token `{id}` is what its field holds, percent-encoded |
/// | `key = "id"` | beside the topic | the field that says what it is about, for those who keep the latest of each key; the topic if left out |
/// | `crate = "mesh::tekton_sdk"` | on the type | where the SDK is, if it is re-exported |
///
/// A struct, or an enum with a topic of its own, is written and read by serde, as `#[data]` derives it. Of an enum whose
/// variants have the topics, each holds one value or nothing; in their topics `{0}` is the value, and `{id}` a field of it.
///
/// It expands to an implementation of the trait `patterns::events::TypedEvent`.
///
/// ```text
/// #[derive(Event)]
/// enum Order {
///     #[event(topic = "orders.{id}.taken", key = "id")]
///     Taken(Taken),
///     #[event(topic = "orders.closed")]
///     Closed,
/// }
/// ```
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    typed::expand(item.into()).into()
}

/// Makes operations of the methods of a component that have `#[op]`, or of those of a trait that several crates share, and
/// listeners of those that have `#[on_event]`.
///
/// | argument | where | meaning |
/// |---|---|---|
/// | `name = Admin` | on a further block | what `services(…)` calls it; its client trait is `AdminApi` |
/// | `component = "summarizer"` | on a trait | whom its client looks for; the trait's name in kebab case if left out |
/// | `capability = "text.summarize"` | on a trait | its client looks for whoever can do this best instead |
/// | `crate = "mesh::tekton_sdk"` | on both | where the SDK is, if it is re-exported |
///
/// | argument of `#[op(…)]` | meaning |
/// |---|---|
/// | `read`, `write` | whether it changes something; one of them must be said |
/// | `idempotent` | a write that may be carried out twice |
/// | `name = "set-limit"` | what it is called; the method's name if left out |
/// | `timeout = "2s"` | how long one execution may take |
/// | `priority = "low"` | how much it matters where not all can be served: `low`, `normal` if left out, or `high` |
/// | `title = "…"`, `destructive = false`, `open_world = true` | what the MCP tool says of itself, where that is not inferred |
///
/// | argument of `#[on_event(…)]` | meaning |
/// |---|---|
/// | `"orders.*", "paid"` | the topics; those of the event's type if left out |
/// | `group = "cooks"` | whose members share the events; the instances of the component if left out |
/// | `every_instance` | each instance hears everything |
/// | `acked = false` | an event comes once, whatever becomes of it |
/// | `dead_letters = "dead.orders"`, `deliveries = 5` | where an event goes after so many deliveries |
/// | `concurrency = 4`, `timeout = "30s"` | how many events are handled at once, and how long one may take |
/// | `start = "oldest"` | where it begins; with new events if left out |
/// | `when_full = "drop_oldest"`, `capacity = 1024` | what happens when so many events wait |
///
/// A method with `#[on_event]` is `async`, takes `&self`, one event and perhaps `&Context`, and returns a `Result<()>`. The event
/// is data, a `Delivery` or a `Heard`.
///
/// `#[arg(default = 3)]` on an argument makes it optional, as `Option` does. The docs of an operation are its description;
/// the list under `# Arguments`, or docs on the arguments themselves, are theirs. `ctx: &Context` is injected. A method
/// that is not `async` may block: it runs on a thread of its own kind.
///
/// It expands to the table of operations, their router, the listeners, their part of `SummarizerClient` and `FakeSummarizer`, and a trait
/// `SummarizerApi` that both have.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).into()
}
