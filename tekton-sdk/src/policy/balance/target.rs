//! What is known of a target as a whole.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{Weights, view::View};

/// A target: its weights, and how its instances stood when they were looked at last.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: Arc<str>,
    weights: RwLock<Arc<Weights>>,
    members: AtomicUsize,
    well: AtomicUsize,
    out: AtomicUsize,
    panic: AtomicBool,
}

impl Target {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            weights: RwLock::default(),
            members: AtomicUsize::new(0),
            well: AtomicUsize::new(0),
            out: AtomicUsize::new(0),
            panic: AtomicBool::new(false),
        }
    }

    pub(super) fn weights(&self) -> Arc<Weights> {
        Arc::clone(&self.weights.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_weights(&self, weights: Weights) {
        *self.weights.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(weights);
    }

    /// Keeps that it has so many members, all of them well until they are looked at.
    pub(super) fn count(&self, members: usize) {
        if self.members.swap(members, Ordering::Relaxed) != members {
            self.well.store(members, Ordering::Relaxed);
        }
    }

    /// Keeps what was seen of so many members; says whether the panic has begun or ended with it.
    pub(super) fn see(&self, members: usize, view: &View) -> bool {
        self.members.store(members, Ordering::Relaxed);
        self.well.store(view.well, Ordering::Relaxed);
        self.out.store(view.out, Ordering::Relaxed);
        self.panic.swap(view.panic, Ordering::Relaxed) != view.panic
    }

    /// How many of its instances are kept out, if it has more than one.
    pub(super) fn out(&self) -> Option<usize> {
        (self.members.load(Ordering::Relaxed) > 1).then(|| self.out.load(Ordering::Relaxed))
    }

    pub(super) fn show(&self) -> Value {
        json!({
            "instances": self.members.load(Ordering::Relaxed),
            "well": self.well.load(Ordering::Relaxed),
            "ejected": self.out.load(Ordering::Relaxed),
            "panic": self.panic.load(Ordering::Relaxed),
            "weights": &*self.weights(),
        })
    }
}
