//! What is counted of served operations, one set of cells for each component and operation.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{
    HostLimit,
    capped::short,
    cells::{Count, Statuses, Timing},
};
use crate::telemetry::names::OTHER;

/// How many components of one process are told apart.
const MAX_COMPONENTS: usize = 64;
/// How many operations of one component are told apart.
const MAX_OPERATIONS: usize = 512;

/// The cells of one operation.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) took: Timing,
    pub(super) statuses: Statuses,
    pub(super) refused: [Count; HostLimit::ALL.len()],
}

/// The cells of one component.
#[derive(Debug, Default)]
pub(super) struct Component {
    in_flight: AtomicI64,
    operations: Mutex<HashMap<Box<str>, Arc<Cells>>>,
}

impl Component {
    pub(super) fn of(&self, operation: &str) -> Arc<Cells> {
        let mut known = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = short(operation);
        let fits = known.len() < MAX_OPERATIONS || known.contains_key(operation);
        Arc::clone(known.entry(if fits { operation } else { OTHER }.into()).or_default())
    }

    pub(super) fn moved(&self, by: i64) {
        self.in_flight.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Every operation.
    pub(super) fn all(&self) -> Vec<(Box<str>, Arc<Cells>)> {
        let known = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, cells)| (name.clone(), Arc::clone(cells))).collect()
    }
}

/// The cells of all components of a process.
#[derive(Debug, Default)]
pub(super) struct Served(Mutex<HashMap<Box<str>, Arc<Component>>>);

impl Served {
    pub(super) fn of(&self, component: &str) -> Arc<Component> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let component = short(component);
        let fits = known.len() < MAX_COMPONENTS || known.contains_key(component);
        Arc::clone(known.entry(if fits { component } else { OTHER }.into()).or_default())
    }

    pub(super) fn all(&self) -> Vec<(Box<str>, Arc<Component>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, component)| (name.clone(), Arc::clone(component))).collect()
    }
}
