//! What may be asked of a component.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Priority;

/// The JSON Schema of a Rust type, made when it is asked for: a table of operations stays a `const`.
///
/// ```
/// use tekton_sdk::contract::ValueType;
///
/// const TEXT: ValueType = ValueType::of::<String>();
/// assert_eq!(TEXT.schema().get("type").unwrap(), "string");
/// ```
#[derive(Clone, Copy)]
pub struct ValueType(fn(&mut SchemaGenerator) -> Schema);

impl ValueType {
    /// The schema of this type.
    #[must_use]
    pub const fn of<T: JsonSchema>() -> Self {
        Self(|generator| generator.subschema_for::<T>())
    }

    /// The schema alone, in the dialect of JSON Schema 2020-12, what it refers to under `$defs`.
    #[must_use]
    pub fn schema(self) -> Schema {
        let mut generator = SchemaGenerator::default();
        let mut schema = self.schema_in(&mut generator);
        let definitions = generator.take_definitions(true);
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), definitions.into());
        }
        schema
    }

    /// The schema, what it refers to left with the generator.
    pub fn schema_in(self, generator: &mut SchemaGenerator) -> Schema {
        self.0(generator)
    }
}

impl fmt::Debug for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueType")
    }
}

/// Whether an operation changes something.
#[expect(clippy::exhaustive_enums, reason = "a caller must decide for each")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// A query: it may be retried, hedged, coalesced or cached.
    Read,
    /// A command: it is repeated only under an idempotency key, or if it is declared idempotent.
    Write,
}

/// How an operation answers many times.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// It ends with the connection that it is read over.
    Plain,
    /// It outlives the connection for a while: a caller whose connection broke is attached to the same work again.
    Resumable,
}

/// One parameter of an operation.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The field of the argument object.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Whether a call must give it.
    pub required: bool,
    /// What it is, if the table says.
    pub value: Option<ValueType>,
}

impl Parameter {
    /// A parameter that every call gives.
    #[must_use]
    pub const fn required(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: true, value: None }
    }

    /// A parameter that a call may leave out.
    #[must_use]
    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: false, value: None }
    }

    /// Says what it is.
    #[must_use]
    pub const fn of<T: JsonSchema>(mut self) -> Self {
        self.value = Some(ValueType::of::<T>());
        self
    }
}

/// An operation as data; a component's table of them is a `const`.
///
/// ```
/// use std::time::Duration;
/// use tekton_sdk::contract::{Operation, Parameter};
///
/// const SUMMARIZE: Operation = Operation::read("summarize", "Shortens a text to its leading sentences.")
///     .parameters(&[
///         Parameter::required("text", "what to shorten").of::<String>(),
///         Parameter::optional("sentences", "how many to keep; 3 if left out").of::<usize>(),
///     ])
///     .returns::<String>()
///     .timeout(Duration::from_secs(2));
/// assert!(SUMMARIZE.parameters[0].required);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The last part of its path, and the name of its tool.
    pub name: &'static str,
    /// What people are shown as the name of its tool.
    pub title: Option<&'static str>,
    /// What it does.
    pub description: &'static str,
    /// Whether it changes something.
    pub kind: OperationKind,
    /// Whether carrying it out twice has the same outcome as once. Every read is.
    pub idempotent: bool,
    /// Whether it may destroy something, and not only add to it; if `None`, every write that is not idempotent may.
    pub destructive: Option<bool>,
    /// Whether it reaches beyond a closed domain, as a web search does.
    pub open_world: Option<bool>,
    /// How long one execution may take; the host's limit if `None`. Of a stream it bounds the whole, and the host's limit the time
    /// until the stream begins.
    pub timeout: Option<Duration>,
    /// How much it matters where not all can be served.
    pub priority: Priority,
    /// The fields of its argument object.
    pub parameters: &'static [Parameter],
    /// Whether it takes fields that are not listed too.
    pub open: bool,
    /// What it answers, if the table says; of a stream, each item.
    pub answer: Option<ValueType>,
    /// Whether it answers many times, and how; `None` if once.
    pub stream: Option<StreamKind>,
}

impl Operation {
    /// A query.
    #[must_use]
    pub const fn read(name: &'static str, description: &'static str) -> Self {
        Self::of(OperationKind::Read, name, description)
    }

    /// A command.
    #[must_use]
    pub const fn write(name: &'static str, description: &'static str) -> Self {
        Self::of(OperationKind::Write, name, description)
    }

    const fn of(kind: OperationKind, name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            title: None,
            description,
            kind,
            idempotent: matches!(kind, OperationKind::Read),
            destructive: None,
            open_world: None,
            timeout: None,
            priority: Priority::Normal,
            parameters: &[],
            open: false,
            answer: None,
            stream: None,
        }
    }

    /// Declares that carrying it out twice has the same outcome as once.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Says what people are shown as the name of its tool.
    #[must_use]
    pub const fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// Says whether it may destroy something, and not only add to it.
    #[must_use]
    pub const fn destructive(mut self, destructive: bool) -> Self {
        self.destructive = Some(destructive);
        self
    }

    /// Says whether it reaches beyond a closed domain, as a web search does.
    #[must_use]
    pub const fn open_world(mut self, open_world: bool) -> Self {
        self.open_world = Some(open_world);
        self
    }

    /// Limits one execution.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Says how much it matters where not all can be served. Default: [`Priority::Normal`].
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Lists the fields of its argument object.
    #[must_use]
    pub const fn parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    /// Says what it answers; of a stream, each item.
    #[must_use]
    pub const fn returns<T: JsonSchema>(mut self) -> Self {
        self.answer = Some(ValueType::of::<T>());
        self
    }

    /// Declares that it takes fields that are not listed too.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Declares that it answers many times, until its connection ends.
    #[must_use]
    pub const fn streams(mut self) -> Self {
        if self.stream.is_none() {
            self.stream = Some(StreamKind::Plain);
        }
        self
    }

    /// Declares that it answers many times, and that a caller whose connection broke may be attached to the same work again.
    #[must_use]
    pub const fn resumable(mut self) -> Self {
        self.stream = Some(StreamKind::Resumable);
        self
    }
}
