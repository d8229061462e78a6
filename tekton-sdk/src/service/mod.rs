//! What the output of the component macros stands on: the behaviour of generated clients, tables and routers.

mod call;
mod data;
mod fields;
#[cfg(feature = "host")]
mod listen;
mod options;
mod outcome;
#[cfg(feature = "host")]
mod serve;
mod table;

pub use call::{Caller, PeerOf, call, stream};
pub use data::{Checked, Crosses, Data};
pub use fields::Fields;
#[cfg(feature = "host")]
pub use listen::{Handled, handled, listen_data, listen_delivery, listen_heard, listen_told, topics_of};
pub use options::CallOptions;
pub use outcome::{Answer, Chunks, Outcome, Refusal, Returned, Value};
#[cfg(feature = "host")]
pub use serve::{Service, argument, argument_or, begun, on, on_blocking, on_stream, serve_at};
pub use table::{Lists, Named, Own, Table, assert_distinct, assert_valid, find, optional, required, returns};

#[cfg(all(test, feature = "macros"))]
mod tests;
