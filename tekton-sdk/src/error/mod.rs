//! The one error of the crate: what kind of failure, was it sent, may it be tried again.

mod gap;
mod kind;
mod remote;
mod shared;

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

pub use gap::Gap;
pub use kind::{ErrorKind, RetryHint, Sent, Verdict};
pub use remote::{FieldError, RemoteError};

/// A result whose error is [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong, one pointer wide.
///
/// `Display` prints one clause without the source; [`Error::report`] prints the whole chain, as does `Debug`, so that
/// a `main` that returns `Result<(), Error>` ends with a readable line.
///
/// ```
/// use tekton_sdk::{Error, ErrorKind, RetryHint};
///
/// let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
/// let error = Error::new(ErrorKind::Connect, "no connection to http://127.0.0.1:9")
///     .with_target("summarizer")
///     .with_source(refused);
/// assert_eq!(error.retry_hint(), RetryHint::Always);
/// assert_eq!(error.to_string(), "no connection to http://127.0.0.1:9");
/// assert_eq!(error.report(), "summarizer: no connection to http://127.0.0.1:9: connection refused");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    what: Cow<'static, str>,
    target: Option<Cow<'static, str>>,
    remote: Option<RemoteError>,
    fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    sent: Option<Sent>,
    verdict: Option<Verdict>,
    attempts: u32,
    hedges: u32,
    recoverable: bool,
    gap: Option<Gap>,
    note: Option<Box<str>>,
    source: Option<Source>,
}

