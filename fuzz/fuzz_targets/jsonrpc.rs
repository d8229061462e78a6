//! JSON-RPC messages of anybody, to a server and to a client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::{RawValue, to_raw_value};
use tekton_sdk::wire::jsonrpc::{Calls, Incoming, Message, Received, RpcLimits, answer, parse};

fuzz_target!(|message: &[u8]| {
    let limits = RpcLimits::default().with_max_message_bytes(4096).with_max_depth(16).with_max_batch(20);
    let mut requests = 0;
    let answered = answer(message, &limits, |request| {
        requests += 1;
        Ok(to_raw_value(&request.method).expect("a text is JSON"))
    });
    if let Some(text) = &answered {
        // Raw: an id may be a number that no float holds.
        serde_json::from_str::<&RawValue>(text).expect("what is answered is JSON");
        // Whoever gets the answer reads it as answers alone.
        let wide = RpcLimits::default();
        match parse(text.as_bytes(), &wide).expect("what is answered is a message") {
            Incoming::One(one) => assert!(matches!(one, Message::Response(_))),
            Incoming::Batch(all) => assert!(all.iter().all(|one| matches!(one, Message::Response(_)))),
        }
    }
    let entries = match parse(message, &limits) {
        Ok(Incoming::One(_)) => 1,
        Ok(Incoming::Batch(entries)) => entries.len(),
        Err(_) => 0,
    };
    assert!(requests <= entries && entries <= 20);
    let mut calls = Calls::new(3);
    calls.batch([(1, "a", None), (2, "b", None)]).expect("there is room");
    calls.call(3, "c", None::<&RawValue>).expect("there is room");
    let mut ended = 0;
    let _ = calls.receive(message, &limits, |received| {
        ended += usize::from(matches!(received, Received::Answer { .. } | Received::Broken { .. }));
    });
    assert_eq!(ended + calls.waiting(), 3);
});
