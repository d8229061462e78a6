//! What a limit of this side answers instead of sending.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind, Sent, Verdict},
    telemetry::{Event, Observers},
    transport::CallInfo,
};

/// A refusal by a limit of this side: nothing was sent, and it says nothing about the callee.
pub(super) struct Refused {
    /// The stage, by its name in the pipeline.
    pub(super) policy: &'static str,
    /// Why, as events name it.
    pub(super) reason: &'static str,
    /// [`Rejected`](ErrorKind::Rejected), or [`Timeout`](ErrorKind::Timeout) where the deadline came first.
    pub(super) kind: ErrorKind,
    /// What is said behind the stage's name and a colon.
    pub(super) what: String,
    /// When it would have its turn, where that is known.
    pub(super) retry_after: Option<Duration>,
}

impl Refused {
    /// Tells the observers and makes the error.
    pub(super) fn tell(self, observers: &Observers, call: &CallInfo) -> Error {
        let Self { policy, reason, kind, what, retry_after } = self;
        if !observers.is_empty() {
            let (target, operation) = (&*call.target, &*call.operation);
            observers.tell(&Event::PolicyRefused { policy, target, operation, reason });
        }
        let error = Error::new(kind, format!("{policy}: {what}"));
        let error = error.with_sent(Sent::No).with_verdict(Verdict::Ignored);
        match retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}
