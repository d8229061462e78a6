//! Operations as MCP tools: valid, served, and registered with the hub.

mod hub;
mod schemas;

use std::sync::Arc;

use serde_json::Value;
use tekton_sdk::{
    Component, Result,
    contract::{Descriptor, Operation, Parameter},
    data,
    host::Operations,
};

/// A note.
#[data]
struct Note {
    /// What it says.
    text: String,
    /// What it answers.
    reply_to: Option<Box<Note>>,
    /// Whatever else.
    more: Value,
}

/// Which notes.
#[data]
enum Filter {
    /// All of them.
    All,
    /// Those that hold a word.
    Word(String),
}

/// Keeps notes: its operations have every shape that a tool may take.
struct Notes;

const COUNT: Operation = Operation::read("count", "Counts notes.")
    .title("Count notes")
    .parameters(&[Parameter::optional("filter", "which").of::<Filter>()])
    .returns::<u64>();
const LIST: Operation = Operation::read("list", "Lists notes.").returns::<Vec<Note>>().open_world(false);
const LATEST: Operation = Operation::read("latest", "Gives the latest note.").returns::<Option<Note>>();
const ADD: Operation = Operation::write("add", "Adds a note.")
    .parameters(&[
        Parameter::required("note", "what to add").of::<Note>(),
        Parameter::required("anything", "whatever").of::<Value>(),
        Parameter::optional("untyped", "who knows"),
    ])
    .returns::<Note>()
    .destructive(false);
const CLEAR: Operation = Operation::write("clear", "Removes all notes.").idempotent().destructive(true).returns::<()>();
const IMPORT: Operation = Operation::write("import", "Takes whatever it is given.").open();

impl Component for Notes {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("notes", "1.2.0").describe("Keeps notes.")
    }

    fn operations(self: Arc<Self>) -> Operations {
        [COUNT, LIST, LATEST, ADD, CLEAR, IMPORT].into_iter().fold(Operations::new(), |operations, operation| {
            operations.on(&self, operation, |_, _, _| async { Result::<()>::Ok(()) })
        })
    }
}
