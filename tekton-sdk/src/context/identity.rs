//! Who speaks, once that is proven.

use std::{fmt, sync::Arc};

/// A caller whose proof was accepted: a subject, and the scopes that it was given.
///
/// It says only what somebody else has proven: the host takes it from an `Identify`, never from a label such as
/// `X-Tekton-Caller`. It holds no proof, so that it may be logged. Cheap to clone; equal where subject and scopes are, in
/// whatever order the scopes were given.
///
/// ```
/// use tekton_sdk::context::Identity;
///
/// let reader = Identity::new("reader-1").with_scopes(["notes.read", "notes.list"]);
/// assert_eq!(reader.subject(), "reader-1");
/// assert!(reader.has_scope("notes.read") && !reader.has_scope("notes.write"));
/// assert_eq!(reader, Identity::new("reader-1").with_scopes(["notes.list", "notes.read"]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<Inner>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Inner {
    subject: Box<str>,
    /// In order, each once.
    scopes: Box<[Box<str>]>,
}

impl Identity {
    /// This subject, without any scope.
    #[must_use]
    pub fn new(subject: impl Into<String>) -> Self {
        Self(Arc::new(Inner { subject: subject.into().into_boxed_str(), scopes: Box::default() }))
    }

    /// Replaces the scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut scopes: Vec<Box<str>> = scopes.into_iter().map(|scope| scope.into().into_boxed_str()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Arc::make_mut(&mut self.0).scopes = scopes.into_boxed_slice();
        self
    }

    /// Whom the proof names.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What it may do, in order, each once.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(|scope| &**scope)
    }

    /// Whether it has this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.binary_search_by(|known| (**known).cmp(scope)).is_ok()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.0.subject).field("scopes", &self.0.scopes).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_order_of_scopes_makes_no_other_identity() {
        let one = Identity::new("a").with_scopes(["x", "y", "x"]);
        let other = Identity::new("a").with_scopes(["y", "x"]);
        assert_eq!(HashSet::from([one.clone(), other]).len(), 1);
        assert_eq!(one.scopes().collect::<Vec<_>>(), ["x", "y"]);
        assert_ne!(one, Identity::new("a"));
        assert_ne!(one, Identity::new("b").with_scopes(["x", "y"]));
        assert_eq!(format!("{one:?}"), r#"Identity { subject: "a", scopes: ["x", "y"] }"#);
    }
}
