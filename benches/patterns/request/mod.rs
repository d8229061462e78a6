//! Room 1: one call, what it looks up and what it passes through.

mod calls;
mod document;
mod lookup;
mod mesh;
mod pipeline;
mod routing;
mod server;
mod websocket;

use tekton_sdk_benches::Selection;

pub(crate) fn run(selection: &Selection) {
    calls::run(selection);
    mesh::run(selection);
    lookup::run(selection);
    pipeline::run(selection);
    routing::run(selection);
    websocket::run(selection);
}

/// A runtime on the calling thread, so that a case's processor time is this thread's.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a machine that runs benchmarks gives a runtime")
}
