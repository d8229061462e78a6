//! Tekton beside its peers. `cargo bench -p tekton-sdk-benches --features peers [-- <words of a title>]`; without the
//! feature only the SDK and the physical limits run.

mod balance;
mod breaker;
mod events;
mod events_socket;
mod host;
mod limits;
mod macros;
mod request;
mod sse;
mod stand_in;
mod streaming;
mod telemetry;

use tekton_sdk_benches::Selection;

fn main() {
    let selection = Selection::from_process();
    balance::run(&selection);
    breaker::run(&selection);
    events::run(&selection);
    events_socket::run(&selection);
    limits::run(&selection);
    host::run(&selection);
    macros::run(&selection);
    request::run(&selection);
    sse::run(&selection);
    stand_in::run(&selection);
    streaming::run(&selection);
    telemetry::run(&selection);
}
