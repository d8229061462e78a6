//! One event for everything that happens.

use std::{fmt, time::Duration};

use crate::error::{ErrorKind, Verdict};

/// What happened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A call ended, with all its attempts; also when nobody waited for it any more.
    #[non_exhaustive]
    CallEnded {
        /// The component that was called, as the caller named it.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// How many attempts were made; 0 when it was given up before its end.
        attempts: u32,
        /// How long it took.
        took: Duration,
        /// `None` for a success and for a call that was given up.
        error: Option<ErrorKind>,
    },
    /// An attempt ended.
    #[non_exhaustive]
    AttemptEnded {
        /// The component that was called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// Which attempt; the first is 1.
        attempt: u32,
        /// How long it took.
        took: Duration,
        /// What it says about the callee; `None` when nobody waited for it any more.
        verdict: Option<Verdict>,
    },
    /// Another attempt will be made after this wait.
    #[non_exhaustive]
    Retrying {
        /// The component that is called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// The number of the attempt to come.
        attempt: u32,
        /// How long it waits before.
        wait: Duration,
        /// Why: the failure's kind, as `connect`, or `status_503`.
        reason: &'a str,
    },
    /// A failed attempt is not followed by another, although it could be.
    #[non_exhaustive]
    NotRetried {
        /// The component that is called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// How many attempts were made.
        attempts: u32,
        /// What forbids it: `attempts`, `budget`, `deadline`, `unsafe`, `nested` or `stream`.
        reason: &'a str,
    },
    /// An attempt that was sent beside a slow one came to its end.
    #[non_exhaustive]
    Hedged {
        /// The component that is called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// The number of the attempt that was sent beside.
        attempt: u32,
        /// How long the call had waited when it was sent.
        after: Duration,
        /// `won` if its answer was taken, `lost` if another's was, `failed` if none was good, `abandoned` when nobody waited any
        /// more.
        outcome: &'static str,
    },
    /// A call failed, and something else was tried in place of the callee's answer.
    #[non_exhaustive]
    FellBack {
        /// The component that was called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// What was to stand in: `value`, `cached`, or the component's or the capability's name.
        to: &'a str,
        /// Why: the failure's kind, as `connect`, or `status_503`.
        reason: &'a str,
        /// Why that failed too; `None` if the caller was given it.
        error: Option<ErrorKind>,
    },
    /// A breaker changed its state.
    #[non_exhaustive]
    BreakerChanged {
        /// The breaker's key.
        breaker: &'a str,
        /// The state it left, as `closed`.
        from: &'a str,
        /// The state it entered, as `open`.
        to: &'a str,
        /// Why, as `failure_rate`.
        reason: &'a str,
    },
    /// A breaker refused a call.
    #[non_exhaustive]
    BreakerRefused {
        /// The breaker's key.
        breaker: &'a str,
    },
    /// A policy other than the breaker refused a call: nothing was sent.
    #[non_exhaustive]
    PolicyRefused {
        /// The policy, by the name of its stage, as `bulkhead`.
        policy: &'a str,
        /// The component that was not called.
        target: &'a str,
        /// The operation.
        operation: &'a str,
        /// Why, as `full`.
        reason: &'a str,
    },
    /// An instance of a component does worse than it may.
    #[non_exhaustive]
    Ejected {
        /// The component, as the caller names it.
        target: &'a str,
        /// The instance's endpoint.
        endpoint: &'a str,
        /// Why: `failures_in_a_row`, `success_rate`, or `probe` when it failed again on its return.
        reason: &'static str,
        /// For how long.
        wait: Duration,
        /// Whether it is kept out; not where too many others are already.
        out: bool,
    },
    /// An instance that was ejected is called again.
    #[non_exhaustive]
    Returned {
        /// The component, as the caller names it.
        target: &'a str,
        /// The instance's endpoint.
        endpoint: &'a str,
    },
    /// Too few instances of a component are well to leave the others out: all are called from now on, or no longer.
    #[non_exhaustive]
    Panic {
        /// The component, as the caller names it.
        target: &'a str,
        /// Whether it begins.
        began: bool,
        /// How many instances are well.
        well: usize,
        /// How many there are.
        of: usize,
    },
    /// The directory is down, and its last answer is served.
    #[non_exhaustive]
    DirectoryStale {
        /// What was looked for, in words.
        query: &'a str,
    },
    /// A served component is registered, or not any more.
    #[non_exhaustive]
    PresenceChanged {
        /// The component's id.
        component: &'a str,
        /// How it stands with the directory: `registered`, `absent` or `replaced`.
        presence: &'static str,
    },
    /// A request for an operation was answered.
    #[non_exhaustive]
    Served {
        /// The component that serves.
        component: &'a str,
        /// The operation.
        operation: &'a str,
        /// The status of the answer; 499 when nobody waited for it any more. Of a stream, that of the problem which ended it.
        status: u16,
        /// How long it took, with its wait for a place; of a stream, until its end.
        took: Duration,
    },
    /// A limit of the host refused a request for an operation.
    #[non_exhaustive]
    ServeRefused {
        /// The component that serves.
        component: &'a str,
        /// The operation.
        operation: &'a str,
        /// Which limit: `concurrency`, `shed`, `rate`, `client_concurrency`, `connections` or `streams`.
        reason: &'static str,
    },
    /// A served component comes to the next step of its shutdown.
    #[non_exhaustive]
    ShuttingDown {
        /// The component's id.
        component: &'a str,
        /// The step that begins: `unregister`, `drain`, or `closed` at the end.
        phase: &'static str,
    },
    /// A subscription did not keep up, and lost events. It is told at once, then once in a window with all that was lost in it.
    #[non_exhaustive]
    SlowSubscriber {
        /// The topics that it listens to.
        subscription: &'a str,
        /// What happens when its queue is full, as `drop_oldest`.
        policy: &'static str,
        /// How many events were lost since it was told last.
        lost: u64,
    },
    /// An event was handed over too often: a dead letter was to be written of it.
    #[non_exhaustive]
    DeadLettered {
        /// The topics that the subscription listens to.
        subscription: &'a str,
        /// `written`, and the event is let go, or `failed`, and it comes again.
        outcome: &'static str,
    },
    /// A handler did not do what an event asks for.
    #[non_exhaustive]
    HandlerFailed {
        /// The topics that the subscription listens to.
        subscription: &'a str,
        /// Which delivery of the event it was; the first is 1, and 0 is a gap.
        delivery: u32,
        /// `failed`, `panicked` or `timed_out`.
        reason: &'static str,
    },
    /// A configuration file changed while the process ran.
    #[non_exhaustive]
    ConfigReloaded {
        /// The files that were read.
        files: &'a str,
        /// What is wrong with them, so that what held before still holds; `None` if they hold.
        problem: Option<&'a str>,
    },
}

