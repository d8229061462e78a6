//! Bodies and queries of calls.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::{
    contract::{Operation, Parameter},
    host::Arguments,
};

const OPERATION: Operation = Operation::read("op", "An operation.")
    .parameters(&[Parameter::required("a", "one"), Parameter::optional("b", "another")]);

fuzz_target!(|body: &[u8]| {
    let read = |arguments: &Arguments| {
        let _ = arguments.get::<String>("a");
        let _ = arguments.get::<Option<f64>>("b");
    };
    if let Ok(arguments) = Arguments::from_json(&OPERATION, body.to_vec().into()) {
        read(&arguments);
    }
    if let Ok(query) = std::str::from_utf8(body)
        && let Ok(arguments) = Arguments::from_query(&OPERATION, query)
    {
        read(&arguments);
    }
});
