//! The pure state machines of the room: what waits, what is under way, what was heard already, and how often a loss is told.

mod buffer;
mod seen;
mod told;
mod unsettled;

pub(super) use buffer::{Buffer, Item, Lost, Popped, Pushed};
pub(super) use seen::{Ids, Order, Seen};
pub(super) use told::Told;
pub(super) use unsettled::Unsettled;
