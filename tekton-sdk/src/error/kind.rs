//! The kinds of failure, and what each says about sending and trying again.

use std::{fmt, time::Duration};

/// Whether a request may have reached the callee.
#[expect(clippy::exhaustive_enums, reason = "there is no fourth answer")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Certainly not: another try is safe for every operation.
    No,
    /// It may have, and may have been carried out.
    Maybe,
    /// It has: the callee answered.
    Yes,
}

/// Whether, and when, another attempt makes sense.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryHint {
    /// The same request would fail again.
    Never,
    /// Only where a second execution does no harm.
    IfIdempotent,
    /// Safe for every operation: nothing was sent.
    Always,
    /// After this wait, and where a second execution does no harm.
    After(Duration),
}

/// What an attempt's outcome says about the health of the callee. The breaker, the retry and the metrics read the same one.
#[expect(clippy::exhaustive_enums, reason = "there is no fourth verdict")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The callee does its work. It may well have refused this request.
    Success,
    /// The callee is not well, or could not be reached.
    Failure,
    /// It says nothing about the callee: this side refused, or gave up.
    Ignored,
}

impl Verdict {
    /// The name in metrics and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident { what: $what:literal, sent: $sent:ident, told: $told:literal, retry: $retry:literal })+) => {
        /// What kind of failure it was. Each kind says what happened, whether the request was sent, and whether to retry;
        /// the same table stands in the errors page of the documentation.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("*What happened:* ", $what, ". *Was it sent?* ", $told, ". *Retry?* ", $retry, ".")]
                $name,
            )+
        }

        impl ErrorKind {
            /// Every kind, in the order of the documentation's table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What happened, as a clause.
            #[must_use]
            pub const fn what_happened(self) -> &'static str {
                match self { $(Self::$name => $what),+ }
            }

            /// Whether the request may have reached the callee, unless the error says it more exactly.
            #[must_use]
            pub const fn sent(self) -> Sent {
                match self { $(Self::$name => Sent::$sent),+ }
            }

            /// Whether it was sent, in words.
            #[must_use]
            pub const fn was_it_sent(self) -> &'static str {
                match self { $(Self::$name => $told),+ }
            }

            /// Whether to retry, in words.
            #[must_use]
            pub const fn retry(self) -> &'static str {
                match self { $(Self::$name => $retry),+ }
            }

            /// The kind's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

kinds! {
    /// A setting is wrong.
    Config { what: "a setting, an environment variable or a builder's argument is wrong", sent: No, told: "no", retry: "never" }
    /// An argument is refused.
    Invalid { what: "an argument or a value is refused before any work is done", sent: No, told: "no", retry: "never" }
    /// There is no such component, operation or key.
    NotFound { what: "no component, operation or key of that name is known", sent: Maybe, told: "maybe", retry: "never, unless discovery heals it" }
    /// No connection could be made.
    Connect { what: "no connection to the callee could be made", sent: No, told: "no", retry: "always" }
    /// A limit refuses the call.
    Rejected { what: "a limit on this side or on the callee's refuses the call: full, open, or too large", sent: No, told: "no", retry: "after the hint, if there is one" }
    /// Time ran out.
    Timeout { what: "the deadline or the attempt's timeout passed", sent: Maybe, told: "maybe", retry: "if idempotent" }
    /// The connection broke.
    Interrupted { what: "the connection broke before the answer was whole", sent: Maybe, told: "maybe", retry: "if idempotent" }
    /// The callee answered with a failure.
    Remote { what: "the callee answered with a failure", sent: Yes, told: "yes", retry: "by status and `Retry-After`" }
    /// The version moved.
    Conflict { what: "the value changed since it was read", sent: Yes, told: "yes", retry: "read again, then yes" }
    /// The callee does not accept the caller's proof.
    Unauthorized { what: "the callee does not accept the token or the signature", sent: Yes, told: "yes", retry: "once, with a new token" }
    /// A body cannot be encoded or decoded.
    Codec { what: "a body or a header cannot be encoded or decoded", sent: Maybe, told: "encode: no; decode: yes", retry: "never" }
    /// The handle is shut down.
    Closed { what: "the handle or the component is shut down", sent: No, told: "no", retry: "never" }
    /// The work was cancelled.
    Cancelled { what: "the work was cancelled by its owner", sent: Maybe, told: "maybe", retry: "never" }
    /// A fault of the component or of this crate.
    Internal { what: "the component failed, panicked, or met a state it did not expect", sent: Maybe, told: "maybe", retry: "never" }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
