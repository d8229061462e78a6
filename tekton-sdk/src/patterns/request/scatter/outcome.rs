//! What came of asking several.

use std::{ops::Deref, sync::Arc};

use super::Reply;
use crate::error::{Error, ErrorKind, Result, Sent};

/// How many failures an error lists.
const MAX_LISTED: usize = 8;
/// How many characters of a failure an error lists.
const MAX_LISTED_CHARS: usize = 160;

/// An answer, and whose it is; it dereferences to the value.
#[derive(Clone, Debug)]
pub struct Answered<T> {
    pub(super) holder: Arc<str>,
    pub(super) reply: Reply<T>,
}

impl<T> Answered<T> {
    /// The component's name, or the id of the instance if instances were asked.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// The answer with its status and headers.
    #[must_use]
    pub const fn reply(&self) -> &Reply<T> {
        &self.reply
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.reply.into_inner()
    }
}

impl<T> Deref for Answered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.reply
    }
}

/// What one of those who were asked answered, or how it failed.
#[non_exhaustive]
#[derive(Debug)]
pub struct Outcome<T> {
    /// The component's name, or the id of the instance if instances were asked.
    pub holder: Arc<str>,
    /// Its answer.
    pub result: Result<Reply<T>>,
}

/// How those failed that did, each with its place in the query's order.
#[derive(Default)]
pub(super) struct Failures(Vec<(usize, Error)>);

impl Failures {
    pub(super) fn add(&mut self, place: usize, error: Error) {
        self.0.push((place, error));
    }

    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    /// One error for all: the kind of the best one's, and whether any of them may have been carried out.
    pub(super) fn into_error(mut self, holders: &[Arc<str>], what: String) -> Error {
        self.0.sort_by_key(|(place, _)| *place);
        let mut text = what;
        for (place, error) in self.0.iter().take(MAX_LISTED) {
            let mut why: String = error.to_string().chars().take(MAX_LISTED_CHARS).collect();
            if why.len() < error.to_string().len() {
                why.push('…');
            }
            let holder = holders.get(*place).map_or("", |holder| holder);
            text.push_str(&format!("; {holder}: {why}"));
        }
        if self.0.len() > MAX_LISTED {
            text.push_str(&format!("; and {} more", self.0.len() - MAX_LISTED));
        }
        let kind = self.0.first().map_or(ErrorKind::Internal, |(_, error)| error.kind());
        let sent = |sent| self.0.iter().any(|(_, error)| error.sent() == sent);
        let sent = match () {
            () if sent(Sent::Yes) => Sent::Yes,
            () if sent(Sent::Maybe) => Sent::Maybe,
            () => Sent::No,
        };
        let attempts = self.0.iter().map(|(_, error)| error.attempts()).max().unwrap_or(0);
        Error::new(kind, text).with_sent(sent).with_attempts(attempts)
    }
}

/// `1 component`, `3 components`.
pub(super) fn counted(components: usize) -> String {
    format!("{components} component{}", if components == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_for_all_is_bounded_and_names_the_best_ones() {
        let holders: Vec<Arc<str>> = (0..20).map(|n| format!("m{n}").into()).collect();
        let mut failures = Failures::default();
        for place in (0..20).rev() {
            let kind = if place == 0 { ErrorKind::Connect } else { ErrorKind::Timeout };
            failures.add(place, Error::new(kind, "ä".repeat(1000)).with_attempts(place as u32));
        }
        let error = failures.into_error(&holders, "none".to_owned());
        let text = error.to_string();
        assert!(text.starts_with("none; m0: ää") && text.ends_with("ä…; and 12 more"), "{text}");
        assert!(text.contains("; m7: ") && !text.contains("; m8: "), "{text}");
        assert_eq!(text.chars().filter(|c| *c == 'ä').count(), MAX_LISTED * MAX_LISTED_CHARS);
        assert_eq!((error.kind(), error.sent(), error.attempts()), (ErrorKind::Connect, Sent::Maybe, 19));
    }
}
