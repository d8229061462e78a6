//! What a remote side said of its failure.

use std::fmt;

use bytes::Bytes;

/// One field that is wrong: where it stands, and what to do.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name or path, as `retry.max_attempts` or `text`.
    pub field: String,
    /// What is wrong with it, as a clause: `is missing`, `must be at least 1`.
    pub problem: String,
}

impl FieldError {
    /// Says what is wrong with this field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// A failure as the callee told it: status, code and the first bytes of the body.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteError {
    status: u16,
    code: Option<Box<str>>,
    detail: Option<Box<str>>,
    body: Bytes,
}

impl RemoteError {
    /// The most bytes of a failure's body that are kept: 4 KiB.
    pub const MAX_BODY_BYTES: usize = 4096;

    /// A failure with this HTTP status.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, code: None, detail: None, body: Bytes::new() }
    }

    /// Adds the callee's machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into().into_boxed_str());
        self
    }

    /// Adds the callee's sentence about this failure.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into_boxed_str());
        self
    }

    /// Keeps the first [`RemoteError::MAX_BODY_BYTES`] of the body.
    #[must_use]
    pub fn with_body(mut self, body: &Bytes) -> Self {
        // Copied, not sliced: a slice would keep the whole body alive as long as the error.
        self.body = Bytes::copy_from_slice(&body[..body.len().min(Self::MAX_BODY_BYTES)]);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The callee's machine-readable code, as `unknown_operation`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The callee's sentence about this failure.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The first bytes of the body, at most [`RemoteError::MAX_BODY_BYTES`].
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Debug for RemoteError {
    /// Leaves the body out: it may hold what does not belong into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteError")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
