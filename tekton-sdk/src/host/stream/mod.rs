//! Streams: operations that answer many times.
//!
//! A plain stream lives in the body of its answer: [`Plain`](plain::Plain) polls the work when the connection polls it, and its end
//! is the end of the work. A resumable one has a task of its own, [`Driver`](driver::Driver), which writes into a bounded
//! [`Ring`](ring::Ring); the bodies, one after the other, are its readers.

mod array;
mod attached;
mod batch;
mod bound;
mod driver;
mod ends;
mod format;
mod id;
mod keep_alive;
mod open;
mod plain;
mod registry;
mod ring;
mod running;
mod work;

pub(super) use self::{
    array::collect,
    format::{Format, NDJSON},
    keep_alive::KeepAlive,
    open::Asked,
    registry::Streams,
    work::Items,
};
use crate::error::{Error, ErrorKind};

/// What is read instead of an end, when the component ended without a word.
fn cut_off() -> Error {
    Error::new(ErrorKind::Interrupted, "the component was stopped before the stream had ended")
}
