//! Named policies: what is written about them, what is wrong with it, and what calls go by.

mod check;
mod explain;
mod handle;
mod read;
mod resolve;
mod sources;
mod spec;
#[cfg(test)]
mod tests;

pub use explain::{Explanation, Line};
pub use spec::{OpSpec, PolicySpec, TargetSpec};

pub(super) use self::{
    check::wrong,
    handle::{Current, WeakCurrent},
    read::Named,
    resolve::Base,
    sources::Sources,
};
