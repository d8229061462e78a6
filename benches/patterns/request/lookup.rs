//! A component that is known already, found again.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use tekton_sdk::{
    contract::Entry,
    directory::{CachedDirectory, DirectoryConfig, MemoryDirectory, Query},
    time::SharedClock,
};
use tekton_sdk_benches::{Selection, Table, keep};

use super::runtime;

pub(super) fn run(selection: &Selection) {
    let title = "lookup: a component that is known, among 100 queries";
    if !selection.takes(title) {
        return;
    }
    let names: Vec<Arc<str>> = (0..100).map(|n| format!("component-{n}").into()).collect();
    let entries = names.iter().map(|name| Entry::new(format!("{name}-1"), &**name, "http://127.0.0.1:8005"));
    let mut config = DirectoryConfig::default();
    config.ttl = std::time::Duration::from_secs(3600);
    let cached = CachedDirectory::new(Arc::new(MemoryDirectory::fixed(entries)), config, SharedClock::default());
    let queries: Vec<Query> = names.iter().map(|name| Query::name(Arc::clone(name))).collect();
    let runtime = runtime();
    let reference: RwLock<HashMap<Query, Arc<[Entry]>>> = RwLock::new(runtime.block_on(async {
        let mut map = HashMap::new();
        for query in &queries {
            map.insert(query.clone(), cached.lookup(query).await.expect("the list is in memory"));
        }
        map
    }));
    let some = |n: u64| &queries[n as usize % queries.len()];
    Table::new(title)
        .case("HashMap in a RwLock, no time", |operations| {
            for n in 0..operations {
                keep(reference.read().expect("nobody panics").get(some(n)).cloned());
            }
        })
        .case("CachedDirectory::peek", |operations| {
            for n in 0..operations {
                keep(cached.peek(some(n)));
            }
        })
        .case("CachedDirectory::lookup", |operations| {
            runtime.block_on(async {
                for n in 0..operations {
                    keep(cached.lookup(some(n)).await.expect("the answer is remembered"));
                }
            });
        })
        .run(selection);
}