impl Error {
    /// An error of this kind; `what` is one clause in lower case, without a full stop, a secret or the source's text.
    pub fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            what: what.into(),
            target: None,
            remote: None,
            fields: Vec::new(),
            retry_after: None,
            sent: None,
            verdict: None,
            attempts: 0,
            hedges: 0,
            recoverable: false,
            gap: None,
            note: None,
            source: None,
        }))
    }

    /// A wrong setting, argument of the builder or environment value.
    pub fn config(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, what)
    }

    /// An argument that an operation refuses; the host answers 422 with it.
    pub fn invalid(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, what)
    }

    /// Something that does not exist.
    pub fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, what)
    }

    /// A failure of the component itself.
    pub fn internal(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Internal, what)
    }

    /// Names the component that was called.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    /// Keeps the cause; it is printed by [`Error::report`] only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Keeps what the remote side answered.
    #[must_use]
    pub fn with_remote(mut self, remote: RemoteError) -> Self {
        self.0.remote = Some(remote);
        self
    }

    /// Names the fields that are wrong, all of them.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    /// How long to wait before another try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Says more exactly than the kind does whether the request left this process.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = Some(sent);
        self
    }

    /// Keeps what a classification said of it, so that it is judged once.
    #[must_use]
    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.keep_verdict(verdict);
        self
    }

    pub(crate) fn keep_verdict(&mut self, verdict: Verdict) {
        self.0.verdict = Some(verdict);
    }

    /// How many attempts were made, the first one included.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Adds what else went wrong, as the failure of what was to stand in for the callee; it is printed by [`Error::report`]
    /// only.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.0.note = Some(note.into().into_boxed_str());
        self
    }

    /// Says that the stream which it comes out of goes on after it. An operation that answers many times marks so what is wrong
    /// with one item; an error that is not marked ends the stream.
    #[must_use]
    pub fn recoverable(mut self) -> Self {
        self.0.recoverable = true;
        self
    }

    /// Names the items of a stream that did not come.
    #[must_use]
    pub fn with_gap(mut self, gap: Gap) -> Self {
        self.0.gap = Some(gap);
        self
    }

    /// Whether the stream that it came out of goes on after it.
    #[must_use]
    pub fn is_recoverable(&self) -> bool {
        self.0.recoverable
    }

    /// The items of a stream that did not come, if it says that some did not.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        self.0.gap
    }

    /// What else went wrong.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The component that was called, if one was.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// What the remote side answered, if it did.
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteError> {
        self.0.remote.as_ref()
    }

    /// The fields that are wrong, if the failure is about fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// How long the callee or a local limit asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many attempts were made; 0 when the failure came before the first.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the request may have reached the callee.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.0.sent.unwrap_or_else(|| self.0.kind.sent())
    }

    /// What a classification said of it, once one has.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.0.verdict
    }

    /// Whether another attempt makes sense: the one thing that a retry policy reads.
    ///
    /// `Retry-After` on a status that invites another try (408, 425, 429, 500, 502, 503, 504) becomes
    /// [`RetryHint::After`].
    #[must_use]
    pub fn retry_hint(&self) -> RetryHint {
        match (self.0.kind, self.0.retry_after) {
            (ErrorKind::Connect, _) => RetryHint::Always,
            (ErrorKind::Rejected, Some(wait)) => RetryHint::After(wait),
            (ErrorKind::Timeout, _) if self.sent() == Sent::No => RetryHint::Never,
            (ErrorKind::Timeout | ErrorKind::Interrupted, _) => RetryHint::IfIdempotent,
            (ErrorKind::Remote, wait) => match (self.remote().map(RemoteError::status), wait) {
                (Some(408 | 425 | 429 | 500 | 502..=504), Some(wait)) => RetryHint::After(wait),
                (Some(408 | 425 | 429 | 500 | 502..=504), None) => RetryHint::IfIdempotent,
                _ => RetryHint::Never,
            },
            _ => RetryHint::Never,
        }
    }

    /// The whole chain on one line: target, message, every source's message, and the note in brackets.
    ///
    /// A source whose text the line already ends with is not repeated.
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = self.target().map_or_else(String::new, |target| format!("{target}: "));
        line.push_str(&self.0.what);
        for field in &self.0.fields {
            line.push_str(&format!("; {field}"));
        }
        let mut next = StdError::source(self);
        while let Some(source) = next {
            let text = source.to_string();
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            next = source.source();
        }
        if let Some(note) = self.note() {
            line.push_str(&format!(" ({note})"));
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

const _: () = assert!(size_of::<Result<()>>() == size_of::<usize>());

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(status: u16) -> Error {
        Error::new(ErrorKind::Remote, "answered").with_remote(RemoteError::new(status))
    }

    #[test]
    fn display_never_prints_the_source() {
        for &kind in ErrorKind::ALL {
            let error = Error::new(kind, "it failed").with_source(std::io::Error::other("s3cret cause"));
            assert!(!error.to_string().contains("cause"), "{kind:?}");
            assert!(error.report().ends_with("it failed: s3cret cause"), "{kind:?}");
        }
    }

    #[test]
    fn the_retry_hint_follows_kind_status_and_retry_after() {
        assert_eq!(remote(503).retry_hint(), RetryHint::IfIdempotent);
        assert_eq!(
            remote(429).with_retry_after(Duration::from_secs(2)).retry_hint(),
            RetryHint::After(Duration::from_secs(2))
        );
        assert_eq!(remote(404).with_retry_after(Duration::from_secs(2)).retry_hint(), RetryHint::Never);
        assert_eq!(Error::new(ErrorKind::Connect, "x").retry_hint(), RetryHint::Always);
        let past = Error::new(ErrorKind::Timeout, "deadline already past").with_sent(Sent::No);
        assert_eq!(past.retry_hint(), RetryHint::Never);
    }

    #[test]
    fn a_report_names_target_fields_and_chain_once() {
        let inner = Error::new(ErrorKind::Codec, "not JSON").with_source(std::io::Error::other("not JSON"));
        let error = Error::invalid("1 argument is wrong")
            .with_target("summarizer")
            .with_fields(vec![FieldError::new("text", "is missing")])
            .with_source(inner);
        assert_eq!(error.report(), "summarizer: 1 argument is wrong; text: is missing: not JSON");
        assert_eq!(format!("{error:?}"), format!("Invalid: {}", error.report()));
    }
}
