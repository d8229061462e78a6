//! One failure for several who waited for it.

use std::{error::Error as StdError, fmt};

use super::{Error, Inner};

impl Error {
    /// The same failure for another who waited for it. Its causes come along as text: they cannot be shared.
    pub(crate) fn shared(&self) -> Self {
        let inner = &*self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            what: inner.what.clone(),
            target: inner.target.clone(),
            remote: inner.remote.clone(),
            fields: inner.fields.clone(),
            retry_after: inner.retry_after,
            sent: inner.sent,
            verdict: inner.verdict,
            attempts: inner.attempts,
            hedges: inner.hedges,
            recoverable: inner.recoverable,
            gap: inner.gap,
            note: inner.note.clone(),
            source: Cause::of(inner.source.as_deref().map(|source| source as _)).map(Into::into),
        }))
    }

    /// Says how many attempts beside the one that is counted were made at the same time.
    pub(crate) fn keep_hedges(&mut self, hedges: u32) {
        self.0.hedges = hedges;
    }

    /// How many attempts were made beside the one that is counted; asked again, none.
    pub(crate) fn take_hedges(&mut self) -> u32 {
        std::mem::take(&mut self.0.hedges)
    }
}

/// A cause as text, with the causes behind it.
#[derive(Debug)]
struct Cause {
    text: String,
    next: Option<Box<Self>>,
}

impl Cause {
    fn of(error: Option<&(dyn StdError + 'static)>) -> Option<Box<Self>> {
        // Deeper chains than this are loops.
        const DEEPEST: usize = 32;
        let mut texts = Vec::new();
        let mut next = error;
        while let Some(error) = next.filter(|_| texts.len() < DEEPEST) {
            texts.push(error.to_string());
            next = error.source();
        }
        texts.into_iter().rev().fold(None, |next, text| Some(Box::new(Self { text, next })))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{ErrorKind, FieldError, Gap, RemoteError, Sent, Verdict};

    #[test]
    fn a_shared_failure_says_all_that_the_first_one_says() {
        let inner = Error::new(ErrorKind::Codec, "not JSON").with_source(std::io::Error::other("at byte 7"));
        let error = Error::new(ErrorKind::Remote, "answered 503")
            .with_target("engram")
            .with_remote(RemoteError::new(503).with_code("busy"))
            .with_fields(vec![FieldError::new("text", "is missing")])
            .with_retry_after(Duration::from_secs(2))
            .with_sent(Sent::Yes)
            .with_verdict(Verdict::Failure)
            .with_attempts(3)
            .with_note("no fallback")
            .with_gap(Gap::new(3, 5))
            .recoverable()
            .with_source(inner);
        let shared = error.shared().shared();
        assert_eq!(shared.report(), error.report());
        assert!(shared.report().ends_with(": not JSON: at byte 7 (no fallback)"), "{}", shared.report());
        assert_eq!((shared.kind(), shared.target(), shared.remote()), (error.kind(), error.target(), error.remote()));
        assert_eq!((shared.fields(), shared.retry_after()), (error.fields(), error.retry_after()));
        assert_eq!((shared.sent(), shared.verdict(), shared.attempts()), (Sent::Yes, Some(Verdict::Failure), 3));
        assert_eq!(shared.retry_hint(), error.retry_hint());
        assert_eq!((shared.gap(), shared.is_recoverable()), (Some(Gap::new(3, 5)), true));
    }
}
