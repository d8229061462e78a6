//! What a component is, as data: who it is, what it can do, what may be asked of it.

mod capability;
mod descriptor;
mod entry;
mod operation;
mod tool;

pub use capability::{Capability, Score};
pub use descriptor::Descriptor;
pub use entry::{Entry, Registration};
pub use operation::{Operation, OperationKind, Parameter, ValueType};
pub use tool::{ObjectSchema, PublishedTool, Tool, ToolAnnotations};
