//! What a component is, as data: who it is, what it can do, what may be asked of it.

mod capability;
mod descriptor;
mod entry;
mod landmark;
mod measured;
mod operation;
mod priority;
mod table;
mod tool;

pub use capability::{Capability, Score};
pub use descriptor::Descriptor;
pub use entry::{Entry, Registration};
#[cfg(feature = "macros")]
pub use landmark::landmarks;
#[cfg(feature = "macros")]
pub(crate) use landmark::upstream_component;
pub use landmark::{Detail, Landmark};
pub use measured::Measured;
pub use operation::{Operation, OperationKind, Parameter, StreamKind, ValueType};
pub use priority::Priority;
pub(crate) use table::problems;
pub use tool::{ObjectSchema, PublishedTool, Tool, ToolAnnotations};
