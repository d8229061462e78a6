//! What the hub and the components behind it answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::{
    health::read_health,
    hermes::{Ack, MAX_COMPONENTS, Metadata, RegisterReply, read_components},
};

fuzz_target!(|body: &[u8]| {
    if let Ok(listing) = read_components(body) {
        assert!(listing.components.len() <= MAX_COMPONENTS);
        for component in &listing.components {
            let read = component.typed_metadata();
            assert_eq!(Metadata::read(&read.to_object()), read);
        }
    }
    let _ = RegisterReply::read(body);
    let _ = Ack::read(body);
    let _ = read_health(http::StatusCode::OK, body);
});
