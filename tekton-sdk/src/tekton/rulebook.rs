//! What each call goes by, found by component and operation, and exchanged while calls run.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::policy::Rules;

/// The rules of one handle's calls. Clones share them.
///
/// A call takes its rules once, when it begins: an exchange changes no call that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rulebook(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Counts the exchanges, so that whoever keeps rules sees by one load whether they still hold.
    edition: AtomicU64,
    pages: RwLock<Arc<Pages>>,
    closed: CancellationToken,
}

/// The rules of one edition.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    edition: u64,
    /// Of calls that nothing more is said about; `None` leaves them to the stages' own settings.
    pub(crate) rest: Option<Arc<Rules>>,
    /// By the component's name in lower case.
    pub(crate) targets: HashMap<String, Page>,
}

/// The rules of one component.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Of operations that nothing more is said about; without it those of the rest.
    pub(crate) whole: Option<Arc<Rules>>,
    pub(crate) operations: HashMap<String, Arc<Rules>>,
}

impl Rulebook {
    /// Which edition holds.
    pub(crate) fn edition(&self) -> u64 {
        self.0.edition.load(Ordering::Acquire)
    }

    /// The rules that hold.
    pub(crate) fn pages(&self) -> Arc<Pages> {
        Arc::clone(&self.0.pages.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends whatever would exchange them.
    pub(crate) fn close(&self) {
        self.0.closed.cancel();
    }

    /// What is cancelled when nobody is to exchange them any more.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.0.closed.clone()
    }

    /// Puts these in the place of those that hold.
    pub(crate) fn exchange(&self, mut pages: Pages) {
        let mut held = self.0.pages.write().unwrap_or_else(PoisonError::into_inner);
        pages.edition = held.edition + 1;
        let edition = pages.edition;
        *held = Arc::new(pages);
        self.0.edition.store(edition, Ordering::Release);
    }
}

impl Pages {
    pub(crate) fn new(rest: Option<Arc<Rules>>, targets: HashMap<String, Page>) -> Self {
        Self { edition: 0, rest, targets }
    }

    pub(crate) const fn edition(&self) -> u64 {
        self.edition
    }

    /// What a call of this operation of this component goes by.
    pub(crate) fn rules(&self, target: &str, operation: &str) -> Option<&Arc<Rules>> {
        // Without targets there is nothing to look for.
        let page = if self.targets.is_empty() { None } else { self.targets.get(&target.to_ascii_lowercase()) };
        let own = page.and_then(|page| page.operations.get(operation).or(page.whole.as_ref()));
        own.or(self.rest.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str) -> Arc<Rules> {
        Arc::new(Rules { name: name.into(), ..Rules::standard() })
    }

    #[test]
    fn the_operations_rules_go_before_the_components_and_those_before_the_rest() {
        let book = Rulebook::default();
        assert_eq!((book.edition(), book.pages().rules("engram", "store")), (0, None));
        let page = Page { whole: Some(rules("whole")), operations: [("store".to_owned(), rules("store"))].into() };
        let only = Page { whole: None, operations: [("store".to_owned(), rules("only"))].into() };
        let targets = [("engram".to_owned(), page), ("rhetor".to_owned(), only)].into();
        book.clone().exchange(Pages::new(Some(rules("rest")), targets));
        let pages = book.pages();
        let name = |target, operation| pages.rules(target, operation).map(|rules| rules.name.to_string());
        for (target, operation, expected) in [
            ("engram", "store", "store"),
            ("Engram", "recall", "whole"),
            ("engram", "Store", "whole"),
            ("rhetor", "store", "only"),
            ("rhetor", "say", "rest"),
            ("other", "store", "rest"),
        ] {
            assert_eq!(name(target, operation).as_deref(), Some(expected), "{target} {operation}");
        }
        assert_eq!((book.edition(), pages.edition()), (1, 1));
    }
}