impl Event<'_> {
    /// The names of all events, in the order of the documentation.
    pub const NAMES: [&'static str; 21] = [
        "call_ended",
        "attempt_ended",
        "retrying",
        "not_retried",
        "hedged",
        "fell_back",
        "breaker_changed",
        "breaker_refused",
        "policy_refused",
        "ejected",
        "returned",
        "panic",
        "directory_stale",
        "presence_changed",
        "served",
        "serve_refused",
        "shutting_down",
        "slow_subscriber",
        "dead_lettered",
        "handler_failed",
        "config_reloaded",
    ];

    /// What it is called where it is written down.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CallEnded { .. } => "call_ended",
            Self::AttemptEnded { .. } => "attempt_ended",
            Self::Retrying { .. } => "retrying",
            Self::NotRetried { .. } => "not_retried",
            Self::Hedged { .. } => "hedged",
            Self::FellBack { .. } => "fell_back",
            Self::BreakerChanged { .. } => "breaker_changed",
            Self::BreakerRefused { .. } => "breaker_refused",
            Self::PolicyRefused { .. } => "policy_refused",
            Self::Ejected { .. } => "ejected",
            Self::Returned { .. } => "returned",
            Self::Panic { .. } => "panic",
            Self::DirectoryStale { .. } => "directory_stale",
            Self::PresenceChanged { .. } => "presence_changed",
            Self::Served { .. } => "served",
            Self::ServeRefused { .. } => "serve_refused",
            Self::ShuttingDown { .. } => "shutting_down",
            Self::SlowSubscriber { .. } => "slow_subscriber",
            Self::DeadLettered { .. } => "dead_lettered",
            Self::HandlerFailed { .. } => "handler_failed",
            Self::ConfigReloaded { .. } => "config_reloaded",
        }
    }

    /// Hands out its fields by name, for those who write down whatever comes. Durations are in seconds; what is `None` is left
    /// out.
    pub fn each(&self, show: &mut dyn FnMut(&'static str, &dyn fmt::Display)) {
        let seconds = |took: Duration| took.as_secs_f64();
        match *self {
            Self::CallEnded { target, operation, attempts, took, error } => {
                show("target", &target);
                show("operation", &operation);
                show("attempts", &attempts);
                show("took", &seconds(took));
                if let Some(error) = error {
                    show("error", &error);
                }
            }
            Self::AttemptEnded { target, operation, attempt, took, verdict } => {
                show("target", &target);
                show("operation", &operation);
                show("attempt", &attempt);
                show("took", &seconds(took));
                if let Some(verdict) = verdict {
                    show("verdict", &verdict.name());
                }
            }
            Self::Retrying { target, operation, attempt, wait, reason } => {
                show("target", &target);
                show("operation", &operation);
                show("attempt", &attempt);
                show("wait", &seconds(wait));
                show("reason", &reason);
            }
            Self::NotRetried { target, operation, attempts, reason } => {
                show("target", &target);
                show("operation", &operation);
                show("attempts", &attempts);
                show("reason", &reason);
            }
            Self::Hedged { target, operation, attempt, after, outcome } => {
                show("target", &target);
                show("operation", &operation);
                show("attempt", &attempt);
                show("after", &seconds(after));
                show("outcome", &outcome);
            }
            Self::FellBack { target, operation, to, reason, error } => {
                show("target", &target);
                show("operation", &operation);
                show("to", &to);
                show("reason", &reason);
                if let Some(error) = error {
                    show("error", &error);
                }
            }
            Self::BreakerChanged { breaker, from, to, reason } => {
                show("breaker", &breaker);
                show("from", &from);
                show("to", &to);
                show("reason", &reason);
            }
            Self::BreakerRefused { breaker } => show("breaker", &breaker),
            Self::PolicyRefused { policy, target, operation, reason } => {
                show("policy", &policy);
                show("target", &target);
                show("operation", &operation);
                show("reason", &reason);
            }
            Self::Ejected { target, endpoint, reason, wait, out } => {
                show("target", &target);
                show("endpoint", &endpoint);
                show("reason", &reason);
                show("wait", &seconds(wait));
                show("out", &out);
            }
            Self::Returned { target, endpoint } => {
                show("target", &target);
                show("endpoint", &endpoint);
            }
            Self::Panic { target, began, well, of } => {
                show("target", &target);
                show("began", &began);
                show("well", &well);
                show("of", &of);
            }
            Self::DirectoryStale { query } => show("query", &query),
            Self::PresenceChanged { component, presence } => {
                show("component", &component);
                show("presence", &presence);
            }
            Self::Served { component, operation, status, took } => {
                show("component", &component);
                show("operation", &operation);
                show("status", &status);
                show("took", &seconds(took));
            }
            Self::ServeRefused { component, operation, reason } => {
                show("component", &component);
                show("operation", &operation);
                show("reason", &reason);
            }
            Self::ShuttingDown { component, phase } => {
                show("component", &component);
                show("phase", &phase);
            }
            Self::SlowSubscriber { subscription, policy, lost } => {
                show("subscription", &subscription);
                show("policy", &policy);
                show("lost", &lost);
            }
            Self::DeadLettered { subscription, outcome } => {
                show("subscription", &subscription);
                show("outcome", &outcome);
            }
            Self::HandlerFailed { subscription, delivery, reason } => {
                show("subscription", &subscription);
                show("delivery", &delivery);
                show("reason", &reason);
            }
            Self::ConfigReloaded { files, problem } => {
                show("files", &files);
                if let Some(problem) = problem {
                    show("problem", &problem);
                }
            }
        }
    }
}
