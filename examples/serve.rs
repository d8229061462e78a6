//! One component with operations of many shapes, served until SIGTERM or Ctrl-C: something to point tools at.
//! Run with: `cargo run --example serve [-- PORT]`; any free port if none is given.
//! Expect: the URL of its OpenAPI document. `tests/openapi` runs a validator and schemathesis against it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use tekton_sdk::{
    Component, Error, ErrorKind, Result, Tekton,
    contract::{Descriptor, Operation, Parameter},
    data,
    host::Operations,
};

/// The most items that are kept.
const MAX_ITEMS: usize = 100;

/// How urgent an item is.
#[data]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    Low,
    High,
}

/// An item on the shelf.
#[data]
#[derive(Clone)]
struct Item {
    /// What it is called.
    name: String,
    urgency: Urgency,
    /// Words to find it by.
    #[serde(default)]
    labels: Vec<Label>,
    weight: Option<f64>,
}

/// A word to find an item by.
#[data]
#[derive(Clone)]
struct Label {
    word: String,
}

#[derive(Default)]
struct Shelf {
    items: Mutex<BTreeMap<String, Item>>,
}

const ITEM: &[Parameter] = &[Parameter::required("name", "the item's name").of::<String>()];

impl Shelf {
    const COUNT: Operation = Operation::read("count", "Counts the items.").returns::<usize>();
    const LIST: Operation = Operation::read("list", "Lists the items.")
        .parameters(&[
            Parameter::optional("urgency", "only these").of::<Option<Urgency>>(),
            Parameter::optional("limit", "how many at most; all if left out").of::<Option<u8>>(),
            Parameter::optional("sorted", "whether by name; else as they are found").of::<bool>(),
        ])
        .returns::<Vec<Item>>();
    const GET: Operation = Operation::read("get", "Shows an item.").parameters(ITEM).returns::<Item>();
    const PUT: Operation = Operation::write("put", "Puts an item on the shelf, unless there is one of its name.")
        .parameters(&[Parameter::required("item", "what to put there").of::<Item>()])
        .returns::<bool>();
    const TAKE: Operation = Operation::write("take", "Takes an item off the shelf, if it is there.")
        .idempotent()
        .parameters(ITEM)
        .returns::<Option<Item>>();
    const FIND: Operation = Operation::read("find", "Names the items that have all of these labels.")
        .parameters(&[Parameter::required("labels", "what to look for").of::<Vec<Label>>()])
        .returns::<Vec<String>>();

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Item>) -> T) -> T {
        change(&mut self.items.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn list(&self, urgency: Option<Urgency>, limit: Option<u8>) -> Vec<Item> {
        let limit = limit.map_or(usize::MAX, usize::from);
        let wanted = |item: &&Item| urgency.is_none_or(|urgency| item.urgency == urgency);
        self.change(|items| items.values().filter(wanted).take(limit).cloned().collect())
    }

    fn get(&self, name: &str) -> Result<Item> {
        let found = self.change(|items| items.get(name).cloned());
        found.ok_or_else(|| Error::not_found("there is no item of this name"))
    }

    fn put(&self, item: Item) -> Result<bool> {
        self.change(|items| {
            if items.contains_key(&item.name) {
                return Err(Error::new(ErrorKind::Conflict, "there is an item of this name; take it first"));
            }
            if items.len() >= MAX_ITEMS {
                return Err(Error::invalid("the shelf is full; take an item first"));
            }
            Ok(items.insert(item.name.clone(), item).is_none())
        })
    }

    fn find(&self, labels: &[Label]) -> Vec<String> {
        let has = |item: &&Item| labels.iter().all(|wanted| item.labels.iter().any(|label| label.word == wanted.word));
        self.change(|items| items.values().filter(has).map(|item| item.name.clone()).collect())
    }
}

impl Component for Shelf {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("shelf", "1.0.0").describe("Keeps items in memory.").capability("item.keep")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
            .on(&self, Self::COUNT, |shelf, _, _| async move { Ok(shelf.change(|items| items.len())) })
            .on(&self, Self::LIST, |shelf, _, args| async move {
                // A map is sorted in any case; only the argument's type matters.
                args.get_or("sorted", true)?;
                Ok(shelf.list(args.get("urgency")?, args.get("limit")?))
            })
            .on(&self, Self::GET, |shelf, _, args| async move { shelf.get(&args.get::<String>("name")?) })
            .on(&self, Self::PUT, |shelf, _, args| async move { shelf.put(args.get("item")?) })
            .on(&self, Self::TAKE, |shelf, _, args| async move {
                let name: String = args.get("name")?;
                Ok(shelf.change(|items| items.remove(&name)))
            })
            .on(&self, Self::FIND, |shelf, _, args| async move { Ok(shelf.find(&args.get::<Vec<_>>("labels")?)) })
    }
}

async fn run() -> Result<()> {
    let port = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| Error::invalid(format!("{text:?} is no port")))?,
        None => 0,
    };
    let tekton = Tekton::builder().named("serve").build()?;
    let shelf = Shelf::default().serve(&tekton).port(port).start().await?;
    println!("serving {}/openapi.json", shelf.endpoint());
    shelf.until_shutdown().await?;
    tekton.shutdown().await;
    println!("shut down in order");
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve: {}", error.report());
            ExitCode::FAILURE
        }
    }
}
