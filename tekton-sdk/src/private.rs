//! What the output of the macros may call. Not for use by hand: it changes without notice.

pub use schemars;
pub use serde;
