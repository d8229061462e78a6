//! What a component is, as data: who it is, what it can do, what may be asked of it.

mod capability;
mod descriptor;
mod entry;
mod operation;

pub use capability::{Capability, Score};
pub use descriptor::Descriptor;
pub use entry::{Entry, Registration};
pub use operation::{Operation, OperationKind, Parameter, ValueType};
