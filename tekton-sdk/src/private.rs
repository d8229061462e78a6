//! What the output of the macros may call. Not for use by hand: it changes without notice.

#[cfg(feature = "macros")]
pub use inventory;
pub use schemars;
pub use serde;

pub use crate::contract::{Detail, Landmark};
